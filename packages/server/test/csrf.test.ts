import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import {
  ISSUER,
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type TestAuthority,
} from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'

let it: TestAuthority
let browser: TestBrowser
beforeAll(async () => {
  it = await openTestAuthority({
    origins: 'https://app.example.com',
    throttle: 'off',
    signUp: true,
  })
})
afterAll(() => it[Symbol.asyncDispose]())
beforeEach(async () => {
  browser = new TestBrowser(it)
  await browser.login()
})

/** Each endpoint that changes something for the owner of the cookies. */
const endpoints: [method: string, path: string, body: object | undefined][] = [
  ['POST', '/auth/login', { username: USERNAME, password: PASSWORD }],
  ['POST', '/auth/refresh', undefined],
  ['POST', '/auth/logout', undefined],
  ['POST', '/auth/password', { old_password: PASSWORD, new_password: `${PASSWORD} two` }],
  ['POST', '/auth/sessions/end-others', undefined],
  ['POST', '/auth/sessions/end-all', undefined],
  ['DELETE', '/auth/sessions/anything', undefined],
]

const foreign: readonly (readonly [name: string, headers: Record<string, string | undefined>])[] = [
  [
    'D01 a page of another site',
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
  ],
  [
    'D01 a neighbouring subdomain',
    { 'sec-fetch-site': 'same-site', origin: 'http://evil.localhost' },
  ],
  ['D01 another port', { 'sec-fetch-site': 'same-site', origin: 'http://localhost:9999' }],
  ['D02 a sandboxed frame', { 'sec-fetch-site': 'cross-site', origin: 'null' }],
  [
    'D02 an older browser on another site',
    { 'sec-fetch-site': undefined, origin: 'https://evil.example' },
  ],
  [
    'D02 a look-alike',
    { 'sec-fetch-site': undefined, origin: 'https://app.example.com.evil.example' },
  ],
  [
    'D02 the configured host over http',
    { 'sec-fetch-site': undefined, origin: 'http://app.example.com' },
  ],
  [
    'D02 a request without Origin and Sec-Fetch-Site',
    { 'sec-fetch-site': undefined, origin: undefined },
  ],
  [
    'D01 another site behind a forged host',
    {
      'sec-fetch-site': 'cross-site',
      origin: 'https://evil.example',
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
    },
  ],
]

describe.each(endpoints)('%s %s', (method, path, body) => {
  test.each(foreign)('%s is refused with any token', async (_name, headers) => {
    const sent = browser.lines.length
    const answer = await browser.visit(path, { method, body, headers })
    expect({ status: answer.status, code: membersOf(answer)['code'] }).toEqual({
      status: 403,
      code: 'csrf_failed',
    })
    expect(browser.lines).toHaveLength(sent)
    expect((await browser.get('/auth/me')).status).toBe(200)
  })

  test.each<[string, () => string | undefined | Promise<string | undefined>]>([
    ['no token', () => undefined],
    ['an empty token', () => ''],
    [
      'a tampered token',
      () =>
        `${browser.csrfToken?.slice(0, -1)}${browser.csrfToken?.endsWith('A') === true ? 'B' : 'A'}`,
    ],
    [
      'the token of another session',
      async () => {
        const other = new TestBrowser(it)
        await other.login()
        return other.csrfToken
      },
    ],
    [
      'the token of a browser without a session',
      async () => {
        const other = new TestBrowser(it)
        await other.get('/auth/csrf')
        return other.csrfToken
      },
    ],
  ])('D04 with %s is refused', async (_name, tokenOf) => {
    const token = await tokenOf()
    const answer = await browser.visit(path, { method, body, headers: { 'x-csrf-token': token } })
    expect(answer.status).toBe(403)
    expect((await browser.get('/auth/me')).status).toBe(200)
  })

  test('D04 with two tokens is refused', async () => {
    const headers = { 'x-csrf-token': browser.csrfToken, 'x-csrftoken': browser.csrfToken }
    expect((await browser.visit(path, { method, body, headers })).status).toBe(403)
  })
})

test("Django's header name is accepted too", async () => {
  const headers = { 'x-csrf-token': undefined, 'x-csrftoken': browser.csrfToken }
  expect((await browser.visit('/auth/refresh', { headers })).status).toBe(200)
})

test.each([
  ['a typed address', { 'sec-fetch-site': 'none', origin: undefined }],
  ['an older browser on our own page', { 'sec-fetch-site': undefined, origin: ISSUER }],
  ['a word that nobody knows yet', { 'sec-fetch-site': 'somewhere', origin: ISSUER }],
])('%s passes with its token', async (_name, headers) => {
  expect((await browser.visit('/auth/refresh', { headers })).status).toBe(200)
})

test('D05 the CSRF token of a planted pre-login cookie is not valid with another cookie', async () => {
  const attacker = new TestBrowser(it)
  await attacker.get('/auth/csrf')
  const victim = new TestBrowser(it)
  await victim.get('/auth/csrf')
  const body = { username: USERNAME, password: PASSWORD }
  const headers = { 'x-csrf-token': attacker.csrfToken }
  expect((await victim.visit('/auth/login', { body, headers })).status).toBe(403)
})

test('a request with an access token in the header needs no CSRF token', async () => {
  const { access } = await it.login()
  const bare = new TestBrowser(it)
  const headers = {
    authorization: `Bearer ${access}`,
    'sec-fetch-site': 'cross-site',
    origin: 'https://elsewhere.example',
  }
  expect((await bare.visit('/auth/sessions/end-others', { headers })).status).toBe(200)
})

describe('sign-up, which uses no cookies and requires no CSRF token', () => {
  const body = { username: 'carol', password: PASSWORD }
  const bySomebody = foreign.filter(([, headers]) => Object.values(headers).some(Boolean))

  test.each(bySomebody)('from %s is refused', async (_name, headers) => {
    const answer = await new TestBrowser(it).visit('/auth/signup', { body, headers })
    expect(answer.status).toBe(403)
    expect(membersOf(answer)).toMatchObject({ code: 'csrf_failed' })
  })

  test.each([
    ['our own page', 'own', { 'sec-fetch-site': 'same-origin', origin: ISSUER }],
    [
      'a configured origin',
      'other',
      { 'sec-fetch-site': 'cross-site', origin: 'https://app.example.com' },
    ],
    ['a program', 'program', { 'sec-fetch-site': undefined, origin: undefined }],
  ])('from %s makes the account', async (_name, username, headers) => {
    const given = { body: { ...body, username }, headers, withoutToken: true }
    expect((await new TestBrowser(it).visit('/auth/signup', given)).status).toBe(201)
  })
})

describe('the token from before the login', () => {
  /** A browser that keeps its CSRF cookie from before the login, as an attacker can plant it. */
  async function withOldNonce(): Promise<{
    readonly visitor: TestBrowser
    readonly token: string
  }> {
    const visitor = new TestBrowser(it)
    await visitor.get('/auth/csrf')
    const token = visitor.csrfToken ?? ''
    const nonce = visitor.cookies.get('cs_csrf') ?? ''
    await visitor.login()
    visitor.cookies.set('cs_csrf', nonce)
    return { visitor, token }
  }

  test.each(['/auth/refresh', '/auth/logout'])('is refused at %s', async (path) => {
    const { visitor, token } = await withOldNonce()
    const answer = await visitor.visit(path, { headers: { 'x-csrf-token': token } })
    expect(answer.status).toBe(403)
    expect(membersOf(answer)).toMatchObject({ code: 'csrf_failed' })
    expect((await visitor.get('/auth/me')).status).toBe(200)
    expect((await visitor.visit(path, {})).status).toBe(path === '/auth/refresh' ? 200 : 204)
  })

  test('is accepted at a login, even if a session is left over', async () => {
    const { visitor, token } = await withOldNonce()
    const body = { username: USERNAME, password: PASSWORD }
    const answer = await visitor.visit('/auth/login', { body, headers: { 'x-csrf-token': token } })
    expect(answer.status).toBe(200)
  })
})
