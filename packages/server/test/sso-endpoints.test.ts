import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { createHash, randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'

import { DEVICE_GRANT } from '../src/sso/registration.ts'
import { ISSUER, USERNAME, type TestAuthority } from './support/authority.ts'
import {
  beginLogin,
  CALLBACK,
  claimsIn,
  exchange,
  openSsoAuthority,
  pageOf,
  readTokens,
  refreshWith,
  registerApp,
  sendForm,
  SsoBrowser,
  tokensOf,
  urlOf,
  type App,
  type JsonAnswer,
} from './support/sso.ts'

async function userinfo(it: TestAuthority, headers: Record<string, string>): Promise<JsonAnswer> {
  const answer = await it.authority.fetch(new Request(`${ISSUER}/oauth2/userinfo`, { headers }))
  const text = await answer.text()
  return {
    status: answer.status,
    headers: answer.headers,
    body: text === '' ? {} : JSON.parse(text),
  }
}

test('userinfo has the claims that the scopes allow', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const { access } = await tokensOf(it, app, undefined, 'openid profile')
  const answer = await userinfo(it, {
    authorization: `Bearer ${access}`,
    origin: 'https://shop.example.com',
  })
  expect(answer.body).toEqual({ sub: claimsIn(access)['sub'], preferred_username: USERNAME })
  expect(answer.headers.get('access-control-allow-origin')).toBe('https://shop.example.com')
  const foreign = await userinfo(it, {
    authorization: `Bearer ${access}`,
    origin: 'https://evil.example',
  })
  expect(foreign.headers.get('access-control-allow-origin')).toBeNull()
})

test('userinfo refuses every other kind of token', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const { access, refresh, id } = await tokensOf(it, app)
  const own = await it.login()
  for (const token of [refresh, id, own.refresh, `${access}x`, '']) {
    const answer = await userinfo(it, { authorization: `Bearer ${token}` })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toContain('Bearer realm=')
  }
  // The access token of a direct login has no scope.
  expect((await userinfo(it, { authorization: `Bearer ${own.access}` })).status).toBe(403)
  expect((await userinfo(it, {})).status).toBe(401)
  const inQuery = await it.authority.fetch(
    new Request(`${ISSUER}/oauth2/userinfo?access_token=${access}`),
  )
  expect(inQuery.status).toBe(401)
})

test('each kind of token is accepted at its own endpoint only', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const { access, refresh, id } = await tokensOf(it, app)
  const own = await it.login()
  for (const token of [id, refresh]) expect(it.authority.verify(token).ok).toBe(false)
  for (const token of [access, id, own.refresh, own.access]) {
    expect((await refreshWith(it, app, token)).body).toMatchObject({ error: 'invalid_grant' })
  }
  for (const token of [access, id, refresh]) {
    expect((await it.post('/api/token/refresh/', { refresh: token })).status).toBe(401)
  }
  for (const token of [access, id, refresh]) {
    const code = new URL(`${CALLBACK}?code=${token}`)
    expect((await exchange(it, app, { verifier: 'a'.repeat(43) }, code)).status).toBe(400)
  }
})

test('a resource gets a token of its own', async () => {
  await using it = await openSsoAuthority()
  const resource = 'https://mcp.example.com/'
  const app = await registerApp(it, { resources: [resource], firstParty: true })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const login = beginLogin(app, { resource })
  const url = urlOf(await browser.goTo('/oauth2/authorize', login.query))
  const { access } = readTokens(await exchange(it, app, login, url))
  expect(claimsIn(access)['aud']).toBe(resource)
  // A service with another audience does not take it.
  expect(it.authority.verify(access).ok).toBe(false)
})

test('R14 a pushed request works once, and only for its application', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const other = await registerApp(it, { firstParty: true, name: 'other' })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const login = beginLogin(app)
  const pushed = await sendForm(it, '/oauth2/par', app, login.query)
  expect(pushed.status).toBe(201)
  const request_uri = String(pushed.body['request_uri'])
  const foreign = await browser.goTo('/oauth2/authorize', { client_id: other.id, request_uri })
  expect(foreign.url?.searchParams.has('code') ?? false).toBe(false)
  const url = urlOf(await browser.goTo('/oauth2/authorize', { client_id: app.id, request_uri }))
  expect((await exchange(it, app, login, url)).status).toBe(200)
  const again = await browser.goTo('/oauth2/authorize', { client_id: app.id, request_uri })
  expect(again.url?.searchParams.has('code') ?? false).toBe(false)
  expect((await sendForm(it, '/oauth2/par', { ...app, secret: 'x' }, login.query)).status).toBe(401)
  for (const foreignUri of ['https://evil.example/request', `${request_uri}x`, 'urn:x']) {
    const query = { ...login.query, request_uri: foreignUri }
    const { url: answer } = await browser.goTo('/oauth2/authorize', query)
    expect(answer?.searchParams.get('error')).toMatch(
      /^(?:invalid_request_uri|request_uri_not_supported)$/,
    )
  }
})

test('of 20 browsers with one pushed request, one gets a code', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const pushed = await sendForm(it, '/oauth2/par', app, beginLogin(app).query)
  const query = new URLSearchParams({
    client_id: app.id,
    request_uri: String(pushed.body['request_uri']),
  }).toString()
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      browser.ask(`/oauth2/authorize?${query}`, { headers: { 'sec-fetch-site': 'cross-site' } }),
    ),
  )
  const codes = answers.filter(({ headers }) => headers.get('location')?.includes('code='))
  expect(codes).toHaveLength(1)
})

async function makeProof(
  keys: Awaited<ReturnType<typeof generateKeyPair>>,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new SignJWT({ htm: 'POST', htu: `${ISSUER}/oauth2/token`, jti: randomUUID(), ...more })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(keys.publicKey) })
    .setIssuedAt()
    .sign(keys.privateKey)
}

test('an application that binds its tokens gets them for its key only', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { kind: 'public', dpop: true, firstParty: true })
  const keys = await generateKeyPair('ES256')
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const login = beginLogin(app)
  const codeOf = async () => {
    const url = urlOf(await browser.goTo('/oauth2/authorize', login.query))
    return {
      grant_type: 'authorization_code',
      code: url.searchParams.get('code') ?? '',
      redirect_uri: app.redirectUri,
      code_verifier: login.verifier,
    }
  }
  expect((await sendForm(it, '/oauth2/token', app, await codeOf())).status).toBe(400)
  const proof = await makeProof(keys)
  const form = await codeOf()
  const answer = await sendForm(it, '/oauth2/token', app, form, { headers: { dpop: proof } })
  expect(answer.body).toMatchObject({ token_type: 'DPoP' })
  const { access, refresh } = readTokens(answer)
  const jkt = await calculateJwkThumbprint(await exportJWK(keys.publicKey))
  expect(claimsIn(access)['cnf']).toEqual({ jkt })

  const replay = await refreshWith(it, app, refresh, { headers: { dpop: proof } })
  expect(replay.status).toBe(400)
  const thief = await makeProof(await generateKeyPair('ES256'))
  expect((await refreshWith(it, app, refresh, { headers: { dpop: thief } })).body).toMatchObject({
    error: 'invalid_grant',
  })
  expect((await refreshWith(it, app, refresh)).status).toBe(400)
  const rightful = await refreshWith(it, app, refresh, { headers: { dpop: await makeProof(keys) } })
  expect(rightful.body).toMatchObject({ token_type: 'DPoP' })
  // A bound token is worth nothing without a proof of its key, for this token and this request.
  expect((await userinfo(it, { authorization: `Bearer ${access}` })).status).toBe(401)
  const ath = createHash('sha256').update(access).digest('base64url')
  const about = { htm: 'GET', htu: `${ISSUER}/oauth2/userinfo`, ath }
  const authorization = `DPoP ${access}`
  const good = await makeProof(keys, about)
  expect((await userinfo(it, { authorization, dpop: good })).status).toBe(200)
  const wrong = [
    good,
    await makeProof(keys, { ...about, ath: 'A'.repeat(43) }),
    await makeProof(keys, { ...about, htm: 'POST' }),
    await makeProof(await generateKeyPair('ES256'), about),
  ]
  for (const dpop of wrong) {
    expect((await userinfo(it, { authorization, dpop })).status).toBe(401)
  }
  expect((await userinfo(it, { authorization })).status).toBe(401)
})

async function beginDevice(it: TestAuthority, app: App): Promise<JsonAnswer['body']> {
  const answer = await sendForm(it, '/oauth2/device_authorization', app, { scope: 'openid' })
  expect(answer.status).toBe(200)
  return answer.body
}

function pollWith(it: TestAuthority, app: App, device: JsonAnswer['body']): Promise<JsonAnswer> {
  return sendForm(it, '/oauth2/token', app, {
    grant_type: DEVICE_GRANT,
    device_code: String(device['device_code']),
  })
}

const DEVICE = {
  kind: 'public',
  name: 'tv',
  title: 'TV',
  redirectUris: [],
  grants: [DEVICE_GRANT, 'refresh_token'],
} as const

test('a person connects a device by its code', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, DEVICE)
  const device = await beginDevice(it, app)
  expect(device['verification_uri']).toBe(`${ISSUER}/oauth2/device`)
  expect((await pollWith(it, app, device)).body).toMatchObject({ error: 'authorization_pending' })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const page = pageOf(await browser.goTo('/oauth2/device'))
  const typed = String(device['user_code']).toLowerCase().replace('-', ' ')
  const asked = await browser.press(page, { user_code: typed })
  expect(asked.title).toBe('Allow TV?')
  const done = await browser.press(asked, {}, { button: 'Allow' })
  expect(done.text).toContain('The device is connected.')
  const answer = await pollWith(it, app, device)
  expect(answer.status).toBe(200)
  expect(it.authority.verify(readTokens(answer).access)).toMatchObject({
    ok: true,
    claims: { client_id: app.id },
  })
  expect((await pollWith(it, app, device)).body).toMatchObject({ error: 'invalid_grant' })
})

test('a device that a person refuses gets no tokens', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, DEVICE)
  const device = await beginDevice(it, app)
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const page = pageOf(
    await browser.goTo('/oauth2/device', { user_code: String(device['user_code']) }),
  )
  const asked = await browser.press(page)
  await browser.press(asked, {}, { button: 'Do not allow' })
  expect((await pollWith(it, app, device)).body).toMatchObject({ error: 'access_denied' })
})

test('a code belongs to the session that typed it first', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, DEVICE)
  await it.authority.accounts.create({ username: 'bob', password: 'staple and no donkey' }, 'test')
  const device = await beginDevice(it, app)
  const user_code = String(device['user_code'])
  const alice = new SsoBrowser(it)
  await alice.jar.login()
  await alice.press(pageOf(await alice.goTo('/oauth2/device')), { user_code })
  const bob = new SsoBrowser(it)
  await bob.jar.login({ username: 'bob', password: 'staple and no donkey' })
  const page = pageOf(await bob.goTo('/oauth2/device'))
  expect((await bob.press(page, { user_code })).status).toBe(400)
  const forced = await bob.post('/oauth2/device', { ...page.fields, user_code, allow: '1' })
  expect(forced.status).toBe(400)
  expect((await pollWith(it, app, device)).body).toMatchObject({ error: 'authorization_pending' })
})

test('guesses of codes are limited', async () => {
  await using it = await openSsoAuthority()
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const page = pageOf(await browser.goTo('/oauth2/device'))
  const texts: string[] = []
  for (let guess = 0; guess < 12; guess++) {
    texts.push((await browser.press(page, { user_code: `BCDF-GH${guess}` })).text)
  }
  expect(texts[0]).toContain('This code is wrong')
  expect(texts.at(-1)).not.toContain('This code is wrong')
})

test('R16 an application proves itself with its key, once for each assertion', async () => {
  await using it = await openSsoAuthority()
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256', kid: 'one', use: 'sig' }
  const app = await registerApp(it, { jwks: { keys: [jwk] }, firstParty: true })
  const assertion = (claims: { readonly aud: string | string[]; readonly exp?: string }) =>
    new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setIssuer(app.id)
      .setSubject(app.id)
      .setAudience(claims.aud)
      .setIssuedAt()
      .setExpirationTime(claims.exp ?? '1m')
      .sign(privateKey)
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const present = async (client_assertion: string): Promise<number> => {
    const login = beginLogin(app)
    const url = urlOf(await browser.goTo('/oauth2/authorize', login.query))
    const answer = await sendForm(it, '/oauth2/token', app, {
      grant_type: 'authorization_code',
      code: url.searchParams.get('code') ?? '',
      redirect_uri: app.redirectUri,
      code_verifier: login.verifier,
      client_assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })
    return answer.status
  }
  const good = await assertion({ aud: ISSUER })
  expect(await present(good)).toBe(200)
  expect(await present(good)).toBe(401)
  expect(await present(await assertion({ aud: [ISSUER, 'https://other.example'] }))).toBe(401)
  expect(await present(await assertion({ aud: ISSUER, exp: '1h' }))).toBe(401)
})

test('R17 a confidential application is refused without its secret', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true })
  const { refresh } = await tokensOf(it, app)
  const answer = await refreshWith(it, { ...app, secret: undefined }, refresh)
  expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
  expect((await refreshWith(it, app, refresh)).status).toBe(200)
})

test('R16 wrong secrets are counted, and the right one is still accepted', async () => {
  await using it = await openSsoAuthority({
    throttle: 'account=50/1h,source=10/15m,address=100/10m',
  })
  const app = await registerApp(it, { firstParty: true })
  const { refresh } = await tokensOf(it, app)
  const statuses: number[] = []
  for (let attempt = 0; attempt < 150; attempt++) {
    statuses.push((await refreshWith(it, { ...app, secret: 'wrong' }, refresh)).status)
  }
  expect(statuses[0]).toBe(401)
  expect(statuses.at(-1)).toBe(429)
  expect((await refreshWith(it, app, refresh)).status).toBe(200)
})

test('the token endpoint takes no other grants, and service accounts keep theirs', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  for (const grant_type of [
    'password',
    'implicit',
    'urn:ietf:params:oauth:grant-type:token-exchange',
  ]) {
    const answer = await sendForm(it, '/oauth2/token', app, { grant_type })
    expect(answer.body).toMatchObject({ error: 'unsupported_grant_type' })
  }
  expect(
    (await sendForm(it, '/oauth2/token', app, { grant_type: 'client_credentials' })).status,
  ).toBe(401)
})
