import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import pino from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { routes } from '../src/http/routes.ts'
import { openStore } from '../src/store/open.ts'
import type { FactorReset } from '../src/store/factors.ts'
import { ISSUER, PASSWORD } from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { readAnswer, type Answer } from './support/contract.ts'
import { execute, query } from './support/database.ts'
import {
  STEP_MS,
  newAuthenticator,
  openFactorPeople,
  outcomeOf,
  type Enrolled,
  type FactorPeople,
} from './support/factor-people.ts'
import { totpAt } from './support/factors.ts'

// The rows of docs/attack-catalogue.md on what surrounds a second factor: tickets, remembered browsers, step-up, mailed
// codes, and changes of factors by a stranger with a session.

let it: FactorPeople
beforeEach(async () => {
  it = await openFactorPeople({ rememberDevice: '30d' })
})
afterEach(() => it[Symbol.asyncDispose]())

const SECOND = '/auth/login/second-factor'
const VOID = '401 ticket_void'

/** What an operator does on the command line beside the server. */
async function resetFactors(accountId: string, what: FactorReset = 'all'): Promise<void> {
  const store = await openStore({ dataDir: it.dataDir }, { exclusive: false, clock: it.clock })
  try {
    const context = { at: it.clock.nowMs(), actor: 'operator', address: undefined }
    expect(await store.factors.reset(accountId, what, context)).toBe('changed')
  } finally {
    await store.close()
  }
}

function sessionCount(): number {
  return query(it.dataDir, 'SELECT id FROM sessions').length
}

const right = (app: Enrolled): object => ({ method: 'totp', code: it.code(app) })

describe('P13 a ticket', () => {
  test('works once: fifty uses at once have one session', async () => {
    const app = await it.withApp('bob')
    const ticket = await it.ticket('bob')
    const factors = [
      right(app),
      ...app.recoveryCodes.map((code) => ({ method: 'recovery_code', code })),
    ]
    const before = sessionCount()
    const uses = Array.from({ length: 50 }, (_, n) => it.complete(ticket, factors[n % 11]!))
    const outcomes = (await Promise.all(uses)).map(outcomeOf)
    expect(outcomes.filter((each) => each === '200')).toHaveLength(1)
    expect(sessionCount()).toBe(before + 1)
    // What the losers presented was not used up.
    const left = query(it.dataDir, 'SELECT hash FROM recovery_codes').length
    expect(left).toBeGreaterThanOrEqual(9)
  })

  const ENDS: Readonly<Record<string, (app: Enrolled) => Promise<unknown>>> = {
    'a new password of the owner': (app) =>
      it.call(app.access, 'POST', '/auth/password', {
        old_password: PASSWORD,
        new_password: 'staple and no donkey',
      }),
    'a new password by the operator': () =>
      it.authority.accounts.setPassword('bob', 'staple and no donkey', 'test'),
    'logging out everywhere': (app) => it.call(app.access, 'POST', '/auth/sessions/end-all'),
    'logging out all others': (app) => it.call(app.access, 'POST', '/auth/sessions/end-others'),
    'disabling the account': () => it.authority.accounts.disable('bob', 'test'),
    'disabling and enabling the account': async () => {
      await it.authority.accounts.disable('bob', 'test')
      await it.authority.accounts.enable('bob', 'test')
    },
    'deleting the account': () => it.authority.accounts.delete('bob', 'test'),
    'a reset by the operator': (app) => resetFactors(app.id),
    'ten minutes': () => Promise.resolve(it.clock.advanceMs(600_000)),
  }
  test.each(Object.entries(ENDS))('is void after %s', async (_, end) => {
    const app = await it.withApp('bob')
    const ticket = await it.ticket('bob')
    const { page, ticket: inBrowser } = await browserTicket('bob')
    await end(app)
    const before = sessionCount()
    const codes = [right(app), { method: 'recovery_code', code: app.recoveryCodes[0] }]
    for (const body of codes) {
      expect(outcomeOf(await it.complete(ticket, body))).toBe(VOID)
      const answer = await page.visit(SECOND, { body: { ticket: inBrowser, ...body } })
      expect(outcomeOf(answer)).toBe(VOID)
    }
    // Nor does it count guesses, with which a stranger could lock the app of the owner.
    expect(query(it.dataDir, 'SELECT kind FROM factor_guesses')).toEqual([])
    expect(sessionCount()).toBe(before)
    expect(page.cookies.has('cs_access')).toBe(false)
  })

  test('takes the factors of its own account only', async () => {
    const bob = await it.withApp('bob')
    const eve = await it.withApp('eve')
    const ticket = await it.ticket('bob')
    const tries = [right(eve), { method: 'recovery_code', code: eve.recoveryCodes[0] }]
    for (const body of tries) {
      expect(outcomeOf(await it.complete(ticket, body))).toBe('401 factor_wrong')
    }
    // Half of one ticket and half of another are none.
    const [id] = (await it.ticket('eve')).split('.')
    const [, secret] = ticket.split('.')
    for (const forged of [`${id}.${secret}`, `${id}.${'A'.repeat(43)}`, `${id}.`, '.', 'x', '']) {
      expect(outcomeOf(await it.complete(forged, right(bob)))).toMatch(/^40[01]/)
    }
    expect(outcomeOf(await it.complete(ticket, right(bob)))).toBe('200')
  })

  test('is no token: every route that needs one refuses it, and none opens a session', async () => {
    await it.withApp('bob')
    const before = sessionCount()
    const ticket = await it.ticket('bob')
    const [, secret = ''] = ticket.split('.')
    let tried = 0
    for (const { method, path, authentication } of routes) {
      const url = path.replaceAll(/\{[^}]+\}/g, 'x')
      const answers = await Promise.all(
        [ticket, secret].flatMap((token) => [
          request(method, url, { authorization: `Bearer ${token}` }),
          request(method, url, { cookie: `cs_access=${token}; cs_refresh=${token}` }),
          request(method, url, { authorization: `Basic ${Buffer.from(token).toString('base64')}` }),
        ]),
      )
      for (const { status, text, headers } of answers) {
        expect(
          headers.getSetCookie().filter((line) => /_(?:access|refresh)=[^;]/.test(line)),
        ).toEqual([])
        expect(/"eyJ[\w-]+\.eyJ[\w-]+\./.test(text)).toBe(false)
        // Another feature that is off answers 404, and a wrong body 400.
        if (authentication !== 'none') expect([path, status]).not.toEqual([path, 200])
        if (authentication === 'session') expect([401, 403, 404]).toContain(status)
        tried += 1
      }
    }
    expect(tried).toBeGreaterThan(200)
    const refreshed = await it.send('/api/token/refresh/', { refresh: ticket })
    expect(refreshed.status).toBe(401)
    expect(sessionCount()).toBe(before)
  })
})

async function request(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return readAnswer(
    await it.authority.fetch(
      new Request(`${ISSUER}${path}`, {
        method,
        headers: {
          origin: ISSUER,
          'sec-fetch-site': 'same-origin',
          ...(hasBody ? { 'content-type': 'application/json' } : {}),
          ...headers,
        },
        ...(hasBody ? { body: '{}' } : {}),
      }),
      { address: '203.0.113.7' },
    ),
  )
}

/** Begins a login in a new browser. */
async function browserTicket(name: string): Promise<{ page: TestBrowser; ticket: string }> {
  const page = new TestBrowser(it)
  const { ticket } = membersOf(await page.login({ username: name, password: PASSWORD }))
  return { page, ticket: String(ticket) }
}

describe('P15 an enrolment with a ticket', () => {
  /** Begins to enrol an app with a ticket, and returns the body that completes it. */
  async function begin(ticket: string): Promise<object> {
    const begun = await it.send('/auth/second-factor/enrol', { ticket, method: 'totp' })
    const { challenge, secret } = membersOf(begun) as { challenge: string; secret: string }
    return { method: 'totp', enrol: true, challenge, code: totpAt(secret, it.clock.nowMs()) }
  }

  test('does not replace the factor of an account that has one', async () => {
    const app = await it.withApp('bob')
    const ticket = await it.ticket('bob')
    const body = await begin(ticket)
    const before = sessionCount()
    expect(outcomeOf(await it.complete(ticket, body))).toBe('401 second_factor_required')
    const authenticator = newAuthenticator()
    const begun = await it.send('/auth/second-factor/enrol', { ticket, method: 'passkey' })
    const { challenge, options } = JSON.parse(begun.text) as {
      challenge: string
      options: Parameters<typeof authenticator.register>[0]
    }
    const response = authenticator.register(options)
    const passkey = { method: 'passkey', enrol: true, challenge, response }
    expect(outcomeOf(await it.complete(ticket, passkey))).toBe('401 second_factor_required')
    expect(sessionCount()).toBe(before)
    expect(query(it.dataDir, 'SELECT kind FROM factors')).toEqual([{ kind: 'totp' }])
    expect(outcomeOf(await it.complete(ticket, right(app)))).toBe('200')
  })

  test('in a race of two has one winner, and its factor is the only one', async () => {
    await it.restart({ secondFactor: 'required', secondFactorGrace: 'off' })
    await it.create('eve')
    const tickets = await Promise.all(Array.from({ length: 6 }, () => it.ticket('eve')))
    const bodies = await Promise.all(tickets.map(begin))
    const done = await Promise.all(tickets.map((ticket, n) => it.complete(ticket, bodies[n]!)))
    expect(done.map(outcomeOf).toSorted()).toEqual([
      '200',
      ...Array.from({ length: 5 }, () => '401 second_factor_required'),
    ])
    const winner = done.find(({ status }) => status === 200)!
    const { recovery_codes: codes } = membersOf(winner) as { recovery_codes: string[] }
    expect(codes).toHaveLength(10)
    expect(query(it.dataDir, 'SELECT kind FROM factors')).toHaveLength(1)
    const recovery = { method: 'recovery_code', code: codes[0] }
    expect(outcomeOf(await it.complete(await it.ticket('eve'), recovery))).toBe('200')
  })

  test('needs the challenge of the same ticket', async () => {
    await it.restart({ secondFactor: 'required', secondFactorGrace: 'off' })
    for (const name of ['bob', 'eve']) await it.create(name)
    const [mine, other, again] = [
      await it.ticket('bob'),
      await it.ticket('eve'),
      await it.ticket('bob'),
    ]
    const body = await begin(other)
    for (const ticket of [mine, again]) {
      expect(outcomeOf(await it.complete(ticket, body))).toBe('400 challenge_void')
    }
    expect(query(it.dataDir, 'SELECT id FROM factors')).toEqual([])
  })
})

describe('P15 a mailed code', () => {
  /** Asks for a mailed code with a ticket, as far as the server allows it. */
  async function askMail(ticket: string): Promise<Answer> {
    return it.send('/auth/second-factor/challenge', { ticket, method: 'mail' })
  }

  test('is no second factor where the settings do not allow it', async () => {
    await it.restart({ secondFactor: 'required', secondFactorGrace: 'off' })
    await it.create('bob')
    const ticket = await it.ticket('bob')
    expect(outcomeOf(await askMail(ticket))).toBe('400 factor_unavailable')
    expect(it.mails.filter(({ kind }) => kind === 'factor_code')).toEqual([])

    // The settings change between the mail and the code.
    await it.restart({ secondFactor: 'required', secondFactorGrace: 'off', secondFactorMail: true })
    const allowed = await it.ticket('bob')
    const { challenge } = membersOf(await askMail(allowed))
    const { code } = await it.mailOf('factor_code')
    await it.restart({ secondFactor: 'required', secondFactorGrace: 'off' })
    const answer = await it.complete(allowed, { method: 'mail', challenge, code })
    expect(outcomeOf(answer)).toBe('401 second_factor_enrolment_required')
    expect(sessionCount()).toBe(0)
  })

  test('is no second factor of an account with a stronger one', async () => {
    await it.restart({ secondFactor: 'required', secondFactorMail: true, secondFactorGrace: '7d' })
    await it.create('bob')
    const ticket = await it.ticket('bob')
    const { challenge } = membersOf(await askMail(ticket))
    const { code } = await it.mailOf('factor_code')
    const other = await it.ticket('bob')
    const second = membersOf(await askMail(other))
    const secondCode = (await it.mailOf('factor_code')).code
    const opened = await it.complete(other, { method: 'mail', ...second, code: secondCode })
    const { access } = membersOf(opened) as { access: string }
    const begun = membersOf(await it.call(access, 'POST', '/auth/factors/totp/challenge'))
    const app = { secret: String(begun['secret']) }
    const added = await it.call(access, 'POST', '/auth/factors/totp', {
      challenge: begun['challenge'],
      code: it.code(app),
    })
    expect(outcomeOf(added)).toBe('200')
    // The ticket and the code are from before the app.
    const late = await it.complete(ticket, { method: 'mail', challenge, code })
    expect(late.status).toBeGreaterThanOrEqual(400)
    expect(outcomeOf(await askMail(await it.ticket('bob')))).toBe('400 factor_unavailable')
    expect(sessionCount()).toBe(1)
  })

  test('is no second factor after a login by mail', async () => {
    await it.restart({ secondFactor: 'required', secondFactorMail: true, secondFactorGrace: 'off' })
    await it.create('bob')
    const page = new TestBrowser(it)
    await page.get('/auth/csrf')
    await page.visit('/auth/login/code/send', { body: { email: 'bob@example.com' } })
    const { link } = await it.mailOf('login_code')
    const asked = await page.visit('/auth/login/code', { body: { link } })
    const { ticket, methods } = membersOf(asked) as { ticket: string; methods: string[] }
    expect(methods).toEqual([])
    expect(outcomeOf(await askMail(ticket))).toBe('400 factor_unavailable')
    // Nor with the code of another login of the account.
    const byPassword = await it.ticket('bob')
    const { challenge } = membersOf(await askMail(byPassword))
    const { code } = await it.mailOf('factor_code')
    const crossed = await it.complete(ticket, { method: 'mail', challenge, code })
    expect(outcomeOf(crossed)).toBe('400 challenge_void')
    expect(sessionCount()).toBe(0)
  })

  test('is void after five wrong codes, on whichever path', async () => {
    await it.restart({ secondFactor: 'required', secondFactorMail: true, secondFactorGrace: 'off' })
    await it.create('bob')
    const ticket = await it.ticket('bob')
    const { challenge } = membersOf(await askMail(ticket))
    const { code } = await it.mailOf('factor_code')
    for (let n = 0; n < 5; n += 1) {
      const wrong = { method: 'mail', challenge, code: 'BBBB-BBBB' }
      expect(outcomeOf(await it.complete(ticket, wrong))).toBe('401 factor_wrong')
    }
    it.clock.advanceMs(60_000)
    const late = await it.complete(ticket, { method: 'mail', challenge, code })
    expect(outcomeOf(late)).toBe('400 challenge_void')
  })

  test('of another session no longer counts once there is an app', async () => {
    await it.restart({ secondFactor: 'required', secondFactorMail: true, secondFactorGrace: 'off' })
    await it.create('bob')
    const sessions: string[] = []
    for (let n = 0; n < 2; n += 1) {
      const ticket = await it.ticket('bob')
      const { challenge } = membersOf(await askMail(ticket))
      const { code } = await it.mailOf('factor_code')
      const opened = await it.complete(ticket, { method: 'mail', challenge, code })
      sessions.push(String(membersOf(opened)['refresh']))
    }
    const [owner, thief] = sessions as [string, string]
    const access = async (refresh: string): Promise<string> =>
      String(membersOf(await it.send('/api/token/refresh/', { refresh }))['access'])
    const mine = await access(owner)
    const begun = membersOf(await it.call(mine, 'POST', '/auth/factors/totp/challenge'))
    const code = it.code({ secret: String(begun['secret']) })
    const body = { challenge: begun['challenge'], code }
    const added = await it.call(mine, 'POST', '/auth/factors/totp', body)
    expect(outcomeOf(added)).toBe('200')

    // The policy no longer counts what the other session gave, so it ends.
    expect((await it.send('/api/token/refresh/', { refresh: thief })).status).toBe(401)
    expect((await it.send('/api/token/refresh/', { refresh: owner })).status).toBe(200)
  })
})

describe('P10 with a second factor', () => {
  test('a reset of the password opens nothing, and the next login still needs the factor', async () => {
    const app = await it.withApp('bob')
    const trusted = await rememberBrowser(app)
    const ticket = await it.ticket('bob')
    const page = new TestBrowser(it)
    await page.get('/auth/csrf')
    await page.visit('/auth/password/forgot', { body: { email: 'bob@example.com' } })
    const { link } = await it.mailOf('reset_password')
    const before = sessionCount()
    const password = 'staple and no donkey'
    const reset = await page.visit('/auth/password/reset', { body: { link, password } })
    expect([reset.status, reset.text]).toEqual([204, ''])
    expect(outcomeOf(await it.complete(ticket, right(app)))).toBe(VOID)
    expect(outcomeOf(await it.logIn('bob', password))).toBe('401 second_factor_required')
    const asked = await trusted.login({ username: 'bob', password })
    expect(outcomeOf(asked)).toBe('401 second_factor_required')
    expect(sessionCount()).toBe(before)
    const factors = query(it.dataDir, 'SELECT id FROM factors')
    expect(factors).toHaveLength(1)
  })

  test('a mailbox does not verify the address of a stranger’s account with a passkey', async () => {
    const email = { address: 'victim@example.com', verified: false }
    const created = await it.authority.accounts.create(
      { username: 'eve', password: PASSWORD },
      'test',
    )
    expect(created.ok).toBe(true)
    await it.authority.accounts.setEmail('eve', email, 'test')
    const authenticator = await it.addPasskey((await it.pair('eve')).access)
    const page = new TestBrowser(it)
    await page.get('/auth/csrf')
    await page.visit('/auth/login/code/send', { body: { email: email.address } })
    const login = await it.mailOf('login_code')
    const asked = await page.visit('/auth/login/code', { body: { link: login.link } })
    expect(outcomeOf(asked)).toBe('401 second_factor_required')
    await page.visit('/auth/password/forgot', { body: { email: email.address } })
    const { link } = await it.mailOf('reset_password')
    const body = { link, password: 'staple and no donkey' }
    expect((await page.visit('/auth/password/reset', { body })).status).toBe(204)

    const options = await it.send('/auth/passkey/challenge', {})
    const opened = await it.send('/api/token/passkey/', it.answerPasskey(options, authenticator))
    const { access } = membersOf(opened) as { access: string }
    const me = membersOf(await it.call(access, 'GET', '/auth/me'))
    expect(me).toMatchObject({ username: 'eve', email_verified: false })
  })
})

/** Logs in with a code in a new browser that is remembered. */
async function rememberBrowser(app: Enrolled): Promise<TestBrowser> {
  it.clock.advanceMs(STEP_MS)
  const { page, ticket } = await browserTicket(app.name)
  const body = { ticket, ...right(app), remember: true }
  expect((await page.visit(SECOND, { body })).status).toBe(200)
  expect(page.cookies.has('cs_trusted')).toBe(true)
  return page
}

describe('P21 a remembered browser', () => {
  /** How a login with the cookie of a remembered browser ends, and nothing else of that browser. */
  async function loginWith(page: TestBrowser, name: string, password = PASSWORD): Promise<string> {
    const other = new TestBrowser(it, '198.51.100.66')
    other.cookies.set('cs_trusted', page.cookies.get('cs_trusted')!)
    return outcomeOf(await other.login({ username: name, password }))
  }

  test('needs the password, and serves one account only', async () => {
    const bob = await it.withApp('bob')
    await it.withApp('eve')
    const page = await rememberBrowser(bob)
    expect(await loginWith(page, 'bob')).toBe('200')
    expect(await loginWith(page, 'bob', 'wrong horse battery')).toBe('401 credentials_invalid')
    expect(await loginWith(page, 'eve')).toBe('401 second_factor_required')
    for (const forged of ['', 'x', 'A'.repeat(43), `${page.cookies.get('cs_trusted')}x`]) {
      const other = new TestBrowser(it)
      other.cookies.set('cs_trusted', forged)
      const answer = await other.login({ username: 'bob', password: PASSWORD })
      expect(outcomeOf(answer)).toBe('401 second_factor_required')
    }
  })

  const ENDS: Readonly<Record<string, (app: Enrolled, access: string) => Promise<unknown>>> = {
    'a new password': (_, access) =>
      it.call(access, 'POST', '/auth/password', {
        old_password: PASSWORD,
        new_password: PASSWORD.toUpperCase(),
      }),
    'the same password again, by the operator': () =>
      it.authority.accounts.setPassword('bob', PASSWORD, 'test'),
    'new recovery codes': (_, access) => it.call(access, 'POST', '/auth/factors/recovery-codes'),
    'another factor': (_, access) => it.addPasskey(access),
    'another address': () =>
      it.authority.accounts.setEmail('bob', { address: 'b@example.org', verified: true }, 'test'),
    'forgetting all devices': (_, access) => it.call(access, 'DELETE', '/auth/devices'),
    'thirty days': () => Promise.resolve(it.clock.advanceMs(30 * 86_400_000)),
    'a setting that remembers none': () => it.restart({ rememberDevice: 'off' }),
  }
  test.each(Object.entries(ENDS))('is asked again after %s', async (what, end) => {
    const app = await it.withApp('bob')
    const page = await rememberBrowser(app)
    const { access } = await it.signIn(app)
    await end(app, access)
    const password = what === 'a new password' ? PASSWORD.toUpperCase() : PASSWORD
    expect(await loginWith(page, 'bob', password)).toBe('401 second_factor_required')
  })

  test('does not make a session that may change factors', async () => {
    const app = await it.withApp('bob')
    const page = await rememberBrowser(app)
    await page.login({ username: 'bob', password: PASSWORD })
    for (const [method, path] of CHANGES) {
      const answer = await page.visit(path, { method })
      expect([path, outcomeOf(answer)]).toEqual([path, STALE])
    }
  })

  test('is not made for a client without cookies, or by an enrolment', async () => {
    const app = await it.withApp('bob')
    const done = await it.complete(await it.ticket('bob'), { ...right(app), remember: true })
    expect(done.status).toBe(200)
    expect(query(it.dataDir, 'SELECT hash FROM trusted_devices')).toEqual([])
  })
})

const STALE = '401 insufficient_user_authentication'

/** The routes that change factors, without those that need an id. */
const CHANGES = [
  ['POST', '/auth/factors/totp/challenge'],
  ['POST', '/auth/factors/passkeys/challenge'],
  ['POST', '/auth/factors/recovery-codes'],
  ['DELETE', '/auth/factors/fac_AAAAAAAAAAAAAAAAAAAAAA'],
] as const

describe('P18 a change of factors', () => {
  test('is refused to a session that gave only a password, or gave the factor long ago', async () => {
    const id = await it.create('bob')
    const weak = await it.pair('bob')
    const owner = await it.pair('bob')
    const begun = membersOf(await it.call(owner.access, 'POST', '/auth/factors/totp/challenge'))
    const app = { secret: String(begun['secret']) }
    // The thief has begun an enrolment before the owner has a factor.
    const early = membersOf(await it.call(weak.access, 'POST', '/auth/factors/totp/challenge'))
    const body = { challenge: begun['challenge'], code: it.code(app) }
    const added = await it.call(owner.access, 'POST', '/auth/factors/totp', body)
    const { access: strong } = membersOf(added) as { access: string }
    const access = async ({ refresh }: { refresh: string }): Promise<string> =>
      String(membersOf(await it.send('/api/token/refresh/', { refresh }))['access'])
    const stolen = await access(weak)
    const late = {
      challenge: early['challenge'],
      code: it.code({ secret: String(early['secret']) }),
    }
    const [factor] = await it.factorIds(strong)
    for (const [method, path, sent] of [
      ...CHANGES,
      ['POST', '/auth/factors/totp', late],
      ['DELETE', `/auth/factors/${factor}`],
    ] as const) {
      expect([path, outcomeOf(await it.call(stolen, method, path, sent))]).toEqual([path, STALE])
    }
    // The owner's own session is no better after ten minutes.
    it.clock.advanceMs(600_001)
    const tired = await access(owner)
    for (const [method, path] of CHANGES) {
      expect([path, outcomeOf(await it.call(tired, method, path))]).toEqual([path, STALE])
    }
    expect(query(it.dataDir, 'SELECT account_id FROM factors')).toEqual([{ account_id: id }])
  })

  test('cannot be unlocked by a password, or by a factor of another session', async () => {
    const bob = await it.withApp('bob')
    const eve = await it.withApp('eve')
    const authenticator = await it.addPasskey(bob.access)
    it.clock.advanceMs(600_001)
    const { refresh } = bob
    const refreshed = await it.send('/api/token/refresh/', { refresh })
    const session = String(membersOf(refreshed)['access'])
    const stepUp = async (body: object): Promise<string> =>
      outcomeOf(await it.call(session, 'POST', '/auth/step-up', body))
    expect(await stepUp({ method: 'password', password: PASSWORD })).toBe('400 factor_unavailable')
    expect(await stepUp({ method: 'mail', challenge: 'x', code: 'x' })).toBe(
      '400 factor_unavailable',
    )
    expect(await stepUp(right(eve))).toBe('401 factor_wrong')
    const { access: other } = await it.signIn(bob)
    const asked = await it.call(other, 'POST', '/auth/step-up/challenge', { method: 'passkey' })
    const body = it.answerPasskey(asked, authenticator)
    expect(await stepUp({ ...body })).toBe('400 challenge_void')
    // Its own session has still got it.
    expect(outcomeOf(await it.call(other, 'POST', '/auth/step-up', body))).toBe('200')
  })

  test('is mailed to the owner, audited, and ends what it must end', async () => {
    const app = await it.withApp('bob')
    await it.mailOf('factor_changed')
    const { access } = await it.signIn(app)
    const renewed = await it.call(access, 'POST', '/auth/factors/recovery-codes')
    expect(renewed.status).toBe(200)
    await it.mailOf('factor_changed')
    const next = String(membersOf(renewed)['access'])
    const [id] = await it.factorIds(next)
    const removed = await it.call(next, 'DELETE', `/auth/factors/${id}`)
    expect(removed.status).toBe(200)
    await it.mailOf('factor_changed')
    // All other sessions ended, and this one goes on.
    const refresh = await it.send('/api/token/refresh/', { refresh: app.refresh })
    expect(refresh.status).toBe(401)
    expect((await it.call(next, 'GET', '/auth/me')).status).toBe(401)
    const own = String(membersOf(removed)['access'])
    expect((await it.call(own, 'GET', '/auth/me')).status).toBe(200)
    const { entries } = await it.authority.audit.list({ limit: 50 })
    const events = entries.map(({ event }) => event)
    for (const event of ['factor_added', 'recovery_codes_replaced', 'factor_removed'] as const) {
      expect(events).toContain(event)
    }
  })

  test('by id reaches no factor of another account', async () => {
    const bob = await it.withApp('bob')
    const eve = await it.withApp('eve')
    const [id] = await it.factorIds((await it.signIn(bob)).access)
    const { access } = await it.signIn(eve)
    expect(outcomeOf(await it.call(access, 'DELETE', `/auth/factors/${id}`))).toBe('404 not_found')
    const renamed = await it.call(access, 'PATCH', `/auth/factors/${id}`, { name: 'mine' })
    expect(outcomeOf(renamed)).toBe('404 not_found')
  })
})

describe('C06 a refresh token', () => {
  test.each(['all', 'totp', 'passkey', 'recovery_codes'] as const)(
    'is worth nothing after an operator reset %s',
    async (what) => {
      const app = await it.withApp('bob')
      await it.addPasskey(app.access)
      const { refresh } = await it.signIn(app)
      await resetFactors(app.id, what)
      expect((await it.send('/api/token/refresh/', { refresh })).status).toBe(401)
      expect((await it.send('/api/token/refresh/', { refresh: app.refresh })).status).toBe(401)
    },
  )
})

describe('P12 and P22 with a second factor', () => {
  const SENSITIVE = [
    ['/auth/password', { old_password: PASSWORD, new_password: 'staple and no donkey' }],
    ['/auth/email/change', { email: 'thief@example.org', password: PASSWORD }],
    ['/auth/me/delete', { password: PASSWORD }],
  ] as const
  test.each(SENSITIVE)(
    '%s needs a fresh second factor, not only the password',
    async (path, body) => {
      const app = await it.withApp('bob')
      it.clock.advanceMs(600_001)
      const refreshed = await it.send('/api/token/refresh/', { refresh: app.refresh })
      const { access } = membersOf(refreshed) as { access: string }
      const refused = await it.call(access, 'POST', path, body)
      expect(outcomeOf(refused)).toBe(STALE)
      expect(refused.headers.get('www-authenticate')).toContain('acr_values="aal2"')
      const raised = await it.call(access, 'POST', '/auth/step-up', right(app))
      const { access: fresh } = membersOf(raised) as { access: string }
      expect((await it.call(fresh, 'POST', path, body)).status).toBeLessThan(300)
    },
  )
})

describe('P15 secrets at rest', () => {
  test('no file of the database and no log line has a secret of a factor', async () => {
    let log = ''
    const logger = pino({ level: 'trace' }, { write: (line: string) => void (log += line) })
    await it.restart({ rememberDevice: '30d', logger })
    const app = await it.withApp('bob')
    const page = await rememberBrowser(app)
    const ticket = await it.ticket('bob')
    const raw = rawOf(app.secret)
    const secrets: readonly (string | Buffer)[] = [
      raw,
      app.secret,
      raw.toString('hex'),
      raw.toString('base64'),
      raw.toString('base64url'),
      ...app.recoveryCodes.flatMap((code) => [code, code.replaceAll('-', ''), code.toLowerCase()]),
      ticket.split('.')[1]!,
      page.cookies.get('cs_trusted')!,
    ]
    // An enrolment that was begun is sealed too.
    const begun = await it.call(
      (await it.signIn(app)).access,
      'POST',
      '/auth/factors/totp/challenge',
    )
    const pending = String(membersOf(begun)['secret'])
    const files = readdirSync(it.dataDir).filter((name) => name.startsWith('countersign.db'))
    expect(files.length).toBeGreaterThan(1)
    for (const secret of [...secrets, pending, rawOf(pending)]) {
      for (const name of files) {
        expect(readFileSync(join(it.dataDir, name)).includes(secret)).toBe(false)
      }
      if (typeof secret === 'string') expect(log).not.toContain(secret)
    }
    expect(log).not.toContain('otpauth')
    // The scan finds what is there.
    execute(it.dataDir, 'UPDATE factors SET name = ?', app.secret)
    const found = files.some((name) => readFileSync(join(it.dataDir, name)).includes(app.secret))
    expect(found).toBe(true)
  })

  function rawOf(base32: string): Buffer {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
    const bits = [...base32].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('')
    return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  }
})
