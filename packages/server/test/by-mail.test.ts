import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { PASSWORD, USERNAME } from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import type { Answer } from './support/contract.ts'
import { openMailingAuthority, type MailingAuthority } from './support/mails.ts'

const EMAIL = 'alice@example.com'
const NEW_PASSWORD = 'staple and no donkey'

let it: MailingAuthority
beforeEach(async () => {
  it = await openMailingAuthority({ signUpVerified: true, mailLogin: true })
  await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
})
afterEach(() => it[Symbol.asyncDispose]())

function browser(address?: string): TestBrowser {
  return new TestBrowser(it, address)
}

async function codeOf(answer: Answer | Promise<Answer>): Promise<unknown> {
  const { status, text } = await answer
  return [status, text === '' ? undefined : (JSON.parse(text) as { code?: string }).code]
}

async function logIn(password: string, username = USERNAME): Promise<number> {
  return (await it.post('/api/token/', { username, password })).status
}

async function refresh(token: string): Promise<number> {
  return (await it.post('/api/token/refresh/', { refresh: token })).status
}

describe('a forgotten password', () => {
  test('is reset by the link in the browser that asked, and all sessions end', async () => {
    const before = await it.login()
    const page = browser()
    expect((await page.visit('/auth/password/forgot', { body: { email: EMAIL } })).status).toBe(202)
    const { kind, link, url } = await it.nextMail()
    expect([kind, url.startsWith('http://localhost:8000/auth/account/reset?link=')]).toEqual([
      'reset_password',
      true,
    ])
    const body = { link, password: NEW_PASSWORD }
    expect((await page.visit('/auth/password/reset', { body })).status).toBe(204)
    expect(await logIn(NEW_PASSWORD)).toBe(200)
    expect(await logIn(PASSWORD)).toBe(401)
    expect(await refresh(before.refresh)).toBe(401)
    expect((await it.nextMail()).kind).toBe('password_changed')
    expect(await codeOf(page.visit('/auth/password/reset', { body }))).toEqual([400, 'code_void'])
  })

  test('is reset by the code with the ticket, or with the link in another browser', async () => {
    for (const use of [
      (ticket: string, mail: { link: string; code: string }) => ({ ticket, code: mail.code }),
      (_: string, { link, code }: { link: string; code: string }) => ({
        link,
        code: ` ${code.replace('-', ' ').toLowerCase()}`,
      }),
    ]) {
      const asked = await browser().visit('/auth/password/forgot', { body: { email: EMAIL } })
      const ticket = String(membersOf(asked)['ticket'])
      const body = { ...use(ticket, await it.nextMail()), password: NEW_PASSWORD }
      expect((await browser().visit('/auth/password/reset', { body })).status).toBe(204)
      expect((await it.nextMail()).kind).toBe('password_changed')
    }
  })

  test('is not reset by the link alone, and such a try uses nothing up', async () => {
    const page = browser()
    await page.visit('/auth/password/forgot', { body: { email: EMAIL } })
    const { link, code } = await it.nextMail()
    const scanner = browser('198.51.100.66')
    for (let i = 0; i < 9; i += 1) {
      const tried = scanner.visit('/auth/password/reset', {
        body: { link, password: NEW_PASSWORD },
      })
      expect(await codeOf(tried)).toEqual([400, 'code_missing'])
    }
    const bad = { link, code: 'BBBB-BBBB', password: NEW_PASSWORD }
    expect(await codeOf(scanner.visit('/auth/password/reset', { body: bad }))).toEqual([
      400,
      'code_wrong',
    ])
    expect(
      (await page.visit('/auth/password/reset', { body: { link, code, password: NEW_PASSWORD } }))
        .status,
    ).toBe(204)
  })

  test('a password that breaks the rules does not use the code up', async () => {
    const page = browser()
    await page.visit('/auth/password/forgot', { body: { email: EMAIL } })
    const { link } = await it.nextMail()
    const short = page.visit('/auth/password/reset', { body: { link, password: 'short' } })
    expect(await codeOf(short)).toEqual([400, 'password_too_short'])
    const body = { link, password: NEW_PASSWORD }
    expect((await page.visit('/auth/password/reset', { body })).status).toBe(204)
  })

  test('of fifty uses at once, one is answered 204', async () => {
    const page = browser()
    await page.visit('/auth/password/forgot', { body: { email: EMAIL } })
    const { link } = await it.nextMail()
    const body = { link, password: NEW_PASSWORD }
    const all = Array.from({ length: 50 }, () => page.visit('/auth/password/reset', { body }))
    const statuses = (await Promise.all(all)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 204)).toHaveLength(1)
    // 503: on a busy machine, too many passwords wait for the hasher.
    expect(statuses.filter((status) => ![204, 400, 503].includes(status))).toEqual([])
  })

  test('the address of another host in the request changes no link', async () => {
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example' }
    await browser().visit('/auth/password/forgot', { body: { email: EMAIL }, headers })
    expect((await it.nextMail()).url).toMatch(/^http:\/\/localhost:8000\//)
  })

  test('an account whose username is the address is found, and the address becomes verified', async () => {
    const name = 'Bob@Example.com'
    await it.authority.accounts.create({ username: name, password: PASSWORD }, 'test')
    const page = browser()
    await page.visit('/auth/password/forgot', { body: { email: 'bob@example.com' } })
    const { link } = await it.nextMail()
    await page.visit('/auth/password/reset', { body: { link, password: NEW_PASSWORD } })
    expect(await it.authority.accounts.find(name)).toMatchObject({
      email: { address: name, verifiedAt: it.clock.nowMs() },
    })
  })

  test('the mail of an unknown address, a disabled account and a text that is no address', async () => {
    await it.authority.accounts.disable(USERNAME, 'test')
    for (const email of [EMAIL, 'nobody@example.com']) {
      const asked = await browser().visit('/auth/password/forgot', { body: { email } })
      expect(asked.status).toBe(202)
      expect(Object.keys(membersOf(asked))).toEqual(['ticket'])
    }
    const odd = browser().visit('/auth/password/forgot', { body: { email: 'nobody' } })
    expect(await codeOf(odd)).toEqual([400, 'email_invalid'])
    expect(it.mails).toEqual([])
  })
})

describe('a sign-up with a verified address', () => {
  const asking = { email: 'carol@example.com', username: 'carol', password: PASSWORD }

  test('creates the account when the link is opened in the browser that asked', async () => {
    const page = browser()
    expect((await page.visit('/auth/signup', { body: asking })).status).toBe(202)
    expect(await it.authority.accounts.find('carol')).toBeUndefined()
    const { kind, link } = await it.nextMail()
    expect(kind).toBe('sign_up')
    const finished = await page.visit('/auth/signup/finish', { body: { link } })
    expect([finished.status, membersOf(finished)['username']]).toEqual([201, 'carol'])
    expect(await logIn(PASSWORD, 'carol')).toBe(200)
    expect(await logIn(PASSWORD, 'Carol@Example.com')).toBe(200)
  })

  test('whoever did not ask must choose the password, so a stranger cannot keep theirs', async () => {
    await browser('198.51.100.66').visit('/auth/signup', { body: asking })
    const { link, code } = await it.nextMail()
    const owner = browser()
    const blind = owner.visit('/auth/signup/finish', { body: { link, code } })
    expect(await codeOf(blind)).toEqual([400, 'password_required'])
    const body = { link, code, password: NEW_PASSWORD }
    expect((await owner.visit('/auth/signup/finish', { body })).status).toBe(201)
    expect(await logIn(PASSWORD, 'carol')).toBe(401)
    expect(await logIn(NEW_PASSWORD, 'carol')).toBe(200)
  })

  test('an address that has an account gets a mail that says so, and the answer is the same', async () => {
    const page = browser()
    const known = await page.visit('/auth/signup', { body: { email: EMAIL, password: PASSWORD } })
    const fresh = await page.visit('/auth/signup', {
      body: { email: 'dora@example.com', password: PASSWORD },
    })
    expect([known.status, known.text.length]).toEqual([fresh.status, fresh.text.length])
    const kinds = [(await it.nextMail()).kind, (await it.nextMail()).kind]
    expect(kinds.toSorted()).toEqual(['account_exists', 'sign_up'])
  })

  test('the fields are checked before a mail is sent', async () => {
    const post = (body: object): Promise<unknown> =>
      codeOf(browser().visit('/auth/signup', { body }))
    expect(await post({ username: 'x', password: PASSWORD })).toEqual([400, 'fields_invalid'])
    expect(await post({ ...asking, email: 'x' })).toEqual([400, 'email_invalid'])
    expect(await post({ ...asking, password: 'short' })).toEqual([400, 'password_too_short'])
    expect(await post({ ...asking, username: USERNAME })).toEqual([409, 'username_taken'])
    expect(await post({ ...asking, username: EMAIL })).toEqual([400, 'username_invalid'])
    expect(it.mails).toEqual([])
  })
})

describe('an address of an account', () => {
  test('is verified by the browser that asked', async () => {
    await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: false }, 'test')
    const page = browser()
    await page.login()
    expect(membersOf(await page.get('/auth/me'))).toMatchObject({ email_verified: false })
    expect((await page.visit('/auth/email/verification')).status).toBe(202)
    const { kind, link } = await it.nextMail()
    expect(kind).toBe('verify_address')
    const done = await page.visit('/auth/email/verify', { body: { link } })
    expect(membersOf(done)).toEqual({ email: EMAIL, email_verified: true })
    expect(membersOf(await page.get('/auth/me'))).toMatchObject({ email_verified: true })
  })

  test('is not verified for a stranger who has only the mail', async () => {
    await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: false }, 'test')
    const page = browser()
    await page.login()
    await page.visit('/auth/email/verification')
    const { link, code } = await it.nextMail()
    const stranger = browser('198.51.100.66').visit('/auth/email/verify', { body: { link, code } })
    expect(await codeOf(stranger)).toEqual([400, 'code_elsewhere'])
    const phone = browser('198.51.100.4')
    await phone.login()
    expect((await phone.visit('/auth/email/verify', { body: { link, code } })).status).toBe(200)
  })

  test('is changed after the password and the new address were proved; other sessions end', async () => {
    const other = await it.login()
    const page = browser()
    await page.login()
    const email = 'alice@example.org'
    const wrong = page.visit('/auth/email/change', { body: { email, password: 'not it at all' } })
    expect(await codeOf(wrong)).toEqual([401, 'credentials_invalid'])
    await page.visit('/auth/email/change', { body: { email, password: PASSWORD } })
    const { kind, code } = await it.nextMail()
    expect(kind).toBe('change_address')
    expect(membersOf(await page.get('/auth/me'))).toMatchObject({ email: EMAIL })
    expect((await page.visit('/auth/email/verify', { body: { code } })).status).toBe(200)
    expect((await it.nextMail()).kind).toBe('address_changed')
    expect((await page.visit('/auth/refresh')).status).toBe(200)
    expect(membersOf(await page.get('/auth/me'))).toMatchObject({ email })
    expect(await refresh(other.refresh)).toBe(401)
  })

  test('that another account has proved gets no mail, and the answer is the same', async () => {
    await it.authority.accounts.create(
      { username: 'bob', password: PASSWORD, email: 'bob@example.com', emailVerified: true },
      'test',
    )
    const page = browser()
    await page.login()
    const body = { email: 'bob@example.com', password: PASSWORD }
    expect((await page.visit('/auth/email/change', { body })).status).toBe(202)
    expect(it.mails).toEqual([])
  })

  test('that another account proves first is taken', async () => {
    const page = browser()
    await page.login()
    const body = { email: 'new@example.com', password: PASSWORD }
    await page.visit('/auth/email/change', { body })
    const { link } = await it.nextMail()
    await it.authority.accounts.create(
      { username: 'bob', password: PASSWORD, email: 'new@example.com', emailVerified: true },
      'test',
    )
    expect(await codeOf(page.visit('/auth/email/verify', { body: { link } }))).toEqual([
      409,
      'email_taken',
    ])
  })

  test('is missing', async () => {
    await it.authority.accounts.setEmail(USERNAME, undefined, 'test')
    const page = browser()
    await page.login()
    expect(await codeOf(page.visit('/auth/email/verification'))).toEqual([400, 'email_missing'])
  })
})

describe('a login by mail', () => {
  test('opens a session with the link in the browser that asked', async () => {
    const page = browser()
    await page.get('/auth/csrf')
    await page.visit('/auth/login/code/send', { body: { email: EMAIL } })
    const { kind, link } = await it.nextMail()
    expect(kind).toBe('login_code')
    expect((await page.visit('/auth/login/code', { body: { link } })).status).toBe(200)
    expect(membersOf(await page.get('/auth/me'))).toMatchObject({ username: USERNAME })
  })

  test('ends the session that the browser had before, and reports no new device', async () => {
    const page = browser()
    await page.login()
    const before = page.cookies.get('cs_refresh')
    await page.visit('/auth/login/code/send', { body: { email: EMAIL } })
    const { link } = await it.nextMail()
    expect((await page.visit('/auth/login/code', { body: { link } })).status).toBe(200)
    expect(await refresh(String(before))).toBe(401)
    expect(it.mails).toHaveLength(1)
  })

  test('counts from the time of the mail: a revocation since then is not missed', async () => {
    const page = browser()
    await page.get('/auth/csrf')
    await page.visit('/auth/login/code/send', { body: { email: EMAIL } })
    const { link } = await it.nextMail()
    const other = browser('198.51.100.4')
    await other.login()
    expect((await other.visit('/auth/sessions/end-all')).status).toBe(204)
    const late = page.visit('/auth/login/code', { body: { link } })
    expect(await codeOf(late)).toEqual([401, 'credentials_invalid'])
  })

  test('through an address that nobody had proved removes the password of whoever registered it', async () => {
    await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: false }, 'test')
    const squatter = await it.login()
    const page = browser()
    await page.get('/auth/csrf')
    await page.visit('/auth/login/code/send', { body: { email: EMAIL } })
    const { link } = await it.nextMail()
    expect((await page.visit('/auth/login/code', { body: { link } })).status).toBe(200)
    expect((await page.get('/auth/me')).status).toBe(200)
    expect(await logIn(PASSWORD)).toBe(401)
    expect(await refresh(squatter.refresh)).toBe(401)
    expect((await page.visit('/auth/refresh')).status).toBe(200)
  })
})

test('mails to one address are limited, for known and unknown addresses alike', async () => {
  await it.restart({ throttle: 'recipient=2/1h,sender=3/1h' })
  const ask = async (email: string, address?: string): Promise<unknown> => {
    const answer = await browser(address).visit('/auth/password/forgot', { body: { email } })
    return [answer.status, answer.headers.get('retry-after')]
  }
  for (const email of [EMAIL, 'nobody@example.com']) {
    const from = email === EMAIL ? '203.0.113.1' : '203.0.113.2'
    expect(await ask(email, from)).toEqual([202, null])
    expect(await ask(email, from)).toEqual([202, null])
    expect(await ask(email, from)).toEqual([429, '1800'])
  }
  // A stranger who uses up their own share leaves the owner theirs, up to four times as many in all.
  for (const from of ['198.51.100.1', '198.51.100.2', '198.51.100.3']) {
    expect(await ask(EMAIL, from)).toEqual([202, null])
    expect(await ask(EMAIL, from)).toEqual([202, null])
  }
  expect(await ask(EMAIL, '198.51.100.4')).toEqual([429, '450'])
  expect(await ask('third@example.com', '203.0.113.1')).toEqual([202, null])
  expect(await ask('fourth@example.com', '203.0.113.1')).toEqual([429, '1200'])
})

test('a login from a new device is reported to the verified address, and the first login is not', async () => {
  const page = browser()
  await page.login()
  await page.login()
  await it.login({ address: '198.51.100.77' })
  expect((await it.nextMail()).kind).toBe('new_device')
  expect(it.mails).toHaveLength(1)
})

test('a code for an earlier address is void once another address is verified', async () => {
  const { accounts } = it.authority
  await accounts.create({ username: 'old@company.com', password: PASSWORD }, 'test')
  const mine = { address: 'new@me.com', verified: false }
  await accounts.setEmail('old@company.com', mine, 'test')
  const former = browser('198.51.100.66')
  await former.visit('/auth/password/forgot', { body: { email: 'old@company.com' } })
  const { link } = await it.nextMail()
  const page = browser()
  await page.login({ username: 'old@company.com', password: PASSWORD })
  await page.visit('/auth/email/verification')
  const mail = await it.nextMail()
  expect((await page.visit('/auth/email/verify', { body: { link: mail.link } })).status).toBe(200)
  const body = { link, password: NEW_PASSWORD }
  expect(await codeOf(former.visit('/auth/password/reset', { body }))).toEqual([400, 'code_void'])
  expect(await accounts.find('new@me.com')).toMatchObject({ email: { address: 'new@me.com' } })
})

test('a username that is the old address changes with the address', async () => {
  const { accounts } = it.authority
  const [from, to] = ['eve@example.com', 'eve@example.org']
  await accounts.create(
    { username: from, password: PASSWORD, email: from, emailVerified: true },
    'test',
  )
  const page = browser()
  await page.login({ username: from, password: PASSWORD })
  await page.visit('/auth/email/change', { body: { email: to, password: PASSWORD } })
  const { link } = await it.nextMail()
  expect((await page.visit('/auth/email/verify', { body: { link } })).status).toBe(200)
  await page.visit('/auth/refresh')
  expect(membersOf(await page.get('/auth/me'))).toMatchObject({ username: to, email: to })
  expect([await logIn(PASSWORD, to), await logIn(PASSWORD, from)]).toEqual([200, 401])
})

test('wrong passwords count together for the username and the address of an account', async () => {
  await it.restart({ throttle: 'source=3/15m' })
  const statuses: number[] = []
  for (const name of [USERNAME, EMAIL, USERNAME, EMAIL]) {
    statuses.push(await logIn('not the password', name))
  }
  expect(statuses).toEqual([401, 401, 401, 429])
})

test('a login by mail to a tenant of others uses nothing up', async () => {
  await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: false }, 'test')
  const page = browser()
  await page.get('/auth/csrf')
  await page.visit('/auth/login/code/send', { body: { email: EMAIL } })
  const { link } = await it.nextMail()
  const elsewhere = page.visit('/auth/login/code', { body: { link, tenant: 'nosuch' } })
  expect(await codeOf(elsewhere)).toEqual([403, 'tenant_forbidden'])
  expect(await logIn(PASSWORD)).toBe(200)
  expect((await page.visit('/auth/login/code', { body: { link } })).status).toBe(200)
})

test('an address that is the username of another account names that account for an operator', async () => {
  const { accounts } = it.authority
  await accounts.create({ username: 'victim@example.com', password: PASSWORD }, 'test')
  const verified = { address: 'victim@example.com', verified: true }
  await accounts.setEmail(USERNAME, verified, 'test')
  await accounts.disable('victim@example.com', 'test')
  expect(await logIn(PASSWORD)).toBe(200)
  // Whoever logs in with the address is its verified owner.
  expect(await logIn(PASSWORD, 'victim@example.com')).toBe(200)
  const page = browser()
  await page.login()
  const renamed = page.visit('/auth/me', {
    method: 'PATCH',
    body: { username: 'victim@example.com' },
  })
  expect(await codeOf(renamed)).toEqual([409, 'username_taken'])
})
