import { generateKeyPairSync } from 'node:crypto'

import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { openTestAuthority, type TestAuthority } from './support/authority.ts'
import { startOddIssuer, type OddAnswer, type OddIssuer } from './support/odd-issuer.ts'
import { PageBrowser, type SeenPage } from './support/pages.ts'
import { CLIENT } from './support/upstream.ts'
import { whoIs, writeProviders } from './support/upstream-people.ts'

let server: OddIssuer
let it: TestAuthority
let browser: PageBrowser
let tokenForm: URLSearchParams
let tokenAuthorization: string | undefined
let stack: DisposableStack
beforeEach(async () => {
  stack = new DisposableStack()
  server = await startOddIssuer()
})
afterEach(async () => {
  await it[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  stack.dispose()
})

async function start(entry: object): Promise<void> {
  const { id: clientId, secret: clientSecret } = CLIENT
  const endpoints = {
    authorization: `${server.url}/authorize`,
    token: `${server.url}/token`,
    profile: `${server.url}/me`,
    emails: `${server.url}/emails`,
  }
  const file = stack.use(writeProviders([{ clientId, clientSecret, endpoints, ...entry }]))
  it = await openTestAuthority({ upstreamsFile: file.path, upstreamSignUp: true })
  browser = new PageBrowser(it)
}

function answerWith(path: string, body: unknown, status = 200): void {
  server.answers.set(path, (_form, { headers }): OddAnswer => {
    const isKnown = headers.authorization === 'Bearer the-token'
    return isKnown ? { status, body } : { status: 401, body: {} }
  })
}

/** Goes through the provider, which answers every code with a token. */
async function logIn(name: string): Promise<SeenPage> {
  server.answers.set('/token', (form, { headers }) => {
    tokenForm = form
    tokenAuthorization = headers.authorization
    return { body: { access_token: 'the-token', token_type: 'bearer', scope: 'any,thing' } }
  })
  const started = await browser.open(`/auth/upstream/${name}`)
  const { searchParams } = new URL(started.headers.get('location') ?? '')
  expect(searchParams.get('code_challenge_method')).toBe('S256')
  expect(searchParams.has('nonce')).toBe(false)
  return browser.ask(
    `/auth/upstream/${name}/callback?code=c&state=${searchParams.get('state')}`,
    {},
  )
}

describe('GitHub', () => {
  beforeEach(() => start({ preset: 'github' }))

  test('logs in by its number, with the primary address', async () => {
    answerWith('/me', { id: 583_231, login: 'octocat', name: 'Octo', email: 'public@example.com' })
    answerWith('/emails', [
      { email: 'other@example.com', primary: false, verified: true },
      { email: 'octocat@example.com', primary: true, verified: true },
    ])
    expect((await logIn('github')).status).toBe(303)
    expect(await whoIs(browser)).toMatchObject({
      username: 'octocat',
      email: 'octocat@example.com',
    })
    expect(await it.authority.identities.list('octocat')).toMatchObject({
      value: [{ issuer: `github:${server.url}`, subject: '583231' }],
    })
    expect(tokenForm.get('client_secret')).toBe(CLIENT.secret)
    expect(tokenForm.get('code_verifier')).toMatch(/^[\w-]{43}$/)
  })

  test('does not trust an address that is not verified', async () => {
    answerWith('/me', { id: 1, login: 'octocat' })
    answerWith('/emails', [{ email: 'octocat@example.com', primary: true, verified: false }])
    await logIn('github')
    expect(await whoIs(browser)).toMatchObject({ username: 'octocat', email: null })
  })

  test.each([
    ['without a number', { login: 'octocat' }, 200, 401],
    ['with a number that is no number', { id: { $gt: 0 }, login: 'octocat' }, 200, 401],
    ['that is no object', ['octocat'], 200, 401],
    ['that is refused', {}, 403, 401],
  ])('logs in to nothing with a profile %s', async (_what, profile, status, expected) => {
    answerWith('/me', profile, status)
    answerWith('/emails', [])
    expect((await logIn('github')).status).toBe(expected)
    expect(await it.authority.accounts.count()).toBe(1)
  })

  test('an error with the status 200 is an error', async () => {
    server.answers.set('/token', () => ({ body: { error: 'bad_verification_code' } }))
    const started = await browser.open('/auth/upstream/github')
    const { searchParams } = new URL(started.headers.get('location') ?? '')
    const path = `/auth/upstream/github/callback?code=c&state=${searchParams.get('state')}`
    expect((await browser.ask(path, {})).status).toBe(401)
  })
})

test('X logs in by its id, with Basic and without an address', async () => {
  await start({ preset: 'x' })
  answerWith('/me', { data: { id: '2244994945', name: 'Dev', username: 'xdev' } })
  expect((await logIn('x')).status).toBe(303)
  expect(await whoIs(browser)).toMatchObject({ username: 'xdev', email: null })
  expect(tokenAuthorization).toMatch(/^Basic /)
  expect(tokenForm.has('client_secret')).toBe(false)
})

test('Discord says whether it has verified the address', async () => {
  await start({ preset: 'discord' })
  answerWith('/me', {
    id: '80351110224678912',
    username: 'nelly',
    email: 'n@example.com',
    verified: true,
  })
  await logIn('discord')
  expect(await whoIs(browser)).toMatchObject({ username: 'nelly', email: 'n@example.com' })
})

test('an address from Facebook is never verified', async () => {
  await start({ preset: 'facebook' })
  answerWith('/me', { id: '10', name: 'Faye Book', email: 'f@example.com' })
  await logIn('facebook')
  expect(await whoIs(browser)).toMatchObject({ username: 'Faye Book', email: null })
})

describe('Apple', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

  test('gets a new client secret for each log-in, and may answer with a form', async () => {
    const key = stack.use(writeProviders([]))
    const { writeFileSync } = await import('node:fs')
    writeFileSync(key.path, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await start({
      preset: 'apple',
      issuer: server.url,
      endpoints: undefined,
      clientSecret: undefined,
      apple: { teamId: 'TEAM123456', keyId: 'KEY1234567', keyFile: key.path },
    })
    const started = await browser.open('/auth/upstream/apple')
    const { searchParams } = new URL(started.headers.get('location') ?? '')
    expect(searchParams.get('response_mode')).toBe('form_post')
    const [state, nonce] = [searchParams.get('state') ?? '', searchParams.get('nonce') ?? '']
    const now = Math.floor(Date.now() / 1000)
    const idToken = await server.sign({
      iss: server.url,
      sub: '001',
      aud: CLIENT.id,
      iat: now,
      exp: now + 60,
      nonce,
      email: 'a@privaterelay.appleid.com',
      email_verified: 'true',
    })
    server.answers.set('/token', (form) => {
      tokenForm = form
      return { body: { access_token: 't', token_type: 'Bearer', id_token: idToken } }
    })
    // The form of another site comes without cookies.
    const forwarded = await new PageBrowser(it).ask('/auth/upstream/apple/callback', {
      method: 'POST',
      body: new URLSearchParams({ state, code: 'c', user: '{"name":{}}' }),
      headers: { 'sec-fetch-site': 'cross-site', origin: 'https://appleid.apple.com' },
    })
    expect(forwarded.status).toBe(303)
    const location = forwarded.headers.get('location') ?? ''
    expect(location).toBe(`/auth/upstream/apple/callback?code=c&state=${state}`)
    expect((await browser.ask(location, {})).status).toBe(303)
    expect(await whoIs(browser)).toMatchObject({ email: 'a@privaterelay.appleid.com' })

    const secret = tokenForm.get('client_secret') ?? ''
    expect(decodeProtectedHeader(secret)).toMatchObject({ alg: 'ES256', kid: 'KEY1234567' })
    const { payload } = await jwtVerify(secret, publicKey, {
      audience: 'https://appleid.apple.com',
      issuer: 'TEAM123456',
      subject: CLIENT.id,
      currentDate: it.clock.nowMs() === 0 ? new Date() : new Date(it.clock.nowMs()),
    })
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300)
    expect(decodeJwt(secret).iat).toBe(Math.floor(it.clock.nowMs() / 1000))
  })
})
