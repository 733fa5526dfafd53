import type { JWTPayload } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { USERNAME, openTestAuthority, type TestAuthority } from './support/authority.ts'
import { startOddIssuer, type OddIssuer } from './support/odd-issuer.ts'
import { PageBrowser, type SeenPage } from './support/pages.ts'
import { CLIENT } from './support/upstream.ts'
import { entryOf, writeProviders } from './support/upstream-people.ts'

// R25 of the catalogue of attacks: what a wrong or hostile provider answers.

let odd: OddIssuer
let it: TestAuthority
let browser: PageBrowser
let file: ReturnType<typeof writeProviders>

/** So that the server asks for the userinfo, although the ID token has an address. */
const ROLES = { claim: 'groups', map: { staff: ['editor'] } }

async function start(
  discovery: Readonly<Record<string, unknown>> = {},
  entry: object = {},
): Promise<void> {
  odd = await startOddIssuer(discovery)
  file = writeProviders([entryOf(odd.url, entry)])
  it = await openTestAuthority({ upstreamsFile: file.path, upstreamSignUp: true })
  browser = new PageBrowser(it)
}

beforeEach(() => start())
afterEach(async () => {
  await it[Symbol.asyncDispose]()
  await odd[Symbol.asyncDispose]()
  file[Symbol.dispose]()
})

interface Begun {
  readonly state: string
  readonly nonce: string
}

async function begin(): Promise<Begun> {
  const started = await browser.open('/auth/upstream/work')
  const { searchParams } = new URL(started.headers.get('location') ?? '')
  return { state: searchParams.get('state') ?? '', nonce: searchParams.get('nonce') ?? '' }
}

function claimsFor({ nonce }: Begun): JWTPayload {
  const now = Math.floor(Date.now() / 1000)
  return { iss: odd.url, sub: 'u-1', aud: CLIENT.id, iat: now, exp: now + 60, nonce }
}

/** Answers the token request with this ID token, and comes back. */
async function comeBack({ state }: Begun, idToken: string, more = ''): Promise<SeenPage> {
  odd.answers.set('/token', () => ({
    body: { access_token: 'opaque', token_type: 'Bearer', expires_in: 60, id_token: idToken },
  }))
  return browser.ask(`/auth/upstream/work/callback?code=c&state=${state}${more}`, {})
}

async function expectRefused(page: SeenPage): Promise<void> {
  expect([page.status, page.text]).toEqual([401, expect.stringMatching(/did not confirm/)])
  expect([...browser.jar.cookies.keys()]).toEqual([])
  expect(await it.authority.accounts.count()).toBe(1)
}

test('a right ID token logs in', async () => {
  const begun = await begin()
  const done = await comeBack(begun, await odd.sign(claimsFor(begun)))
  expect(done.status).toBe(303)
  expect(await it.authority.accounts.count()).toBe(2)
})

const now = (): number => Math.floor(Date.now() / 1000)

const WRONG: readonly (readonly [string, JWTPayload])[] = [
  ['another issuer', { iss: 'https://accounts.google.com' }],
  ['no issuer', { iss: undefined as unknown as string }],
  ['another audience', { aud: 'another-client' }],
  ['no audience', { aud: undefined as unknown as string }],
  ['several audiences and no azp', { aud: [CLIENT.id, 'another-client'] }],
  ['no end', { exp: undefined as unknown as number }],
  ['an end in the past', { exp: now() - 600 }],
  ['no time', { iat: undefined as unknown as number }],
  ['another nonce', { nonce: 'another' }],
  ['no nonce', { nonce: undefined }],
  ['no subject', { sub: undefined as unknown as string }],
  ['a subject that is no text', { sub: 7 as unknown as string }],
  ['a subject that is too long', { sub: 'x'.repeat(300) }],
]

test.each(WRONG)('R25 an ID token with %s logs in to nothing', async (_what, wrong) => {
  const begun = await begin()
  await expectRefused(await comeBack(begun, await odd.sign({ ...claimsFor(begun), ...wrong })))
})

test('R25 an ID token with a signature of another key logs in to nothing', async () => {
  const begun = await begin()
  await expectRefused(await comeBack(begun, await odd.forge(claimsFor(begun))))
})

test('R25 an ID token without a signature logs in to nothing', async () => {
  const begun = await begin()
  const [, payload] = (await odd.sign(claimsFor(begun))).split('.')
  const header = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
  await expectRefused(await comeBack(begun, `${header}.${payload}.`))
})

test('R25 the state is compared before the provider is asked', async () => {
  const begun = await begin()
  const asked = odd.requests.length
  const page = await comeBack({ ...begun, state: `${begun.state.slice(0, -1)}x` }, '')
  expect(page.status).toBe(400)
  expect(odd.requests).toHaveLength(asked)
})

test('R25 a verified address in the userinfo does not verify the one in the ID token', async () => {
  await it[Symbol.asyncDispose]()
  await odd[Symbol.asyncDispose]()
  // It is on another port of this machine, because the URL of the provider is not known yet.
  await using userinfo = await startOddIssuer()
  userinfo.answers.set('/userinfo', () => ({
    body: { sub: 'u-1', email: 'other@example.com', email_verified: true, groups: ['staff'] },
  }))
  await start({ userinfo_endpoint: `${userinfo.url}/userinfo` }, { roles: ROLES })
  const begun = await begin()
  const token = await odd.sign({ ...claimsFor(begun), email: 'alice@example.com' })
  expect((await comeBack(begun, token)).status).toBe(303)
  const accounts = await it.authority.accounts.list()
  const account = accounts.find(({ username }) => username !== USERNAME)
  expect(account?.roles).toEqual(['editor'])
  expect(userinfo.requests).toContain('GET /userinfo')
  expect(account?.email).toBeUndefined()
})

describe('with the parameter iss (RFC 9207)', () => {
  beforeEach(async () => {
    await it[Symbol.asyncDispose]()
    await odd[Symbol.asyncDispose]()
    await start({ authorization_response_iss_parameter_supported: true })
  })

  test('the right issuer is accepted', async () => {
    const begun = await begin()
    const iss = `&iss=${encodeURIComponent(odd.url)}`
    expect((await comeBack(begun, await odd.sign(claimsFor(begun)), iss)).status).toBe(303)
  })

  test.each([
    ['another issuer', '&iss=https%3A%2F%2Fevil.example'],
    ['no issuer', ''],
  ])('%s is not', async (_what, iss) => {
    const begun = await begin()
    const asked = odd.requests.length
    await expectRefused(await comeBack(begun, await odd.sign(claimsFor(begun)), iss))
    expect(odd.requests).toHaveLength(asked)
  })
})

describe('a provider that fails', () => {
  test.each([
    ['the code is rejected', 400, { error: 'invalid_grant' }, 401],
    ['the client is rejected', 401, { error: 'invalid_client' }, 401],
    ['no token comes', 200, { token_type: 'Bearer' }, 401],
    ['an answer is no object', 200, [], 401],
    ['the server fails', 500, {}, 503],
    ['an answer never ends', 200, { access_token: 'x'.repeat(700_000), token_type: 'Bearer' }, 401],
  ])('gets a page if %s', async (_what, status, body, expected) => {
    const { state } = await begin()
    odd.answers.set('/token', () => ({ status, body }))
    const page = await browser.ask(`/auth/upstream/work/callback?code=c&state=${state}`, {})
    expect(page.status).toBe(expected)
    expect(page.html).not.toMatch(/invalid_grant|opaque/)
  })

  test('is asked again after its discovery document could not be read', async () => {
    const document = odd.answers.get('/.well-known/openid-configuration')
    odd.answers.set('/.well-known/openid-configuration', () => ({ status: 500, body: {} }))
    expect((await browser.open('/auth/upstream/work')).status).toBe(503)
    if (document !== undefined) odd.answers.set('/.well-known/openid-configuration', document)
    expect((await browser.open('/auth/upstream/work')).status).toBe(303)
    expect((await browser.open('/auth/upstream/work')).status).toBe(303)
    // The document is kept.
    expect(odd.requests.filter((each) => each.includes('openid-configuration'))).toHaveLength(2)
  })

  test('with the discovery document of another issuer is not used', async () => {
    await it[Symbol.asyncDispose]()
    await odd[Symbol.asyncDispose]()
    await start({ issuer: 'https://accounts.google.com' })
    expect((await browser.open('/auth/upstream/work')).status).toBe(503)
  })
})

test('text of the provider never reaches a page', async () => {
  const { state } = await begin()
  const page = await browser.ask(
    `/auth/upstream/work/callback?error=%3Cscript%3E&error_description=%3Cb%3Ehello&state=${state}`,
    {},
  )
  await expectRefused(page)
  expect(page.html).not.toMatch(/hello|<script>/)
})
