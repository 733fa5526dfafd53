import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { createSystemRandom } from '../src/base/random.ts'
import { newCodeSecrets } from '../src/by-mail/secrets.ts'
import { ISSUER, PASSWORD, USERNAME, type Answering } from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { FORM_TYPE, readAnswer, type Answer } from './support/contract.ts'
import { query, queryOne } from './support/database.ts'
import { expectHarmlessAnswers, type SeenAnswer } from './support/harm.ts'
import { sized } from './support/long.ts'
import { openMailingAuthority, type MailingAuthority, type SentMail } from './support/mails.ts'

// The rows of docs/attack-catalogue.md on mails: recovery, change of the address, and hostile input for both.

const EMAIL = 'alice@example.com'
const NEW_PASSWORD = 'staple and no donkey'

let it: MailingAuthority
/** The same authority. Every answer is checked after the test. */
let target: Answering
let seen: SeenAnswer[]

beforeEach(async () => {
  it = await openMailingAuthority({ signUp: true, signUpVerified: true, mailLogin: true })
  await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
  seen = []
  target = { authority: { fetch: watched } }
})
afterEach(async () => {
  expectHarmlessAnswers(seen)
  await it[Symbol.asyncDispose]()
})

const watched: Answering['authority']['fetch'] = async (request, context) => {
  const start = performance.now()
  const what = `${request.method} ${new URL(request.url).pathname}`
  const response = await it.authority.fetch(request, context)
  const text = `${JSON.stringify([...response.headers])}\n${await response.clone().text()}`
  seen.push({ what, status: response.status, text, afterMs: performance.now() - start })
  return response
}

function browser(address?: string): TestBrowser {
  return new TestBrowser(target, address)
}

function codeOf({ status, text }: Answer): unknown {
  return [status, text === '' ? undefined : (JSON.parse(text) as { code?: string }).code]
}

async function logIn(password: string, username = USERNAME): Promise<number> {
  return (await it.post('/api/token/', { username, password })).status
}

interface Asked extends SentMail {
  readonly page: TestBrowser
  readonly ticket: string
}

const ASKS = {
  reset_password: (page: TestBrowser) =>
    page.visit('/auth/password/forgot', { body: { email: EMAIL } }),
  log_in: (page: TestBrowser) => page.visit('/auth/login/code/send', { body: { email: EMAIL } }),
  sign_up: (page: TestBrowser) =>
    page.visit('/auth/signup', { body: { email: 'carol@example.com', password: PASSWORD } }),
  verify_email: (page: TestBrowser) => page.visit('/auth/email/verification'),
  change_email: (page: TestBrowser) =>
    page.visit('/auth/email/change', {
      body: { email: 'alice@example.org', password: PASSWORD },
    }),
}
type Purpose = keyof typeof ASKS
const PURPOSES = Object.keys(ASKS) as Purpose[] // The type loses its keys.

const USES = {
  '/auth/password/reset': ['reset_password'],
  '/auth/login/code': ['log_in'],
  '/auth/signup/finish': ['sign_up'],
  '/auth/email/verify': ['verify_email', 'change_email'],
} as const satisfies Record<string, readonly Purpose[]>
const PATHS = Object.keys(USES) as (keyof typeof USES)[] // The type loses its keys.

/** Asks for a mail in a browser that is logged in, and reads the mail. */
async function ask(purpose: Purpose, page = browser()): Promise<Asked> {
  if (purpose === 'verify_email' || purpose === 'change_email') await page.login()
  else await page.get('/auth/csrf')
  const answer = await ASKS[purpose](page)
  expect(answer.status).toBe(202)
  const ticket = String(membersOf(answer)['ticket'])
  let mail = await it.nextMail()
  while (mail.code === '') mail = await it.nextMail() // A notice.
  return { ...mail, page, ticket }
}

describe('P10 a mailed secret', () => {
  test.each(PURPOSES)('for %s works at its own endpoint only', async (purpose) => {
    const { page, link, code, ticket } = await ask(purpose)
    if (page.csrfToken === undefined) await page.get('/auth/csrf')
    const body = { link, code, ticket, password: NEW_PASSWORD }
    const own = PATHS.find((path) => (USES[path] as readonly string[]).includes(purpose))!
    for (const path of PATHS) {
      if (path === own) continue
      expect([path, codeOf(await page.visit(path, { body }))]).toEqual([path, [400, 'code_void']])
    }
    // No attempt was counted, and nothing was used up.
    expect((await page.visit(own, { body })).status).toBeLessThan(300)
    expect(codeOf(await page.visit(own, { body }))).not.toEqual([200, undefined])
  })

  test.each(PURPOSES)('for %s does not work with the parts of another mail', async (purpose) => {
    const mine = await ask('reset_password', browser('198.51.100.66'))
    const { page, link, code } = await ask(purpose)
    const own = PATHS.find((path) => (USES[path] as readonly string[]).includes(purpose))!
    const [id = '', secret = ''] = link.split('.')
    const [otherId = '', otherSecret = ''] = mine.link.split('.')
    for (const name of page.cookies.keys()) if (name.endsWith('ticket')) page.cookies.delete(name)
    const tries = [
      { link, ticket: mine.ticket },
      { link: `${id}.${otherSecret}`, code },
      { link: `${otherId}.${secret}`, code },
      { ticket: mine.ticket, code },
      { ticket: link, code: mine.code },
      { link: mine.ticket, code },
      { link, ticket: link },
    ]
    for (const parts of tries) {
      const answer = await page.visit(own, { body: { ...parts, password: NEW_PASSWORD } })
      expect([parts, answer.status]).toEqual([parts, 400])
    }
  })

  test('is void after a new password, a new address and a newer mail', async () => {
    const changes: Record<string, () => Promise<unknown>> = {
      'a new password': () => it.authority.accounts.setPassword(USERNAME, PASSWORD, 'test'),
      'a new address': async () => {
        const other = { address: 'alice@example.net', verified: true }
        await it.authority.accounts.setEmail(USERNAME, other, 'test')
        await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
      },
      'a newer mail': () => ask('reset_password', browser('198.51.100.4')),
      'fifteen minutes': () => Promise.resolve(it.clock.advanceMs(900_000)),
    }
    for (const [what, change] of Object.entries(changes)) {
      const { page, link } = await ask('reset_password')
      await change()
      const used = await page.visit('/auth/password/reset', {
        body: { link, password: NEW_PASSWORD },
      })
      expect([what, codeOf(used)]).toEqual([what, [400, 'code_void']])
    }
  })

  test('is void after five wrong codes, also if the sixth is right', async () => {
    const { page, ticket, code } = await ask('reset_password')
    const use = async (typed: string): Promise<unknown> =>
      codeOf(
        await page.visit('/auth/password/reset', {
          body: { ticket, code: typed, password: NEW_PASSWORD },
        }),
      )
    for (let n = 0; n < 5; n += 1) expect(await use('BBBB-BBBB')).toEqual([400, 'code_wrong'])
    expect(await use(code)).toEqual([400, 'code_void'])
  })

  test('fifty guesses at once count as fifty: at most five are compared', async () => {
    const { ticket } = await ask('reset_password')
    const guesses = Array.from({ length: 50 }, () =>
      browser().visit('/auth/password/reset', {
        body: { ticket, code: 'BBBB-BBBB', password: NEW_PASSWORD },
      }),
    )
    const codes = (await Promise.all(guesses)).map((answer) => codeOf(answer))
    const compared = codes.filter((each) => JSON.stringify(each) === '[400,"code_wrong"]')
    expect(compared).toHaveLength(5)
  })

  test.each(['link', 'code'] as const)(
    'fifty uses of one %s at once have one winner',
    async (part) => {
      const { page, link, code, ticket } = await ask('log_in')
      const body = part === 'link' ? { link } : { ticket, code }
      const uses = Array.from({ length: 50 }, () => page.visit('/auth/login/code', { body }))
      const statuses = (await Promise.all(uses)).map(({ status }) => status)
      expect(statuses.filter((status) => status === 200)).toHaveLength(1)
      const { logins } = queryOne(it.dataDir, 'SELECT count(*) AS logins FROM sessions')
      expect(logins).toBe(1)
    },
  )

  test('is stored as a hash only', async () => {
    const { link, code, ticket } = await ask('reset_password')
    const rows = query(it.dataDir, 'SELECT * FROM mail_codes')
    const text = rows
      .flatMap((row) => Object.values(row))
      .map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value))
      .join('\n')
    for (const secret of [link.split('.')[1]!, ticket.split('.')[1]!, code]) {
      expect(text).not.toContain(secret)
    }
  })

  test('opens no session with a reset, and ends all others', async () => {
    const before = browser('198.51.100.4')
    await before.login()
    const { page, link } = await ask('reset_password')
    const done = await page.visit('/auth/password/reset', {
      body: { link, password: NEW_PASSWORD },
    })
    expect([done.status, done.text]).toEqual([204, ''])
    expect(page.lines.filter((line) => /(?:access|refresh)=[^;]/.test(line))).toEqual([])
    expect((await before.visit('/auth/refresh')).status).toBe(401)
  })
})

describe('P22 a change of the address', () => {
  test('needs the password, not only a session', async () => {
    const page = browser()
    await page.login()
    for (const password of ['wrong horse battery', '', undefined]) {
      const body = { email: 'mallory@example.com', password }
      expect((await page.visit('/auth/email/change', { body })).status).toBeGreaterThan(399)
    }
    expect(it.mails).toEqual([])
  })

  test('that a stranger began cannot be confirmed by the owner of the address, logged in or not', async () => {
    const made = await it.authority.accounts.create(
      { username: 'mallory', password: PASSWORD },
      'test',
    )
    expect(made.ok).toBe(true)
    await it.authority.accounts.setEmail(USERNAME, undefined, 'test')
    const mallory = browser('198.51.100.66')
    await mallory.login({ username: 'mallory', password: PASSWORD })
    await mallory.visit('/auth/email/change', { body: { email: EMAIL, password: PASSWORD } })
    const { link, code } = await it.nextMail()
    const alice = browser()
    const blind = await alice.visit('/auth/email/verify', { body: { link, code } })
    expect(codeOf(blind)).toEqual([400, 'code_elsewhere'])
    await alice.login()
    const loggedIn = await alice.visit('/auth/email/verify', { body: { link, code } })
    expect(codeOf(loggedIn)).toEqual([400, 'code_elsewhere'])
    const { email } = queryOne(it.dataDir, `SELECT email FROM accounts WHERE username = 'mallory'`)
    expect(email).toBeNull()
  })

  test('of two changes at once the newer counts, and the old address gets a mail', async () => {
    const { page, link: older } = await ask('change_email')
    const body = { email: 'alice@example.net', password: PASSWORD }
    await page.visit('/auth/email/change', { body })
    const { link } = await it.nextMail()
    expect(codeOf(await page.visit('/auth/email/verify', { body: { link: older } }))).toEqual([
      400,
      'code_void',
    ])
    expect((await page.visit('/auth/email/verify', { body: { link } })).status).toBe(200)
    expect((await it.nextMail()).kind).toBe('address_changed')
  })

  test('does not survive a reset: the thief of a session loses the change that they began', async () => {
    const { page: thief, link } = await ask('change_email', browser('198.51.100.66'))
    const { page, link: reset } = await ask('reset_password')
    await page.visit('/auth/password/reset', { body: { link: reset, password: NEW_PASSWORD } })
    expect(codeOf(await thief.visit('/auth/email/verify', { body: { link } }))).toEqual([
      400,
      'code_void',
    ])
  })
})

test('P12 the old password deletes nothing after a reset', async () => {
  const page = browser()
  await page.login()
  const { page: other, link } = await ask('reset_password', browser('198.51.100.4'))
  await other.visit('/auth/password/reset', { body: { link, password: NEW_PASSWORD } })
  const deleted = await page.visit('/auth/me/delete', { body: { password: PASSWORD } })
  expect(deleted.status).toBe(401)
  expect(await logIn(NEW_PASSWORD)).toBe(200)
})

describe('P06 the limit of mails', () => {
  test.each([
    ['case', ['bob@example.com', 'Bob@Example.com', 'BOB@EXAMPLE.COM']],
    ['compatibility forms', ['bob@example.com', 'ｂｏｂ@example.com', 'bob＠example.com']],
    [
      'the form of the domain',
      ['bob@bücher.example', 'bob@xn--bcher-kva.example', 'bob@BÜCHER.example'],
    ],
  ])('counts all spellings of one address together: %s', async (_, spellings) => {
    await it.restart({ throttle: 'recipient=2/1h,sender=99/1h' })
    const statuses: number[] = []
    for (const [n, email] of spellings.entries()) {
      const asked = await browser().visit('/auth/password/forgot', { body: { email, x: n } })
      statuses.push(asked.status)
    }
    expect(statuses).toEqual([202, 202, 429])
  })

  test('counts all kinds of mails together', async () => {
    await it.restart({ throttle: 'recipient=2/1h,sender=99/1h' })
    const page = browser()
    await page.login()
    expect((await ASKS.reset_password(page)).status).toBe(202)
    expect((await ASKS.log_in(page)).status).toBe(202)
    expect((await ASKS.verify_email(page)).status).toBe(429)
    const signUp = { email: EMAIL, password: PASSWORD }
    expect((await page.visit('/auth/signup', { body: signUp })).status).toBe(429)
  })

  test('counts fifty requests at once exactly', async () => {
    await it.restart({ throttle: 'recipient=5/1h,sender=99/1h' })
    const all = Array.from({ length: 50 }, () =>
      browser().visit('/auth/password/forgot', { body: { email: EMAIL } }),
    )
    const statuses = (await Promise.all(all)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 202)).toHaveLength(5)
  })
})

describe('A13 an address for a mail', () => {
  const odd: readonly string[] = [
    'a@b.example\r\nBcc: c@d.example',
    'a@b.example\nc@d.example',
    'a\r\n@b.example',
    'a@b.example,c@d.example',
    'a@b.example;c@d.example',
    'a@b.example c@d.example',
    'a@b@c.example',
    '"a b"@b.example',
    '"a@b.example"@c.example',
    'a(comment)@b.example',
    'a@b.example(comment)',
    'Alice <a@b.example>',
    '<a@b.example>',
    'mailto:a@b.example',
    'a@[127.0.0.1]',
    'a@127.0.0.1',
    'a@b..example',
    '.a@b.example',
    'a..b@c.example',
    'a@-b.example',
    'a@b.example\0',
    'a\u200b@b.example',
    'a\u202e@b.example',
    'a@b.exam\u00adple',
    '@b.example',
    'a@',
    '@',
    'a＠b＠c.example',
    'x'.repeat(65) + '@b.example',
    `${'x'.repeat(60)}@${'y'.repeat(63)}.${'y'.repeat(63)}.${'y'.repeat(64)}.de`,
    'x'.repeat(8_000),
    `${'\u0301'.repeat(7_000)}@b.example`,
    'a@xn--a',
    `a@${'b.'.repeat(4_000)}de`,
  ]
  test.each(odd.map((email) => [JSON.stringify(email).slice(0, 60), email]))(
    '%s is refused, and no mail is written',
    async (_, email) => {
      const page = browser()
      await page.login()
      const bodies: readonly (readonly [string, object])[] = [
        ['/auth/password/forgot', { email }],
        ['/auth/login/code/send', { email }],
        ['/auth/signup', { email, username: 'carol', password: PASSWORD }],
        ['/auth/email/change', { email, password: PASSWORD }],
      ]
      for (const [path, body] of bodies) {
        expect([path, codeOf(await page.visit(path, { body }))]).toEqual([
          path,
          [400, 'email_invalid'],
        ])
      }
      expect(query(it.dataDir, 'SELECT id FROM mails')).toEqual([])
    },
  )

  test('of 254 bytes is accepted, and one of 255 bytes is not', async () => {
    const local = 'x'.repeat(60)
    const of = (bytes: number): string =>
      `${local}@${'y'.repeat(63)}.${'y'.repeat(63)}.${'y'.repeat(bytes - 61 - 128 - 3)}.de`
    expect([of(254).length, of(255).length]).toEqual([254, 255])
    const statusFor = async (email: string): Promise<unknown> =>
      (await browser().visit('/auth/password/forgot', { body: { email } })).status
    expect([await statusFor(of(254)), await statusFor(of(255))]).toEqual([202, 400])
  })

  test('with a full-width @ gets its mail at the usual spelling', async () => {
    const body = { email: 'Ｃarol＠example.com', password: PASSWORD }
    expect((await browser().visit('/auth/signup', { body })).status).toBe(202)
    await it.nextMail()
    expect(queryOne(it.dataDir, 'SELECT email, email_key FROM mail_codes')).toEqual({
      email: 'Carol@example.com',
      email_key: 'carol@example.com',
    })
    expect(queryOne(it.dataDir, 'SELECT recipient FROM mails')).toEqual({
      recipient: 'Carol@example.com',
    })
  })

  test.each(['alıce@example.com', 'аlice@example.com', 'alice@exаmple.com', 'alice+x@example.com'])(
    '%s is another address than that of alice',
    async (email) => {
      expect((await browser().visit('/auth/password/forgot', { body: { email } })).status).toBe(202)
      // A mail to alice would be here first.
      await ask('log_in')
      expect(it.mails).toHaveLength(1)
    },
  )

  test('of alice in another spelling writes to the spelling of the account', async () => {
    const body = { email: 'ＡLICE@EXAMPLE.COM' }
    await browser().visit('/auth/password/forgot', { body })
    await it.nextMail()
    expect(queryOne(it.dataDir, 'SELECT recipient FROM mails')).toEqual({ recipient: EMAIL })
  })

  test('of random text is never answered 5xx', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc
        .tuple(fc.string({ unit: 'grapheme', maxLength: 70 }), fc.domain())
        .map((parts) => parts.join('@')),
    )
    await fc.assert(
      fc.asyncProperty(text, async (email) => {
        const { status } = await browser().visit('/auth/password/forgot', { body: { email } })
        expect([202, 400]).toContain(status)
      }),
      { numRuns: sized(30, 1_000) },
    )
  })
})

describe('A10 the fields of a proof', () => {
  const huge = 'x'.repeat(8 * 1_024)
  const values: readonly unknown[] = [
    '',
    ' ',
    '0',
    'BBBBBBBB',
    'bbbb bbbb',
    'ＢＢＢＢ-ＢＢＢＢ',
    '\0',
    '🔑',
    `${'x'.repeat(22)}.${'x'.repeat(22)}`,
    `${'x'.repeat(22)}.${'x'.repeat(22)}\n`,
    `${'x'.repeat(22)}.${'x'.repeat(22)}.${'x'.repeat(22)}`,
    '../../../etc/passwd',
    "' OR 1=1 --",
    huge,
    12_345_678,
    true,
    [],
    ['BBBB-BBBB'],
    {},
    { $ne: null },
    null,
  ]

  test('of any type and length are refused at every endpoint', async () => {
    const { page, ticket } = await ask('reset_password')
    for (const path of PATHS) {
      for (const value of values) {
        for (const body of [
          { link: value, code: 'BBBB-BBBB' },
          { ticket: value, code: 'BBBB-BBBB' },
          { link: value },
          { link: value, ticket: value, code: value },
        ]) {
          const answer = await browser().visit(path, {
            body: { ...body, password: NEW_PASSWORD },
          })
          // 413: the body is too long.
          expect([400, 403, 413]).toContain(answer.status)
        }
      }
    }
    // Nothing of that counted against a mail.
    expect(queryOne(it.dataDir, 'SELECT attempts FROM mail_codes')).toEqual({ attempts: 0 })
    for (const code of values.filter((value) => typeof value === 'string' && value !== '')) {
      const used = await page.visit('/auth/password/reset', {
        body: { ticket, code, password: NEW_PASSWORD },
      })
      expect(used.status).toBe(400)
    }
    expect(await logIn(PASSWORD)).toBe(200)
  })

  test('twice in a form are refused', async () => {
    const { link, code } = await ask('reset_password')
    const fields = `link=${link}&code=${code}&password=${encodeURIComponent(NEW_PASSWORD)}`
    for (const twice of [`link=${link}`, `code=${code}`, 'password=x', 'ticket=a&ticket=b']) {
      const request = new Request(`${ISSUER}/auth/password/reset`, {
        method: 'POST',
        headers: { 'content-type': FORM_TYPE },
        body: `${fields}&${twice}`,
      })
      const answer = await readAnswer(await target.authority.fetch(request, { address: '::1' }))
      expect([twice, answer.status]).toEqual([twice, 400])
    }
    expect(await logIn(PASSWORD)).toBe(200)
  })
})

test('C14 a ticket cookie that is there twice counts as none', async () => {
  const { page, link, ticket } = await ask('reset_password')
  const name = [...page.cookies.keys()].find((each) => each.endsWith('ticket')) ?? ''
  expect(name).not.toBe('')
  for (const cookie of [
    `${name}=${ticket}; ${name}=${ticket}`,
    `${name}=x; ${name}=${ticket}`,
    `${name}=${ticket}; ${name}=`,
  ]) {
    const answer = await browser().visit('/auth/password/reset', {
      body: { link, password: NEW_PASSWORD },
      headers: { cookie },
    })
    expect(codeOf(answer)).toEqual([400, 'code_missing'])
  }
})

describe('D01 and D05 a page of another site', () => {
  const evil = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
  const old = { 'sec-fetch-site': undefined, origin: 'https://evil.example' }

  test('can neither ask for a mail nor use one', async () => {
    const { page, link } = await ask('log_in')
    const bodies: Readonly<Record<string, object>> = {
      '/auth/password/forgot': { email: EMAIL },
      '/auth/login/code/send': { email: EMAIL },
      '/auth/signup': { email: 'carol@example.com', password: PASSWORD },
      '/auth/email/verification': {},
      '/auth/email/change': { email: 'carol@example.com', password: PASSWORD },
      ...Object.fromEntries(PATHS.map((path) => [path, { link, password: NEW_PASSWORD }])),
    }
    for (const [path, body] of Object.entries(bodies)) {
      for (const headers of [evil, old]) {
        const answer = await page.visit(path, { body, headers })
        expect([path, [401, 403].includes(answer.status)]).toEqual([path, true])
        expect(answer.headers.getSetCookie()).toEqual([])
      }
    }
    expect(it.mails).toHaveLength(1)
  })

  test('cannot log its visitor in to a foreign account, not even with the link, the code and the ticket', async () => {
    const { link, code, ticket } = await ask('log_in', browser('198.51.100.66'))
    const victim = browser()
    const body = { link, code, ticket }
    expect((await victim.visit('/auth/login/code', { body, headers: evil })).status).toBe(403)
    // Nor without the CSRF token of the victim's browser.
    expect((await victim.visit('/auth/login/code', { body })).status).toBe(403)
    expect(victim.cookies.size).toBe(0)
  })
})

test('A19 no header of a request changes the links of any mail', async () => {
  const headers = {
    host: 'evil.example',
    forwarded: 'host=evil.example;proto=http',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'http',
    'x-original-url': 'https://evil.example/',
    referer: 'https://evil.example/',
  }
  const page = browser()
  await page.login()
  await page.visit('/auth/password/forgot', { body: { email: EMAIL }, headers })
  await page.visit('/auth/login/code/send', { body: { email: EMAIL }, headers })
  const signUp = { email: 'carol@example.com', password: PASSWORD }
  await page.visit('/auth/signup', { body: signUp, headers })
  for (let n = 0; n < 3; n += 1) {
    expect(new URL((await it.nextMail()).url).origin).toBe(ISSUER)
  }
})

describe('a code', () => {
  const random = createSystemRandom()
  const codes = Array.from({ length: sized(20_000, 200_000) }, () => newCodeSecrets(random).code)

  test('consists of eight consonants', () => {
    expect(
      codes.filter((code) => !/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/.test(code)),
    ).toEqual([])
  })

  test('has each consonant equally often at each place', () => {
    const letters = 'BCDFGHJKLMNPQRSTVWXZ'
    const expected = codes.length / letters.length
    for (const place of [0, 1, 2, 3, 5, 6, 7, 8]) {
      const counts = new Map<string, number>()
      for (const code of codes) counts.set(code[place]!, (counts.get(code[place]!) ?? 0) + 1)
      const chiSquare = [...letters].reduce(
        (sum, letter) => sum + ((counts.get(letter) ?? 0) - expected) ** 2 / expected,
        0,
      )
      // 19 degrees of freedom: a fair code exceeds this once in 10 million times.
      expect(chiSquare).toBeLessThan(68)
    }
    expect(new Set(codes).size).toBeGreaterThan(codes.length - 10)
  })

  test('uses no byte that would make some letters likelier, whatever the source gives', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.integer({ min: 0, max: 255 })), (stream) => {
        const bytes = (length: number): Buffer =>
          Buffer.from(Array.from({ length }, () => stream.next().value as number)) // It never ends.
        return /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/.test(
          newCodeSecrets({ bytes }, 'x').code,
        )
      }),
    )
  })
})
