import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose'
import { expect, test } from 'vitest'

import { ISSUER, TestClock, type TestAuthority } from './support/authority.ts'
import { runCommand } from './support/command-line.ts'
import {
  beginLogin,
  CALLBACK,
  claimsIn,
  exchange,
  logInTo,
  openSsoAuthority,
  pageOf,
  readTokens,
  refreshWith,
  registerApp,
  SsoBrowser,
  tokensOf,
  urlOf,
  type Login,
} from './support/sso.ts'

// The command needs the settings of the database.
const isPostgres = process.env['TEST_DATABASE'] === 'postgres'

test('a person logs in to an application, and the guard accepts its access token', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const browser = new SsoBrowser(it)
  const login = beginLogin(app, { scope: 'openid profile offline_access' })

  const signIn = pageOf(await browser.goTo('/oauth2/authorize', login.query))
  expect(signIn.path).toMatch(/^\/sign-in\?return_to=/)
  const consent = pageOf(await browser.signIn(signIn))
  expect(consent.title).toBe('Allow Shop?')
  expect(consent.text).toContain('See your username')
  expect(consent.text).toContain('shop.example.com')
  const url = urlOf(await browser.pressAndFollow(consent, {}, 'Allow'))
  expect(url.href.split('?')[0]).toBe(CALLBACK)
  expect(url.searchParams.get('state')).toBe('state-of-the-application')
  expect(url.searchParams.get('iss')).toBe(ISSUER)

  const answer = await exchange(it, app, login, url)
  expect(answer.body).toMatchObject({ token_type: 'Bearer', expires_in: 300 })
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const { access, refresh, id } = readTokens(answer)
  expect(refresh).toMatch(/^[\w-]{22}\.0\.[\w-]{43}$/)
  const verified = it.authority.verify(access)
  expect(verified).toMatchObject({
    ok: true,
    claims: {
      client_id: app.id,
      scope: 'openid profile offline_access',
      aud: ISSUER,
      token_type: 'access',
      roles: [],
    },
  })
  const { sub, sid } = claimsIn(access)
  expect(claimsIn(id)).toMatchObject({
    iss: ISSUER,
    sub,
    sid,
    aud: app.id,
    nonce: 'nonce-of-the-application',
    amr: ['pwd'],
    preferred_username: 'alice',
  })
  expect(sub).toMatch(/^acct_/)
})

test('the access token has the same claims as the one of a login, and those of OAuth', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const { access } = await tokensOf(it, app)
  const own = await it.login()
  const names = (token: string): string[] => Object.keys(claimsIn(token)).toSorted()
  expect(names(access)).toEqual([...names(own.access), 'scope'].toSorted())
})

test('a person who is logged in on the pages needs no second login', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const login = beginLogin(app)
  const url = urlOf(await browser.goTo('/oauth2/authorize', login.query))
  expect((await exchange(it, app, login, url)).status).toBe(200)
})

test('a first-party application gets a refresh token without consent, if it registered the grant', async () => {
  await using it = await openSsoAuthority()
  const own = { firstParty: true, redirectUris: [CALLBACK] }
  const app = await registerApp(it, own)
  const without = await registerApp(it, { ...own, name: 'other', grants: ['authorization_code'] })
  const browser = new SsoBrowser(it)
  expect((await tokensOf(it, app, browser, 'openid')).refresh).not.toBe('')
  expect((await tokensOf(it, without, browser, 'openid offline_access')).refresh).toBe('')
})

test('consent is remembered for the scopes that were allowed', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const browser = new SsoBrowser(it)
  await tokensOf(it, app, browser, 'openid email')
  const less = beginLogin(app, { scope: 'openid' })
  urlOf(await browser.goTo('/oauth2/authorize', less.query))
  const more = beginLogin(app, { scope: 'openid profile' })
  const asked = pageOf(await browser.goTo('/oauth2/authorize', more.query))
  expect(asked.title).toBe('Allow Shop?')
  const again = beginLogin(app, { scope: 'openid', prompt: 'consent' })
  expect(pageOf(await browser.goTo('/oauth2/authorize', again.query)).title).toBe('Allow Shop?')
})

test('a refused consent tells the application, and nothing is remembered', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const browser = new SsoBrowser(it)
  const { query } = beginLogin(app)
  const signIn = pageOf(await browser.goTo('/oauth2/authorize', query))
  const consent = pageOf(await browser.signIn(signIn))
  const url = urlOf(await browser.pressAndFollow(consent, {}, 'Do not allow'))
  expect(Object.fromEntries(url.searchParams)).toMatchObject({
    error: 'access_denied',
    state: query['state'],
    iss: ISSUER,
  })
  expect(url.searchParams.has('code')).toBe(false)
  expect(pageOf(await browser.goTo('/oauth2/authorize', query)).title).toBe('Allow Shop?')
})

test('the form of the consent page belongs to its session', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const browser = new SsoBrowser(it)
  const { query } = beginLogin(app)
  const consent = pageOf(
    await browser.signIn(pageOf(await browser.goTo('/oauth2/authorize', query))),
  )
  const forged = await browser.post(consent.path, { csrf: 'x'.repeat(43), allow: '1' })
  expect(forged.status).toBe(403)
  const foreign = await browser.post(
    consent.path,
    { ...consent.fields },
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
  )
  expect(foreign.status).toBe(403)
})

test('R02 a public application on this machine is asked for every time, whoever owns it', async () => {
  await using it = await openSsoAuthority()
  const redirectUris = ['http://127.0.0.1/callback', 'com.example.app:/callback']
  const app = await registerApp(it, { kind: 'public', firstParty: true, redirectUris })
  const browser = new SsoBrowser(it)
  const first = beginLogin(app, { redirect_uri: 'http://127.0.0.1:49152/callback' })
  const url = await logInTo(browser, first)
  expect(url.port).toBe('49152')
  const second = beginLogin(app, { redirect_uri: 'http://127.0.0.1:50000/callback' })
  expect(pageOf(await browser.goTo('/oauth2/authorize', second.query)).title).toBe('Allow Shop?')
  const silent = beginLogin(app, { redirect_uri: 'com.example.app:/callback', prompt: 'none' })
  const answer = urlOf(await browser.goTo('/oauth2/authorize', silent.query))
  expect(answer.searchParams.get('error')).toBe('consent_required')
})

test('R10 prompt=none shows no page', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  const { query } = beginLogin(app, { prompt: 'none' })
  const nobody = urlOf(await browser.goTo('/oauth2/authorize', query))
  expect(nobody.searchParams.get('error')).toBe('login_required')
  await browser.jar.login()
  const somebody = urlOf(await browser.goTo('/oauth2/authorize', query))
  expect(somebody.searchParams.get('code')).not.toBeNull()
})

test('the session is found although another site hides its strict cookie', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  await tokensOf(it, app, browser)
  // The access cookie has expired. Browsers send the refresh cookie only from this site.
  const { cookies } = browser.jar
  cookies.delete('cs_access')
  const refresh = cookies.get('cs_refresh') ?? ''
  cookies.delete('cs_refresh')
  const { query } = beginLogin(app)
  expect(urlOf(await browser.goTo('/oauth2/authorize', query)).searchParams.has('code')).toBe(true)

  // The library's own cookie is gone too. The page loads itself again from this site.
  cookies.delete('cs_sso')
  const hidden = await browser.ask(`/oauth2/authorize?${new URLSearchParams(query).toString()}`, {
    headers: { 'sec-fetch-site': 'cross-site' },
  })
  const target = hidden.headers.get('location') ?? ''
  const bounce = await browser.ask(target, { headers: { 'sec-fetch-site': 'cross-site' } })
  expect(bounce.html).toContain('http-equiv="refresh"')
  cookies.set('cs_refresh', refresh)
  expect(urlOf(await browser.follow(bounce)).searchParams.has('code')).toBe(true)
})

test('a second person in the same browser logs in as themselves in one pass', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const bob = { username: 'bob', password: 'staple and no donkey' }
  await it.authority.accounts.create(bob, 'test')
  const browser = new SsoBrowser(it)
  const first = await tokensOf(it, app, browser)
  const login = beginLogin(app, { prompt: 'login', id_token_hint: undefined })
  const confirm = pageOf(await browser.goTo('/oauth2/authorize', login.query))
  expect(confirm.path).toMatch(/^\/auth\/account\/confirm/)
  const instead = confirm.tags.find(({ attributes: { href } }) => href?.includes('other=1'))
  const signIn = await browser.open(instead?.attributes['href'] ?? '')
  const url = urlOf(await browser.signIn(signIn, bob.username, bob.password))
  const answer = await exchange(it, app, login, url)
  const second = readTokens(answer)
  expect(claimsIn(second.id)['sub']).not.toBe(claimsIn(first.id)['sub'])
  expect(claimsIn(second.access)['sid']).not.toBe(claimsIn(first.access)['sid'])
  // The session of the first person has ended in this browser, and with it everything of the application.
  expect((await refreshWith(it, app, first.refresh)).body).toMatchObject({ error: 'invalid_grant' })
})

test('an application sees that another account is logged in than the one that it names', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const bob = { username: 'bob', password: 'staple and no donkey' }
  await it.authority.accounts.create(bob, 'test')
  const alice = await tokensOf(it, app)
  const browser = new SsoBrowser(it)
  await browser.jar.login(bob)
  const hinted = beginLogin(app, { id_token_hint: alice.id, prompt: 'none' })
  const url = urlOf(await browser.goTo('/oauth2/authorize', hinted.query))
  expect(url.searchParams.get('error')).toBe('login_required')
  const asked = beginLogin(app, { id_token_hint: alice.id })
  const page = pageOf(await browser.goTo('/oauth2/authorize', asked.query))
  expect(page.path).toMatch(/^\/sign-in\?.*other=1/)
  const answer = await exchange(it, app, asked, urlOf(await browser.signIn(page)))
  expect(claimsIn(readTokens(answer).id)['sub']).toBe(claimsIn(alice.id)['sub'])
})

test('a code is sent as a form if the application asks for it', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const { query } = beginLogin(app, { response_mode: 'form_post' })
  const page = pageOf(await browser.goTo('/oauth2/authorize', query))
  expect(page.forms[0]?.action).toBe(CALLBACK)
  expect(page.fields?.['code']).toMatch(/^[\w-]{43}$/)
  const policy = page.headers.get('content-security-policy') ?? ''
  expect(policy).toContain("script-src 'sha256-")
  expect(policy).toContain('form-action https://shop.example.com')
})

test('parameters may also come as a form', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const { query } = beginLogin(app)
  const answer = await browser.ask('/oauth2/authorize', {
    method: 'POST',
    body: new URLSearchParams(query),
    headers: { 'sec-fetch-site': 'cross-site', origin: 'https://shop.example.com' },
  })
  expect(urlOf(await browser.follow(answer)).searchParams.has('code')).toBe(true)
})

test('an interaction of another browser, or one that has expired, is a page that begins again', async () => {
  await using it = await openSsoAuthority()
  const startUrl = 'https://shop.example.com/login'
  const app = await registerApp(it, { startUrl })
  const { query } = beginLogin(app)
  const browser = new SsoBrowser(it)
  const signIn = pageOf(await browser.goTo('/oauth2/authorize', query))
  const path = new URL(signIn.path, ISSUER).searchParams.get('return_to') ?? ''
  const other = new SsoBrowser(it)
  await other.jar.login()
  const page = await other.open(path)
  expect(page.status).toBe(400)
  expect(page.title).toBe('This login has expired')
  const link = page.tags.find(({ text }) => text === 'Start again')
  expect(link?.attributes['href']).toBe(startUrl)
  const resumed = await other.open(path.replace('interaction', 'authorize').split('?')[0] ?? '')
  expect(resumed.status).toBe(400)
  expect(resumed.title).toBe('This login has expired')
})

interface Refused {
  readonly name: string
  readonly change: Readonly<Record<string, string | undefined>>
}

const LOCAL: readonly Refused[] = [
  { name: 'an unknown application', change: { client_id: 'app_unknown' } },
  { name: 'no application', change: { client_id: undefined } },
  { name: 'another redirect', change: { redirect_uri: 'https://evil.example/callback' } },
  { name: 'a longer redirect', change: { redirect_uri: `${CALLBACK}/more` } },
  { name: 'a redirect with a query', change: { redirect_uri: `${CALLBACK}?a=b` } },
  { name: 'a redirect with a fragment', change: { redirect_uri: `${CALLBACK}#a` } },
  { name: 'a redirect with dots', change: { redirect_uri: `${CALLBACK}/../callback` } },
  { name: 'a redirect with capital letters', change: { redirect_uri: CALLBACK.toUpperCase() } },
  {
    name: 'a redirect of a subdomain',
    change: { redirect_uri: 'https://a.shop.example.com/callback' },
  },
  {
    name: 'a redirect with a user',
    change: { redirect_uri: 'https://shop.example.com@evil.example/' },
  },
  {
    name: 'a redirect with a backslash',
    change: { redirect_uri: 'https://evil.example\\@shop.example.com/callback' },
  },
  {
    name: 'a redirect with a port',
    change: { redirect_uri: 'https://shop.example.com:8443/callback' },
  },
  { name: 'a redirect without TLS', change: { redirect_uri: 'http://shop.example.com/callback' } },
  { name: 'a script', change: { redirect_uri: 'javascript:alert(1)' } },
  { name: 'no redirect', change: { redirect_uri: undefined } },
]

test.each(LOCAL)('R01 no browser is redirected for $name', async ({ change }) => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const page = pageOf(await browser.goTo('/oauth2/authorize', beginLogin(app, change).query))
  expect(page.status).toBe(400)
  expect(page.headers.get('location')).toBeNull()
  expect(page.html).not.toContain('evil.example')
})

const TOLD: readonly (Refused & { readonly error: string })[] = [
  {
    name: 'no challenge',
    change: { code_challenge: undefined, code_challenge_method: undefined },
    error: 'invalid_request',
  },
  {
    name: 'the method plain',
    change: { code_challenge_method: 'plain' },
    error: 'invalid_request',
  },
  { name: 'no method', change: { code_challenge_method: undefined }, error: 'invalid_request' },
  {
    name: 'a short challenge',
    change: { code_challenge: 'a'.repeat(42) },
    error: 'invalid_request',
  },
  { name: 'no flow', change: { response_type: 'none' }, error: 'unsupported_response_type' },
  {
    name: 'a foreign resource',
    change: { resource: 'https://other.example' },
    error: 'invalid_target',
  },
  {
    name: 'a request object',
    change: { request: 'eyJhbGciOiJub25lIn0.e30.' },
    error: 'request_not_supported',
  },
  { name: 'a wrong hint', change: { id_token_hint: 'a.b.c' }, error: 'invalid_request' },
  { name: 'an unknown prompt', change: { prompt: 'dance' }, error: 'invalid_request' },
]

test.each(TOLD)('R05 the application is told about $name', async ({ change, error }) => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const url = urlOf(await browser.goTo('/oauth2/authorize', beginLogin(app, change).query))
  expect(url.href.split('?')[0]).toBe(CALLBACK)
  expect(url.searchParams.get('error')).toBe(error)
  expect(url.searchParams.get('iss')).toBe(ISSUER)
  expect(url.searchParams.has('code')).toBe(false)
})

test.each(['token', 'id_token', 'code id_token', 'id_token token'])(
  'R04 the flow %s does not exist',
  async (response_type) => {
    await using it = await openSsoAuthority()
    const app = await registerApp(it, { firstParty: true })
    const browser = new SsoBrowser(it)
    await browser.jar.login()
    const { query } = beginLogin(app, { response_type })
    const { hash } = urlOf(await browser.goTo('/oauth2/authorize', query))
    const answer = new URLSearchParams(hash.slice(1))
    expect(answer.get('error')).toBe('invalid_request')
    expect([...answer.keys()].toSorted()).toEqual(['error', 'error_description', 'iss', 'state'])
  },
)

test('a request without a scope gets the smallest one', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const login = beginLogin(app, { scope: undefined, nonce: undefined })
  const url = urlOf(await browser.goTo('/oauth2/authorize', login.query))
  expect((await exchange(it, app, login, url)).body).toMatchObject({ scope: 'openid' })
})

test('over https, all cookies have the prefixes that browsers enforce', async () => {
  const publicUrl = 'https://auth.example.com'
  await using it = await openSsoAuthority({
    publicUrl,
    secret: 'a-secret-of-a-test-over-https-0123456789',
  })
  const app = await registerApp(it)
  const query = new URLSearchParams(beginLogin(app).query).toString()
  // The request comes from a proxy, with the host of the server behind it.
  const answer = await it.authority.fetch(
    new Request(`http://10.0.0.5:8000/oauth2/authorize?${query}`, {
      headers: { host: '10.0.0.5:8000', 'x-forwarded-host': 'evil.example' },
    }),
  )
  const lines = answer.headers.getSetCookie()
  expect(lines.map((line) => line.split('=')[0] ?? '').toSorted()).toEqual([
    '__Secure-cs_interaction',
    '__Secure-cs_resume',
  ])
  for (const line of lines) {
    expect(line).toMatch(/; path=\/oauth2\/(?:interaction|authorize)\/[\w-]+;/i)
    expect(line).toMatch(/; secure/i)
    expect(line).toMatch(/; httponly/i)
    expect(line).toMatch(/; samesite=lax/i)
    expect(line).not.toContain('evil')
  }
  const resumed = await it.authority.fetch(
    new Request(`${publicUrl}/oauth2/authorize?${query}`, {
      headers: { cookie: '__Host-cs_sso=unknown' },
    }),
  )
  const pointer = resumed.headers.getSetCookie().find((line) => line.startsWith('__Host-cs_sso='))
  expect(pointer).toMatch(/; path=\/;/i)
  expect(pointer).toMatch(/; secure/i)
})

test('a repeated parameter is refused', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const query = new URLSearchParams(beginLogin(app).query)
  query.append('scope', 'email')
  const url = urlOf(await browser.goTo(`/oauth2/authorize?${query.toString()}`))
  expect(url.searchParams.get('error')).toBe('invalid_request')
})

/** A person has logged in, and the code waits. */
async function codeOf(it: TestAuthority): Promise<{
  readonly app: Awaited<ReturnType<typeof registerApp>>
  readonly login: Login
  readonly url: URL
}> {
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const login = beginLogin(app)
  return { app, login, url: urlOf(await browser.goTo('/oauth2/authorize', login.query)) }
}

test('R05 and R07 a code works only with its verifier, its redirect and its application', async () => {
  await using it = await openSsoAuthority()
  const { app, login, url } = await codeOf(it)
  const other = await registerApp(it, { name: 'other' })
  const attempts = [
    await exchange(it, app, { verifier: 'a'.repeat(43) }, url),
    await exchange(it, app, { verifier: '' }, url),
    await exchange(it, { ...app, redirectUri: `${CALLBACK}/` }, login, url),
    await exchange(it, other, login, url),
  ]
  for (const { status, body } of attempts) {
    expect(status).toBe(400)
    expect(body).toMatchObject({ error: 'invalid_grant' })
  }
  expect((await exchange(it, { ...app, secret: 'wrong' }, login, url)).status).toBe(401)
  expect((await exchange(it, app, login, url)).status).toBe(200)
})

test('R07 a code expires after a minute', async () => {
  const clock = new TestClock()
  await using it = await openSsoAuthority({ clock })
  const early = await codeOf(it)
  clock.advanceMs(59_000)
  expect((await exchange(it, early.app, early.login, early.url)).status).toBe(200)
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const login = beginLogin(early.app)
  const url = urlOf(await browser.goTo('/oauth2/authorize', login.query))
  clock.advanceMs(61_000)
  expect(await exchange(it, early.app, login, url)).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  })
})

test('R07 a code that is used twice ends everything that came from it', async () => {
  await using it = await openSsoAuthority()
  const { app, login, url } = await codeOf(it)
  const first = readTokens(await exchange(it, app, login, url))
  expect(it.authority.verify(first.access).ok).toBe(true)
  const replay = await exchange(it, app, login, url)
  expect(replay).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  expect(it.authority.verify(first.access)).toMatchObject({ ok: false, code: 'token_stale' })
  expect((await refreshWith(it, app, first.refresh)).body).toMatchObject({ error: 'invalid_grant' })
})

test('of 50 requests with one code, one gets tokens', async () => {
  await using it = await openSsoAuthority()
  const { app, login, url } = await codeOf(it)
  const answers = await Promise.all(Array.from({ length: 50 }, () => exchange(it, app, login, url)))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(answers.filter(({ body }) => body['error'] === 'invalid_grant')).toHaveLength(49)
})

test.skipIf(isPostgres)(
  'the ID token verifies with the published keys, and a new key signs without a restart',
  async () => {
    await using it = await openSsoAuthority({ keyRotation: '30d' })
    const app = await registerApp(it, { firstParty: true })
    const browser = new SsoBrowser(it)
    const check = async (id: string): Promise<string> => {
      const keys = await it.authority.fetch(new Request(`${ISSUER}/.well-known/jwks.json`))
      const set = createLocalJWKSet((await keys.json()) as JSONWebKeySet)
      const options = { issuer: ISSUER, audience: app.id, typ: 'JWT' }
      return (await jwtVerify(id, set, options)).protectedHeader.kid ?? ''
    }
    const first = await tokensOf(it, app, browser)
    const kid = await check(first.id)
    const rotated = await runCommand(['keys', 'rotate', '--activate-now'], { dataDir: it.dataDir })
    expect(rotated.code, rotated.stderr).toBe(0)
    // The server reads the ring again when it sees the change.
    await expect
      .poll(async () => check((await tokensOf(it, app, browser)).id), { timeout: 10_000 })
      .not.toBe(kid)
    expect(await check(first.id)).toBe(kid)
    expect((await refreshWith(it, app, first.refresh)).status).toBe(200)
  },
)

test('R20 discovery names what exists, whatever host is asked', async () => {
  await using it = await openSsoAuthority()
  const read = async (path: string): Promise<Record<string, unknown>> => {
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example' }
    const answer = await it.authority.fetch(new Request(`${ISSUER}${path}`, { headers }))
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    return (await answer.json()) as Record<string, unknown>
  }
  const metadata = await read('/.well-known/openid-configuration')
  expect(metadata).toEqual(await read('/.well-known/oauth-authorization-server'))
  expect(metadata).toMatchObject({
    issuer: ISSUER,
    authorization_endpoint: `${ISSUER}/oauth2/authorize`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    authorization_response_iss_parameter_supported: true,
    id_token_signing_alg_values_supported: ['ES256'],
  })
})

test('without single sign-on there are no such routes', async () => {
  await using it = await openSsoAuthority({ sso: false })
  for (const path of ['/oauth2/authorize', '/.well-known/openid-configuration', '/oauth2/logout']) {
    const answer = await it.authority.fetch(new Request(`${ISSUER}${path}`))
    expect(answer.status).toBe(404)
  }
})
