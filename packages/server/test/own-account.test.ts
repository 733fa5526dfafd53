import { accessCookieName } from '@countersign/guard'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import {
  ISSUER,
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type TestAuthority,
} from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { readAnswer, type Answer } from './support/contract.ts'
import { claimsOf } from './support/forge.ts'

const NEW_PASSWORD = 'another horse battery'

let it: TestAuthority
let browser: TestBrowser
beforeEach(async () => {
  it = await openTestAuthority()
  browser = new TestBrowser(it)
  await browser.login()
})
afterEach(() => it[Symbol.asyncDispose]())

async function refresh(token: string): Promise<number> {
  return (await it.post('/api/token/refresh/', { refresh: token })).status
}

async function tryPassword(password: string): Promise<number> {
  return (await it.post('/api/token/', { username: USERNAME, password })).status
}

async function other(): Promise<TestBrowser> {
  const phone = new TestBrowser(it, '198.51.100.4')
  await phone.login()
  return phone
}

describe('own sessions', () => {
  test('are listed with device, address and times, and the current session is marked', async () => {
    it.clock.advanceMs(60_000)
    await it.login({ userAgent: 'curl/8.5.0', address: '198.51.100.9' })
    const { sessions } = membersOf(await browser.get('/auth/sessions')) as { sessions: object[] }
    const createdAt = Math.floor(it.clock.nowMs() / 1000)
    expect(sessions).toEqual([
      {
        id: expect.stringMatching(/^[\w-]{22}$/),
        device: 'curl',
        address: '198.51.100.9',
        created_at: createdAt,
        last_used_at: createdAt,
        current: false,
      },
      {
        id: expect.stringMatching(/^[\w-]{22}$/),
        device: 'Firefox on Linux',
        address: '203.0.113.7',
        created_at: createdAt - 60,
        last_used_at: createdAt - 60,
        current: true,
      },
    ])
  })

  test('end one by one', async () => {
    const pair = await it.login()
    const { sessions } = membersOf(await browser.get('/auth/sessions')) as {
      sessions: { id: string; current: boolean }[]
    }
    const id = sessions.find(({ current }) => !current)?.id
    expect((await browser.visit(`/auth/sessions/${id}`, { method: 'DELETE' })).status).toBe(204)
    expect(await refresh(pair.refresh)).toBe(401)
    expect((await browser.get('/auth/me')).status).toBe(200)
    expect((await browser.visit(`/auth/sessions/${id}`, { method: 'DELETE' })).status).toBe(204)
  })

  test('C21 D13 a session of another account gets the answer of an unknown id', async () => {
    await it.authority.accounts.create({ username: 'bob', password: PASSWORD }, 'test')
    const bob = new TestBrowser(it)
    const { sid } = membersOf(await bob.login({ username: 'bob', password: PASSWORD }))
    const stolen = await browser.visit(`/auth/sessions/${String(sid)}`, { method: 'DELETE' })
    const unknown = await browser.visit('/auth/sessions/unknown', { method: 'DELETE' })
    expect(stolen).toMatchObject({ status: 404, text: unknown.text })
    expect((await bob.get('/auth/me')).status).toBe(200)
  })

  test('end-others ends all other sessions and keeps the current one', async () => {
    const pair = await it.login()
    const phone = await other()
    expect((await browser.visit('/auth/sessions/end-others')).status).toBe(204)
    expect(await refresh(pair.refresh)).toBe(401)
    expect((await phone.get('/auth/me')).status).toBe(401)
    expect((await browser.get('/auth/me')).status).toBe(200)
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    expect((await browser.visit('/auth/sessions/end-others')).status).toBe(204)
    expect((await browser.get('/auth/me')).status).toBe(200)
  })

  test('one session may end the other sessions ten times at once, then once in ten seconds', async () => {
    const desk = new TestBrowser(it)
    await desk.login()
    await browser.login()
    for (let times = 0; times < 10; times++) {
      expect((await browser.visit('/auth/sessions/end-others')).status).toBe(204)
    }
    const throttled = await browser.visit('/auth/sessions/end-others')
    expect(throttled.status).toBe(429)
    expect(throttled.headers.get('retry-after')).toBe('10')
    // Each other session of the account has its own limit.
    await desk.login()
    expect((await desk.visit('/auth/sessions/end-others')).status).toBe(204)
  })

  test.each(['/auth/sessions/end-others', '/auth/password'])(
    'after %s this one lives on with its new access token, and the one before is worth nothing here either',
    async (path) => {
      const pair = await it.login()
      const ask = (access: string, target: string, method = 'POST', body?: object) =>
        it.authority.fetch(
          new Request(`${ISSUER}${target}`, {
            method,
            headers: { authorization: `Bearer ${access}`, 'content-type': 'application/json' },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          }),
          { address: '203.0.113.7' },
        )
      const answer = await ask(pair.access, path, 'POST', {
        old_password: PASSWORD,
        new_password: NEW_PASSWORD,
      })
      expect(answer.status).toBe(200)
      const { access } = (await answer.json()) as { access: string }
      // A newer soft entry must not hide the hard entry.
      await it.authority.accounts.addRole(USERNAME, 'reader', 'test')
      const { sid } = claimsOf(pair.access)
      for (const [target, method] of [
        ['/auth/me', 'GET'],
        ['/auth/sessions', 'GET'],
        ['/auth/sessions/end-others', 'POST'],
        ['/auth/sessions/end-all', 'POST'],
        [`/auth/sessions/${String(sid)}`, 'DELETE'],
      ] as const) {
        const refused = await ask(pair.access, target, method)
        expect([target, refused.status]).toEqual([target, 401])
        // The code is not `session_ended`, because the rightful holder can refresh and continue.
        expect(await refused.json()).toMatchObject({ code: 'token_stale' })
        expect(refused.headers.getSetCookie()).toEqual([])
      }
      expect((await it.post('/api/token/verify/', { token: pair.access })).status).toBe(401)
      expect((await ask(access, '/auth/me', 'GET')).status).toBe(200)
      expect((await it.post('/api/token/verify/', { token: access })).status).toBe(200)
      expect(await refresh(pair.refresh)).toBe(200)
    },
  )

  test('end-all ends every session, including the current one', async () => {
    const phone = await other()
    expect((await browser.visit('/auth/sessions/end-all')).status).toBe(204)
    expect((await phone.get('/auth/me')).status).toBe(401)
    expect((await browser.get('/auth/me')).status).toBe(401)
    expect((await browser.login()).status).toBe(200)
  })

  test('end-others does not revive a session that was over already', async () => {
    const cookies = new Map(browser.cookies)
    const phone = await other()
    await phone.visit('/auth/sessions/end-others')
    for (const [name, value] of cookies) browser.cookies.set(name, value)
    expect((await browser.visit('/auth/sessions/end-others')).status).toBe(401)
    expect((await browser.visit('/auth/refresh')).status).toBe(401)
  })
})

describe('changing the password', () => {
  const change = (members: object, from = browser): Promise<Answer> =>
    from.visit('/auth/password', { body: members })

  test('requires the old password, ends the other sessions and keeps the current one', async () => {
    const phone = await other()
    const answer = await change({ old_password: PASSWORD, new_password: NEW_PASSWORD })
    expect(answer.status).toBe(204)
    expect((await phone.get('/auth/me')).status).toBe(401)
    expect((await browser.get('/auth/me')).status).toBe(200)
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    expect(await tryPassword(PASSWORD)).toBe(401)
    expect(await tryPassword(NEW_PASSWORD)).toBe(200)
  })

  test.each([
    ['without the old one', { new_password: NEW_PASSWORD }, 400, 'fields_invalid'],
    [
      'with a wrong one',
      { old_password: 'wrong', new_password: NEW_PASSWORD },
      401,
      'credentials_invalid',
    ],
    [
      'to one that is too short',
      { old_password: PASSWORD, new_password: 'short' },
      400,
      'password_too_short',
    ],
    ['to no text', { old_password: PASSWORD, new_password: 12 }, 400, 'fields_invalid'],
    [
      'to half a character',
      { old_password: PASSWORD, new_password: `${NEW_PASSWORD}\uD800` },
      400,
      'fields_invalid',
    ],
    [
      'to more than fits',
      { old_password: PASSWORD, new_password: 'long '.repeat(900) + 'x' },
      400,
      'password_too_long',
    ],
    [
      'to a common one',
      { old_password: PASSWORD, new_password: 'passwordpassword' },
      400,
      'password_common',
    ],
    [
      'to the own name',
      { old_password: PASSWORD, new_password: 'alice-countersign' },
      400,
      'password_contains_username',
    ],
    [
      'to one that begins with a space',
      { old_password: PASSWORD, new_password: ' another horse battery' },
      400,
      'password_malformed',
    ],
  ])('P09 P12 is refused %s', async (_name, members, status, code) => {
    const answer = await change(members)
    expect(answer.status).toBe(status)
    expect(membersOf(answer)).toMatchObject({ code })
    expect(await tryPassword(PASSWORD)).toBe(200)
    expect((await browser.get('/auth/me')).status).toBe(200)
  })

  test('P12 is throttled, so that someone with an open browser cannot guess the old password', async () => {
    await it.restart({ throttle: 'source=3/90s,device=3/90s' })
    const guess = { old_password: 'wrong', new_password: NEW_PASSWORD }
    for (let at = 0; at < 3; at++) expect((await change(guess)).status).toBe(401)
    const answer = await change({ old_password: PASSWORD, new_password: NEW_PASSWORD })
    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe('30')
  })

  test('P12 requires a session', async () => {
    const answer = await change(
      { old_password: PASSWORD, new_password: NEW_PASSWORD },
      new TestBrowser(it),
    )
    expect(answer.status).toBe(401)
  })
})

describe('sign-up', () => {
  const signUp = async (body: object): Promise<Answer> =>
    readAnswer(await it.post('/auth/signup', body))

  test('is off unless the settings turn it on', async () => {
    expect((await signUp({ username: 'carol', password: PASSWORD })).status).toBe(404)
  })

  test('D13 creates an account without roles, which can log in', async () => {
    await it.restart({ signUp: true })
    const answer = await signUp({ username: 'carol', password: PASSWORD, roles: ['admin'] })
    expect(answer.status).toBe(201)
    expect(answer.headers.getSetCookie()).toEqual([])
    const carol = new TestBrowser(it)
    expect(
      membersOf(await carol.login({ username: 'carol', password: PASSWORD }))['roles'],
    ).toEqual([])
  })

  test.each([
    ['a name that is taken', { username: 'ALICE', password: PASSWORD }, 'username_taken'],
    ['a name with a line end', { username: 'carol\nx', password: PASSWORD }, 'username_invalid'],
    ['a look-alike', { username: '\u0430lice', password: PASSWORD }, 'username_confusable'],
    ['a long name', { username: 'c'.repeat(151), password: PASSWORD }, 'username_too_long'],
    ['a short password', { username: 'carol', password: 'short' }, 'password_too_short'],
    ['no password', { username: 'carol' }, 'fields_invalid'],
  ])('refuses %s', async (_name, body, code) => {
    await it.restart({ signUp: true })
    const answer = await signUp(body)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect(membersOf(answer)).toMatchObject({ code })
  })

  test('is throttled in one bucket if addresses are not known', async () => {
    await it.restart({ signUp: true, throttle: 'account=2/60s' })
    const statuses: number[] = []
    for (const username of ['u1', 'u2', 'u3']) {
      const body = { username, password: PASSWORD }
      statuses.push((await it.post('/auth/signup', body, { address: '' })).status)
    }
    expect(statuses).toEqual([201, 201, 429])
  })

  test('is throttled by address', async () => {
    await it.restart({ signUp: true, throttle: 'source=2/60s' })
    const answers = await Promise.all(
      ['u1', 'u2', 'u3'].map((username) => signUp({ username, password: PASSWORD })),
    )
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 201, 429])
  })
})

describe('a session that survives its own revocation gets a new access token at once', () => {
  const NAME = accessCookieName(ISSUER)
  const codeOf = (token: string): string => {
    const result = it.authority.verify(token)
    return result.ok ? 'ok' : result.code
  }
  const revokingCalls = [
    ['/auth/sessions/end-others', undefined],
    ['/auth/password', { old_password: PASSWORD, new_password: NEW_PASSWORD }],
  ] as const

  test.each(revokingCalls)('%s: in the cookie', async (path, body) => {
    const before = browser.cookies.get(NAME) ?? ''
    expect((await browser.visit(path, { body })).status).toBe(204)
    // The decision of a guard.
    await expect.poll(() => codeOf(before)).toBe('session_ended')
    expect(codeOf(browser.cookies.get(NAME) ?? '')).toBe('ok')
    expect((await browser.get('/auth/me')).status).toBe(200)
    // The new token is bound to the same CSRF token as the old token.
    expect((await browser.visit('/auth/sessions/end-others')).status).toBe(204)
  })

  test.each(revokingCalls)(
    '%s: in the answer, if the old one came in the header',
    async (path, body) => {
      const { access: before } = await it.login()
      it.clock.advanceMs(60_000)
      const answer = await it.authority.fetch(
        new Request(`${ISSUER}${path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${before}`, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      )
      expect(answer.status).toBe(200)
      expect(answer.headers.get('set-cookie')).toBeNull()
      const { access, ...rest } = (await answer.json()) as { access: string }
      expect(rest).toEqual({})
      await expect.poll(() => codeOf(before)).toBe('session_ended')
      expect(codeOf(access)).toBe('ok')
      // A stolen access token must not be extended.
      expect(claimsOf(access)['exp']).toBe(claimsOf(before)['exp'])
      expect(claimsOf(access)['iat']).toBe(Number(claimsOf(before)['iat']) + 60)
    },
  )
})

describe('the own account', () => {
  test('is renamed, and sessions continue', async () => {
    const patch = (username: unknown): Promise<Answer> =>
      browser.visit('/auth/me', { method: 'PATCH', body: { username } })
    expect(membersOf(await patch('Alicia'))).toEqual({ username: 'Alicia' })
    expect(membersOf(await browser.get('/auth/me'))).toMatchObject({ username: 'Alicia' })
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    expect(await tryPassword(PASSWORD)).toBe(401)
    const login = await it.post('/api/token/', { username: 'alicia', password: PASSWORD })
    expect(login.status).toBe(200)
  })

  test('gets no name that another account has, and no address that it has not verified', async () => {
    const { accounts } = it.authority
    const email = 'bob@example.com'
    await accounts.create(
      { username: 'bob', password: PASSWORD, email, emailVerified: true },
      'test',
    )
    await accounts.setEmail(USERNAME, { address: 'alice@example.com', verified: false }, 'test')
    for (const [username, code] of [
      ['BOB', 'username_taken'],
      ['two  spaces', 'username_invalid'],
      ['аlice', 'username_confusable'],
      ['x'.repeat(151), 'username_too_long'],
      [email, 'username_invalid'],
      ['alice@example.com', 'username_invalid'],
    ] as const) {
      const refused = await browser.visit('/auth/me', { method: 'PATCH', body: { username } })
      expect([username, membersOf(refused)['code']]).toEqual([username, code])
    }
    await accounts.setEmail(USERNAME, { address: 'alice@example.com', verified: true }, 'test')
    const body = { username: 'alice@example.com' }
    expect((await browser.visit('/auth/me', { method: 'PATCH', body })).status).toBe(200)
  })

  test('is exported without secrets', async () => {
    const answer = await browser.get('/auth/me/export')
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="account.json"')
    const { account, sessions, audit } = membersOf(answer) as Record<string, object[] | object>
    expect(account).toMatchObject({ username: USERNAME })
    expect(sessions).toHaveLength(1)
    expect(audit).toMatchObject([{ event: 'login' }, { event: 'account_created' }])
    expect(answer.text).not.toMatch(/argon2|seed|passwordHash/)
  })

  test('is deleted after its password was typed, with all its sessions', async () => {
    const phone = await other()
    const wrong = browser.visit('/auth/me/delete', { body: { password: 'not it at all' } })
    expect(membersOf(await wrong)['code']).toBe('credentials_invalid')
    expect((await browser.visit('/auth/me/delete', { body: { password: PASSWORD } })).status).toBe(
      204,
    )
    expect(browser.cookies.has(accessCookieName(ISSUER))).toBe(false)
    expect((await phone.get('/auth/me')).status).toBe(401)
    expect(await tryPassword(PASSWORD)).toBe(401)
    expect(await it.authority.accounts.count()).toBe(0)
  })
})

test('an application exports an account like its owner', async () => {
  const exported = await it.authority.accounts.export(USERNAME)
  expect(exported).toMatchObject({
    ok: true,
    value: { account: { username: USERNAME }, sessions: [{ username: USERNAME }] },
  })
  expect(JSON.stringify(exported)).not.toMatch(/argon2|seed|passwordHash/)
  expect(await it.authority.accounts.export('nobody')).toMatchObject({ code: 'account_unknown' })
})
