import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import {
  ISSUER,
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type TestAuthority,
} from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { ask } from './support/contract.ts'
import { claimsOf, compact, signHs256 } from './support/forge.ts'

let it: TestAuthority
let browser: TestBrowser
beforeEach(async () => {
  it = await openTestAuthority()
  browser = new TestBrowser(it)
})
afterEach(() => it[Symbol.asyncDispose]())

describe('log in', () => {
  test('puts both tokens into HttpOnly cookies, and no token into the body', async () => {
    const answer = await browser.login()
    expect(answer.status).toBe(200)
    expect([...browser.cookies.keys()].toSorted()).toEqual(['cs_access', 'cs_device', 'cs_refresh'])
    for (const line of browser.lines)
      expect(line).toMatch(/; Path=\/; HttpOnly; SameSite=|; HttpOnly/)
    expect(browser.lines.find((line) => line.startsWith('cs_refresh='))).toContain(
      'SameSite=Strict',
    )
    expect(browser.lines.find((line) => line.startsWith('cs_access='))).toContain('SameSite=Lax')
    expect(answer.text).not.toContain('eyJ')
    expect(membersOf(answer)).toMatchObject({
      sub: expect.stringMatching(/^acct_/),
      roles: [],
      csrf_token: expect.stringMatching(/^[\w-]{43}$/),
      access_expires_in: 300,
      access_expires_at: Math.floor(it.clock.nowMs() / 1000) + 300,
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  test('then the access cookie authenticates requests', async () => {
    await browser.login()
    const me = await browser.get('/auth/me')
    expect(me.status).toBe(200)
    expect(membersOf(me)).toMatchObject({ username: USERNAME, permissions: [], tenants: [] })
  })

  test('over https the cookies have the __Host- prefix and Secure', async () => {
    const secret = 'a-secret-of-many-different-characters-0123456789'
    await using secure = await openTestAuthority({ publicUrl: 'https://auth.example.com', secret })
    const other = new TestBrowser(secure)
    const origin = { origin: 'https://auth.example.com' }
    await other.get('/auth/csrf')
    const answer = await other.visit('/auth/login', {
      body: { username: USERNAME, password: PASSWORD },
      headers: origin,
    })
    expect(answer.status).toBe(200)
    expect([...other.cookies.keys()].toSorted()).toEqual([
      '__Host-cs_access',
      '__Host-cs_device',
      '__Host-cs_refresh',
    ])
    for (const line of other.lines) {
      expect(line).toMatch(/; Secure/)
      expect(line).not.toMatch(/; Domain/i)
    }
  })

  test('with a domain the cookies have the __Secure- prefix and the domain', async () => {
    const secret = 'a-secret-of-many-different-characters-0123456789'
    await using shared = await openTestAuthority({
      publicUrl: 'https://auth.example.com',
      cookieDomain: 'example.com',
      secret,
    })
    const other = new TestBrowser(shared)
    await other.get('/auth/csrf')
    expect(other.lines).toEqual([
      expect.stringMatching(/^__Secure-cs_csrf=.*Domain=example\.com.*Secure/),
    ])
  })

  test.each([
    ['a wrong password', { username: USERNAME, password: 'wrong horse battery' }],
    ['an unknown account', { username: 'nobody', password: PASSWORD }],
  ])('%s is refused, and leaves no session cookie', async (_name, credentials) => {
    const answer = await browser.login(credentials)
    expect(answer.status).toBe(401)
    expect(membersOf(answer)).toMatchObject({ code: 'credentials_invalid' })
    expect([...browser.cookies.keys()]).toEqual(['cs_csrf'])
  })

  test.each([
    [
      'a stale one',
      async () => {
        await browser.login()
        it.clock.advanceMs(40 * 86_400_000)
      },
    ],
    [
      'garbage',
      async () => {
        browser.cookies.set('cs_refresh', 'garbage').set('cs_access', '"x')
      },
    ],
    [
      'a forged one',
      async () => {
        browser.cookies.set(
          'cs_refresh',
          compact({ alg: 'HS256', typ: 'rt+jwt' }, { sid: 's' }, (input) => signHs256(input, 'x')),
        )
      },
    ],
  ])('%s in the cookies blocks no login', async (_name, prepare) => {
    await prepare()
    expect((await browser.login()).status).toBe(200)
    expect((await browser.get('/auth/me')).status).toBe(200)
  })

  test('ends the previous session of the browser', async () => {
    await browser.login()
    const old = new TestBrowser(it)
    for (const [name, value] of browser.cookies) old.cookies.set(name, value)
    await browser.login()
    expect((await old.get('/auth/me')).status).toBe(401)
    expect((await browser.get('/auth/me')).status).toBe(200)
  })

  test('D04 the CSRF token from before the login is refused after it', async () => {
    await browser.get('/auth/csrf')
    const before = browser.csrfToken
    await browser.login()
    const answer = await browser.visit('/auth/refresh', { headers: { 'x-csrf-token': before } })
    expect(answer.status).toBe(403)
  })
})

describe('refresh', () => {
  test('replaces both cookies and keeps the session', async () => {
    const first = membersOf(await browser.login())
    const before = new Map(browser.cookies)
    it.clock.advanceMs(60_000)
    const second = await browser.visit('/auth/refresh')
    expect(second.status).toBe(200)
    expect(membersOf(second)['sid']).toBe(first['sid'])
    expect(second.text).not.toContain('eyJ')
    for (const name of ['cs_access', 'cs_refresh']) {
      expect(browser.cookies.get(name)).not.toBe(before.get(name))
    }
  })

  test('two tabs that refresh together get the same refresh token', async () => {
    await browser.login()
    const tab = new TestBrowser(it)
    for (const [name, value] of browser.cookies) tab.cookies.set(name, value)
    tab.csrfToken = browser.csrfToken
    await browser.visit('/auth/refresh')
    expect((await tab.visit('/auth/refresh')).status).toBe(200)
    expect(tab.cookies.get('cs_refresh')).toBe(browser.cookies.get('cs_refresh'))
  })

  test('without a cookie it is refused, and a token in the body is ignored', async () => {
    const { refresh } = await it.login()
    const answer = await browser.visit('/auth/refresh', { body: { refresh } })
    expect(answer.status).toBe(401)
    expect(membersOf(answer)).toMatchObject({ code: 'cookie_missing' })
  })

  test('a used-up token ends the session and is cleared', async () => {
    await browser.login()
    const old = browser.cookies.get('cs_refresh') ?? ''
    it.clock.advanceMs(60_000)
    await browser.visit('/auth/refresh')
    it.clock.advanceMs(60_000)
    browser.cookies.set('cs_refresh', old)
    const answer = await browser.visit('/auth/refresh')
    expect(membersOf(answer)).toMatchObject({ code: 'refresh_reused' })
    expect([...browser.cookies.keys()]).toEqual(['cs_device'])
  })

  test('C12 a clock that was set back by an hour ends no session of a browser', async () => {
    await browser.login()
    it.clock.advanceMs(-3_600_000)
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    expect((await browser.get('/auth/me')).status).toBe(200)
  })

  test('C12 a clock that was an hour ahead, and is right again, costs no browser its session', async () => {
    it.clock.advanceMs(3_600_000)
    await browser.login()
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    it.clock.advanceMs(-3_600_000)
    // Pages find that their access token is refused, and refresh. A wrong password changes no cookie.
    expect((await browser.get('/auth/me')).status).toBe(401)
    expect((await browser.login({ username: USERNAME, password: 'wrong' })).status).toBe(401)
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    expect((await browser.get('/auth/me')).status).toBe(200)
    it.clock.advanceMs(60_000)
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    expect((await browser.visit('/auth/logout')).status).toBe(204)
  })

  test('a server that renders pages and refreshes beside the browser gets no token, and both keep their cookies', async () => {
    await browser.login()
    const renderer = new TestBrowser(it, '198.51.100.1')
    for (const [name, value] of browser.cookies) renderer.cookies.set(name, value)
    renderer.csrfToken = browser.csrfToken
    const before = new Map(renderer.cookies)
    await browser.visit('/auth/refresh')
    const refused = await renderer.visit('/auth/refresh', { headers: { 'user-agent': 'node' } })
    expect(refused.status).toBe(401)
    expect(membersOf(refused)).toMatchObject({ code: 'refresh_elsewhere' })
    expect(renderer.cookies).toEqual(before)
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    expect((await browser.get('/auth/me')).status).toBe(200)
  })

  test('a changed cookie is refused and cleared', async () => {
    await browser.login()
    browser.cookies.set('cs_refresh', `${browser.cookies.get('cs_refresh')?.slice(0, -4)}AAAA`)
    const answer = await browser.visit('/auth/refresh')
    expect(answer.status).toBe(401)
    expect(browser.cookies.has('cs_refresh')).toBe(false)
  })

  test('C15 the access token is refused as the refresh token', async () => {
    await browser.login()
    browser.cookies.set('cs_refresh', browser.cookies.get('cs_access') ?? '')
    expect((await browser.visit('/auth/refresh')).status).toBe(401)
  })
})

describe('read the session', () => {
  test('shows the account, the CSRF token and the lifetime of the access token, and changes nothing', async () => {
    const { csrf_token: csrfToken, sid } = membersOf(await browser.login())
    const before = new Map(browser.cookies)
    it.clock.advanceMs(100_000)
    const answer = await browser.get('/auth/session')
    expect(answer.status).toBe(200)
    expect(membersOf(answer)).toEqual({
      ...membersOf(await browser.get('/auth/me')),
      sid,
      csrf_token: csrfToken,
      access_expires_in: 200,
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.text).not.toContain('eyJ')
    expect(browser.cookies).toEqual(before)
  })

  test.each([
    ['expired', (): void => it.clock.advanceMs(300_000)],
    ['missing', (): void => void browser.cookies.delete('cs_access')],
    ['not valid', (): void => void browser.cookies.set('cs_access', 'bad')],
  ])('works when the access token is %s, and says so', async (_name, change) => {
    await browser.login()
    change()
    const answer = await browser.get('/auth/session')
    expect(membersOf(answer)).toMatchObject({ username: USERNAME, access_expires_in: 0 })
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    expect(membersOf(await browser.get('/auth/session'))).toMatchObject({ access_expires_in: 300 })
  })

  test('an access token of another session does not count', async () => {
    await browser.login()
    const other = new TestBrowser(it)
    await other.login()
    browser.cookies.set('cs_access', other.cookies.get('cs_access') ?? '')
    expect(membersOf(await browser.get('/auth/session'))).toMatchObject({ access_expires_in: 0 })
  })

  test('without a session it is refused, and no cookie is set', async () => {
    const answer = await browser.get('/auth/session')
    expect(answer.status).toBe(401)
    expect(membersOf(answer)).toMatchObject({ code: 'cookie_missing' })
    expect(browser.lines).toEqual([])
  })

  test.each([
    ['session_ended', async () => void (await browser.visit('/auth/logout'))],
    ['token_expired', async () => it.clock.advanceMs(15 * 86_400_000)],
  ])('after the session it is refused with %s', async (code, end) => {
    await browser.login()
    const cookies = new Map(browser.cookies)
    await end()
    for (const [name, value] of cookies) browser.cookies.set(name, value)
    const answer = await browser.get('/auth/session')
    expect(answer.status).toBe(401)
    expect(membersOf(answer)).toMatchObject({ code })
    expect(browser.cookies).toEqual(cookies)
  })

  test('with an old copy of the refresh token it is refused, and the session continues', async () => {
    await browser.login()
    const thief = new TestBrowser(it, '198.51.100.1')
    for (const [name, value] of browser.cookies) thief.cookies.set(name, value)
    it.clock.advanceMs(60_000)
    await browser.visit('/auth/refresh')
    it.clock.advanceMs(60_000)
    const answer = await thief.get('/auth/session')
    expect(answer.status).toBe(401)
    expect(membersOf(answer)).toMatchObject({ code: 'refresh_reused' })
    expect((await browser.get('/auth/session')).status).toBe(200)
  })

  test.each(['access', 'bad'])(
    'with the %s token as refresh token it is refused',
    async (which) => {
      await browser.login()
      browser.cookies.set('cs_refresh', browser.cookies.get(`cs_${which}`) ?? 'bad')
      const answer = await browser.get('/auth/session')
      expect(membersOf(answer)).toMatchObject({ status: 401, code: 'token_invalid' })
    },
  )
})

describe('log out', () => {
  test('ends the session and removes the cookies', async () => {
    await browser.login()
    const access = browser.cookies.get('cs_access') ?? ''
    const answer = await browser.visit('/auth/logout')
    expect(answer.status).toBe(204)
    expect([...browser.cookies.keys()]).toEqual(['cs_device'])
    browser.cookies.set('cs_access', access)
    expect((await browser.get('/auth/me')).status).toBe(401)
  })

  test('succeeds twice, and without a session', async () => {
    await browser.login()
    const cookies = new Map(browser.cookies)
    await browser.visit('/auth/logout')
    for (const [name, value] of cookies) browser.cookies.set(name, value)
    expect((await browser.visit('/auth/logout')).status).toBe(204)
    expect((await new TestBrowser(it).visit('/auth/logout')).status).toBe(204)
  })

  test('with a token in the header ends the session of that token, and touches no cookie', async () => {
    await browser.login()
    const { access, refresh } = await it.login()
    const logout = async (
      authorization: string,
    ): Promise<{ status: number; cookies: string[] }> => {
      const answer = await browser.visit('/auth/logout', { headers: { authorization } })
      return { status: answer.status, cookies: answer.headers.getSetCookie() }
    }
    expect(await logout(`Bearer ${access}`)).toEqual({ status: 204, cookies: [] })
    expect((await it.post('/api/token/refresh/', { refresh })).status).toBe(401)
    expect((await browser.get('/auth/me')).status).toBe(200)
    // A session that was not ended must not be reported as ended.
    expect((await logout(`Bearer ${access}`)).status).toBe(401)
    expect((await logout('Bearer bad')).status).toBe(401)
    expect((await logout('Bearer')).status).toBe(400)
    expect((await browser.get('/auth/me')).status).toBe(200)
  })
})

describe('which token counts', () => {
  test('a header takes precedence over the cookie, even if the header is not valid', async () => {
    await browser.login()
    const { access } = await it.login()
    const both = await browser.get('/auth/me', { headers: { authorization: `Bearer ${access}` } })
    expect(membersOf(both)['sid']).toBe(claimsOf(access)['sid'])
    const bad = await browser.get('/auth/me', { headers: { authorization: 'Bearer bad' } })
    expect(bad.status).toBe(401)
  })

  test('a token that was made for a header is refused in a cookie', async () => {
    const { access } = await it.login()
    browser.cookies.set('cs_access', access)
    expect((await browser.get('/auth/me')).status).toBe(401)
  })

  test('the contract endpoints read no cookie', async () => {
    await browser.login()
    const answer = await browser.visit('/api/token/refresh/', { body: {} })
    expect(answer.text).toBe('{"refresh":["This field is required."]}')
  })

  test.each(['cs_access', 'cs_refresh', 'cs_csrf'])(
    'C14 %s sent twice is refused',
    async (name) => {
      await browser.login()
      const value = browser.cookies.get(name) ?? 'x'
      const cookie = `${browser.cookieHeader()}; ${name}=${value}; ${name}=${value}`
      const path = name === 'cs_access' ? '/auth/me' : '/auth/csrf'
      const answer = await browser.get(path, { headers: { cookie } })
      expect(answer.status).toBe(400)
    },
  )
})

describe('CORS', () => {
  const APP = 'https://app.example.com'

  test('D07 only a configured origin may read answers with credentials', async () => {
    await using open = await openTestAuthority({ origins: APP })
    for (const [origin, allowed] of [
      [APP, APP],
      ['https://evil.example', null],
      ['null', null],
      ['https://app.example.com.evil.example', null],
      ['http://app.example.com', null],
      ['https://app.example.com:8443', null],
    ] as const) {
      const answer = await ask(open, '/auth/csrf', {
        method: 'GET',
        type: null,
        headers: { origin },
      })
      expect(answer.headers.get('access-control-allow-origin')).toBe(allowed)
      expect(answer.headers.get('vary')).toContain('Origin')
      const preflight = await ask(open, '/auth/login', {
        method: 'OPTIONS',
        type: null,
        headers: { origin, 'access-control-request-method': 'POST' },
      })
      expect(preflight.headers.get('access-control-allow-origin')).toBe(allowed)
      if (allowed !== null) {
        expect(preflight.status).toBe(204)
        expect(preflight.headers.get('access-control-allow-credentials')).toBe('true')
        expect(preflight.headers.get('access-control-allow-headers')).toContain('X-CSRF-Token')
      }
    }
  })

  test('a preflight allows the headers of tracing and frameworks, and those of the setting', async () => {
    await using open = await openTestAuthority({ origins: APP, corsHeaders: 'X-Client-Version' })
    const preflight = await ask(open, '/auth/login', {
      method: 'OPTIONS',
      type: null,
      headers: { origin: APP, 'access-control-request-method': 'POST' },
    })
    const allowed = (preflight.headers.get('access-control-allow-headers') ?? '')
      .toLowerCase()
      .split(', ')
    expect(allowed).toEqual(
      expect.arrayContaining([
        'authorization',
        'content-type',
        'x-csrf-token',
        'x-csrftoken',
        'x-client-version',
        'traceparent',
        'tracestate',
        'baggage',
        'sentry-trace',
        'x-request-id',
        'x-requested-with',
        'x-datadog-trace-id',
        'b3',
      ]),
    )
    expect(new Set(allowed).size).toBe(allowed.length)
  })

  test.each(['capacitor://localhost', 'ionic://localhost', 'tauri://localhost'])(
    'a page of the native shell %s logs in for tokens',
    async (origin) => {
      await using open = await openTestAuthority({ origins: origin })
      const preflight = await ask(open, '/api/token/', {
        method: 'OPTIONS',
        type: null,
        headers: { origin, 'access-control-request-method': 'POST' },
      })
      expect(preflight.headers.get('access-control-allow-origin')).toBe(origin)
      const answer = await ask(open, '/api/token/', {
        headers: { origin },
        body: JSON.stringify({ username: USERNAME, password: PASSWORD }),
      })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
      const foreign = await ask(open, '/api/token/', {
        headers: { origin: `${origin}.evil` },
        body: JSON.stringify({ username: USERNAME, password: PASSWORD }),
      })
      expect(foreign.headers.get('access-control-allow-origin')).toBeNull()
    },
  )

  test('a page of a configured origin logs in', async () => {
    await using open = await openTestAuthority({ origins: APP })
    const other = new TestBrowser(open)
    const headers = { origin: APP, 'sec-fetch-site': 'cross-site' }
    await other.get('/auth/csrf', { headers })
    const body = { username: USERNAME, password: PASSWORD }
    expect((await other.visit('/auth/login', { body, headers })).status).toBe(200)
    expect(
      (
        await other.visit('/auth/login', {
          body,
          headers: { ...headers, origin: ISSUER.replace('8000', '9000') },
        })
      ).status,
    ).toBe(403)
  })
})
