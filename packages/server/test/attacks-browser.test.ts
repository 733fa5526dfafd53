import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { openAttackedAuthority, type AttackedAuthority } from './support/attacked.ts'
import { ISSUER, PASSWORD, USERNAME } from './support/authority.ts'
import { membersOf, TestBrowser, type Visit } from './support/browser.ts'
import { ask, FORM_TYPE, JSON_TYPE, type Answer } from './support/contract.ts'
import { query } from './support/database.ts'
import { claimsOf } from './support/forge.ts'

// Group 7.D of docs/attack-catalogue.md: requests that other pages can make a visitor's browser send, and
// what a browser may do with the answers. The matrix of origins and tokens is in csrf.test.ts.

const APP = 'https://app.example.com'
const EVIL = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }

let it: AttackedAuthority
let browser: TestBrowser
beforeAll(async () => {
  it = await openAttackedAuthority({ origins: APP, signUp: true })
})
beforeEach(async () => {
  browser = new TestBrowser(it)
  await browser.login()
  it.mark()
})
afterEach(() => it.expectUnharmed())
afterAll(() => it[Symbol.asyncDispose]())

describe('D01 and D02: a page that is not allowed to send requests is refused:', () => {
  test.each<[name: string, headers: Visit['headers']]>([
    ['two values of Sec-Fetch-Site', { 'sec-fetch-site': 'same-origin, cross-site' }],
    ['Sec-Fetch-Site in capitals', { 'sec-fetch-site': 'SAME-ORIGIN' }],
    ['an empty Sec-Fetch-Site', { 'sec-fetch-site': '' }],
    ['an unknown Sec-Fetch-Site', { 'sec-fetch-site': 'same-party' }],
    ['a Referer alone', { 'sec-fetch-site': undefined, referer: `${ISSUER}/` }],
    ['same-site with a Referer', { 'sec-fetch-site': 'same-site', referer: `${ISSUER}/` }],
  ])('%s is not enough, with the token neither', async (_, headers) => {
    const evil = { ...headers, origin: headers?.['origin'] ?? 'https://evil.example' }
    for (const path of ['/auth/refresh', '/auth/logout', '/auth/sessions/end-all']) {
      expect((await browser.visit(path, { headers: evil })).status).toBe(403)
    }
  })

  test.each([
    'null',
    '',
    'https://evil.example',
    'https://app.example.com.evil.example',
    'https://app.example.com@evil.example',
    'https://evil.example#https://app.example.com',
    'https://app.example.com:444',
    'https://app.example.com/',
    'https://APP.example.com',
    'https://app.example.com.',
    'https://xapp.example.com',
    'https://app-example.com',
    'http://app.example.com',
    'https://app.example.com, https://evil.example',
    'https://evil.example, https://app.example.com',
    `${ISSUER}0`,
    'http://localhost',
    'http://127.0.0.1:8000',
    'file://',
  ])('the origin %j', async (origin) => {
    const headers = { 'sec-fetch-site': undefined, origin }
    for (const path of ['/auth/refresh', '/auth/logout', '/auth/sessions/end-all']) {
      const answer = await browser.visit(path, { headers })
      expect(answer.status).toBe(403)
      expect(answer.headers.getSetCookie()).toEqual([])
      expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    }
  })

  test('a WebSocket upgrade with the cookies', async () => {
    const headers = { ...EVIL, connection: 'upgrade', upgrade: 'websocket' }
    expect((await browser.get('/auth/me', { headers })).status).toBe(403)
  })
})

describe('D04 the token', () => {
  const tokens: readonly (readonly [name: string, token: () => string])[] = [
    ['in another case', () => browser.csrfToken!.toUpperCase()],
    ['cut short', () => browser.csrfToken!.slice(0, 42)],
    ['longer', () => `${browser.csrfToken!}A`],
    ['padded', () => `${browser.csrfToken!}=`],
    ['twice', () => `${browser.csrfToken!}, ${browser.csrfToken!}`],
    ['the access token', () => browser.cookies.get('cs_access')!],
    ['the session id', () => String(claimsOf(browser.cookies.get('cs_access')!)['sid'])],
    [
      'the csh of the access token',
      () => String(claimsOf(browser.cookies.get('cs_access')!)['csh']),
    ],
    ['of 12 KB', () => 'A'.repeat(12_000)],
  ]

  test.each(tokens)('%s is refused', async (_, tokenOf) => {
    const headers = { 'x-csrf-token': tokenOf() }
    for (const path of ['/auth/refresh', '/auth/logout', '/auth/sessions/end-all']) {
      expect((await browser.visit(path, { headers })).status).toBe(403)
    }
  })

  test('with another last character is refused, also if it decodes to the same bytes', async () => {
    const token = browser.csrfToken!
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for (const last of alphabet) {
      if (token.endsWith(last)) continue
      const headers = { 'x-csrf-token': token.slice(0, -1) + last }
      expect((await browser.visit('/auth/logout', { headers })).status).toBe(403)
    }
  })

  test('in the query, the body or a cookie does not count', async () => {
    const token = browser.csrfToken!
    browser.cookies.set('x-csrf-token', token).set('csrftoken', token)
    const body = { csrf_token: token, 'x-csrf-token': token, csrfmiddlewaretoken: token }
    const path = `/auth/refresh?x-csrf-token=${token}&csrf_token=${token}`
    expect((await browser.visit(path, { body, withoutToken: true })).status).toBe(403)
  })

  test('of an ended session is refused at a login', async () => {
    const other = new TestBrowser(it)
    await other.login()
    const { csrfToken } = other
    await other.visit('/auth/logout')
    await other.get('/auth/csrf')
    it.mark()
    const body = { username: USERNAME, password: PASSWORD }
    const headers = { 'x-csrf-token': csrfToken }
    expect((await other.visit('/auth/login', { body, headers })).status).toBe(403)
  })
})

describe('D05 a form on another site', () => {
  const forms: readonly (readonly [type: string, body: string])[] = [
    [FORM_TYPE, `username=${USERNAME}&password=${encodeURIComponent(PASSWORD)}`],
    ['text/plain', `{"username":"${USERNAME}","password":"${PASSWORD}","x":"="}`],
    [
      'multipart/form-data; boundary=x',
      [
        ...[['username', USERNAME] as const, ['password', PASSWORD] as const].map(
          ([name, value]) =>
            `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
        ),
        '--x--\r\n',
      ].join(''),
    ],
    [JSON_TYPE, JSON.stringify({ username: USERNAME, password: PASSWORD })],
  ]
  const post = (path: string, type: string, body: string, headers: Record<string, string>) =>
    ask(it, path, { type, body, headers })

  test.each(forms)('of %s logs nobody in', async (type, body) => {
    const { headers: set, text } = await browser.get('/auth/csrf', {
      headers: { cookie: undefined },
    })
    const cookie = set.getSetCookie()[0]?.split(';')[0] ?? ''
    const { csrf_token: token } = JSON.parse(text) as { csrf_token: string }
    for (const headers of [
      { ...EVIL, cookie },
      { ...EVIL, cookie, 'x-csrf-token': token },
      { 'sec-fetch-site': 'same-site', origin: 'http://evil.localhost:8000', cookie },
      { origin: 'null', cookie },
      { cookie },
      { 'sec-fetch-site': 'same-origin', origin: ISSUER, cookie },
    ]) {
      const answer = await post('/auth/login', type, body, headers)
      expect(answer.status).toBe(403)
      expect(answer.headers.getSetCookie()).toEqual([])
    }
  })

  test.each(forms)('of %s creates no account', async (type, body) => {
    const name = body.replaceAll(USERNAME, 'mallory')
    for (const headers of [
      EVIL,
      { 'sec-fetch-site': 'same-site', origin: 'http://evil.localhost:8000' },
      { 'sec-fetch-site': 'cross-site', origin: 'null' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ]) {
      const answer = await post('/auth/signup', type, name, headers)
      expect(answer.status).toBe(403)
      expect(membersOf(answer)['code']).toBe('csrf_failed')
    }
  })

  test('is refused, but our own page, a configured page and a program can create an account', async () => {
    const bodyOf = (username: string): string => JSON.stringify({ username, password: PASSWORD })
    const own = { 'sec-fetch-site': 'same-origin', origin: ISSUER }
    expect((await post('/auth/signup', JSON_TYPE, bodyOf('own'), own)).status).toBe(201)
    const app = { 'sec-fetch-site': 'cross-site', origin: APP }
    expect((await post('/auth/signup', JSON_TYPE, bodyOf('app'), app)).status).toBe(201)
    expect((await post('/auth/signup', JSON_TYPE, bodyOf('curl'), {})).status).toBe(201)
    it.mark()
  })
})

describe('D07 CORS', () => {
  const paths = [
    '/auth/csrf',
    '/auth/login',
    '/auth/me',
    '/auth/sessions',
    '/auth/password',
    '/auth/signup',
    '/api/token/',
    '/api/token/refresh/',
    '/nothing',
  ]

  test.each([
    'https://evil.example',
    'null',
    'https://evil.app.example.com',
    'https://app.example.com.evil.example',
    'https://appxexample.com',
    'https://app.example.com:8443',
    'http://app.example.com',
    'https://APP.EXAMPLE.COM',
    '*',
    'https://app.example.com https://evil.example',
  ])('lets no page of %s read or send anything', async (origin) => {
    for (const path of paths) {
      for (const method of ['OPTIONS', 'GET', 'POST']) {
        const headers = {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type, x-csrf-token',
        }
        const answer = await ask(it, path, { method, headers })
        const allowed = [...answer.headers.keys()].filter((name) => name.startsWith('access-'))
        expect(allowed).toEqual([])
        expect(answer.headers.get('vary')).toContain('Origin')
      }
    }
  })

  test('names a configured origin, and never sends "*"', async () => {
    for (const path of paths) {
      const headers = { origin: APP, 'access-control-request-method': 'POST' }
      for (const method of ['OPTIONS', 'GET']) {
        const answer = await ask(it, path, { method, headers })
        expect(answer.headers.get('access-control-allow-origin')).toBe(APP)
        expect(answer.headers.get('access-control-allow-credentials')).toBe('true')
      }
    }
  })
})

test('D08 only the start page is HTML, and it must not be framed', async () => {
  for (const path of [
    '/auth/me',
    '/auth/csrf',
    '/auth/login',
    '/api/token/',
    '/nothing',
    '/healthz',
  ]) {
    const answer = await browser.get(path, { headers: { accept: 'text/html' } })
    expect(answer.headers.get('content-type')).toMatch(/^application\/(?:problem\+)?json$/)
  }
  const page = await browser.get('/')
  expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
})

describe('D10 a script in', () => {
  const SCRIPT = '<script>alert(1)</script>'
  const IMAGE = '"><img src=x onerror=alert(1)>'

  function expectJson(answer: Answer): void {
    expect(answer.headers.get('content-type')).toMatch(/^application\/(?:problem\+)?json$/)
    expect(() => JSON.parse(answer.text)).not.toThrow()
  }

  test('the user agent is never shown', async () => {
    for (const userAgent of [
      SCRIPT,
      IMAGE,
      `Mozilla/5.0 (${SCRIPT}) Firefox/140.0`,
      `curl${SCRIPT}`,
    ]) {
      await it.login({ userAgent })
    }
    it.mark()
    const sessions = await browser.get('/auth/sessions')
    expectJson(sessions)
    expect(sessions.headers.get('x-content-type-options')).toBe('nosniff')
    expect(sessions.text).not.toMatch(/<|alert|onerror/)
  })

  test('a username is returned as JSON with nosniff', async () => {
    const body = { username: SCRIPT, password: PASSWORD }
    expect((await browser.visit('/auth/signup', { body })).status).toBe(201)
    const other = new TestBrowser(it)
    await other.login(body)
    it.mark()
    const me = await other.get('/auth/me')
    expectJson(me)
    expect(me.headers.get('x-content-type-options')).toBe('nosniff')
    expect(membersOf(me)['username']).toBe(SCRIPT)
  })

  test.each(['/', '/auth/me', '/auth/csrf', '/nothing', '/api/token/'])(
    'query, path and headers is not said again at %s',
    async (path) => {
      const headers = {
        'user-agent': SCRIPT,
        referer: `http://x/${IMAGE}`,
        'accept-language': IMAGE,
      }
      const parameters = `state=${SCRIPT}&error_description=${IMAGE}&login_hint=${SCRIPT}&ui_locales=${IMAGE}`
      const answer = await browser.get(`${path}?${parameters}`, { headers })
      expect(answer.text).not.toMatch(/alert|onerror/)
    },
  )

  test('a media type is repeated only in JSON', async () => {
    const answer = await ask(it, '/api/token/', { type: `text/${SCRIPT}`, body: '{}' })
    expect(answer.status).toBe(415)
    expectJson(answer)
  })
})

describe('D13 more rights than allowed', () => {
  const more = {
    role: 'admin',
    roles: ['admin'],
    admin: true,
    is_staff: true,
    is_superuser: true,
    user_id: '1',
    id: 'acct_chosen',
    sub: 'acct_chosen',
    sid: 'chosen',
    tenant_id: 'any',
    disabled_at: null,
    password_hash: '$argon2id$v=19$m=8192,t=1,p=1$AAAA$AAAA',
    permissions: ['*'],
    hard_position: -1,
  }

  test('extra members of a sign-up have no effect', async () => {
    const body = { ...more, username: 'greedy', password: PASSWORD }
    expect((await browser.visit('/auth/signup', { body })).status).toBe(201)
    const [row] = query(it.dataDir, `SELECT * FROM accounts WHERE username = 'greedy'`)
    expect(row).toMatchObject({
      roles: '[]',
      user_id: null,
      hard_position: 0,
      default_tenant: null,
    })
    expect(row?.['id']).not.toBe('acct_chosen')
    const other = new TestBrowser(it)
    const session = membersOf(await other.login({ ...more, ...body }))
    expect(session).toMatchObject({ roles: [], sub: row?.['id'] })
    expect(session['sid']).not.toBe('chosen')
    const refreshed = membersOf(await other.visit('/auth/refresh', { body: { ...more } }))
    expect(refreshed).toMatchObject({ roles: [], sub: row?.['id'] })
    it.mark()
    expect(membersOf(await other.get('/auth/me'))).toMatchObject({ roles: [], permissions: [] })
  })

  test('a tenant without membership is refused like a tenant that does not exist', async () => {
    await it.authority.tenants.create('acme', 'test')
    it.mark()
    const refresh = (tenant: string): Promise<Answer> =>
      browser.visit('/auth/refresh', { body: { tenant } })
    const [foreign, none] = [await refresh('acme'), await refresh('nowhere')]
    expect(foreign.status).toBe(403)
    expect({ ...none, headers: [] }).toEqual({ ...foreign, headers: [] })
    const body = { username: USERNAME, password: PASSWORD, tenant: 'acme' }
    expect((await browser.visit('/auth/login', { body })).status).toBe(403)
  })

  test.each(['password', 'sessions', 'sessions/end-all', 'me'])(
    'another account that a request to %s names is not looked at',
    async (path) => {
      const method = path === 'me' || path === 'sessions' ? 'GET' : 'POST'
      const named = `/auth/${path}?username=bob&account=acct_x&sub=acct_x`
      const other = new TestBrowser(it)
      const headers = { 'x-user': 'bob', 'x-account': 'acct_x', 'x-remote-user': 'bob' }
      expect((await other.visit(named, { method, headers })).status).toBe(401)
    },
  )
})
