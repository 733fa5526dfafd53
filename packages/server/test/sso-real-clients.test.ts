import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { expect, test } from 'vitest'

import { DEVICE_GRANT } from '../src/sso/registration.ts'
import { ISSUER, type TestAuthority } from './support/authority.ts'
import {
  CALLBACK,
  openSsoAuthority,
  pageOf,
  registerApp,
  SsoBrowser,
  urlOf,
  type App,
} from './support/sso.ts'

/** Sends the requests of a client library to the authority. */
function fetchOf(it: TestAuthority) {
  return (url: string, init: RequestInit): Promise<Response> =>
    it.authority.fetch(new Request(url, init), { address: '198.51.100.30' })
}

async function discover(
  it: TestAuthority,
  app: App,
  authentication?: openid.ClientAuth,
): Promise<openid.Configuration> {
  return openid.discovery(new URL(ISSUER), app.id, app.secret, authentication, {
    execute: [openid.allowInsecureRequests],
    [openid.customFetch]: (url, options) => fetchOf(it)(url, options as RequestInit),
  })
}

test('openid-client logs a person in, refreshes, reads userinfo and logs out', async () => {
  await using it = await openSsoAuthority()
  const left = 'https://shop.example.com/left'
  const app = await registerApp(it, { firstParty: true, postLogoutRedirectUris: [left] })
  const config = await discover(it, app, openid.ClientSecretBasic(app.secret))
  const pkceCodeVerifier = openid.randomPKCECodeVerifier()
  const expectedState = openid.randomState()
  const expectedNonce = openid.randomNonce()
  const start = openid.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid profile email',
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
  })
  const browser = new SsoBrowser(it)
  const signIn = pageOf(await browser.goTo(`${start.pathname}${start.search}`))
  const url = urlOf(await browser.signIn(signIn))
  const tokens = await openid.authorizationCodeGrant(config, url, {
    pkceCodeVerifier,
    expectedState,
    expectedNonce,
    maxAge: 60,
  })
  const claims = tokens.claims()
  expect(claims).toMatchObject({ iss: ISSUER, aud: app.id, preferred_username: 'alice' })

  const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '')
  expect(refreshed.claims()?.sub).toBe(claims?.sub)
  const info = await openid.fetchUserInfo(config, refreshed.access_token, claims?.sub ?? '')
  expect(info.preferred_username).toBe('alice')

  const out = openid.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token ?? '',
    post_logout_redirect_uri: left,
  })
  expect(urlOf(await browser.goTo(`${out.pathname}${out.search}`)).href).toBe(left)
  await expect(
    openid.refreshTokenGrant(config, refreshed.refresh_token ?? ''),
  ).rejects.toMatchObject({ error: 'invalid_grant' })
})

test('openid-client pushes its request, binds its tokens to a key and revokes them', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { firstParty: true, dpop: true })
  const config = await discover(it, app, openid.ClientSecretBasic(app.secret))
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
  const pkceCodeVerifier = openid.randomPKCECodeVerifier()
  const start = await openid.buildAuthorizationUrlWithPAR(
    config,
    {
      redirect_uri: CALLBACK,
      scope: 'openid',
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    },
    { DPoP },
  )
  expect(start.searchParams.get('request_uri')).toMatch(/^urn:ietf:params:oauth:request_uri:/)
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const url = urlOf(await browser.goTo(`${start.pathname}${start.search}`))
  const tokens = await openid.authorizationCodeGrant(
    config,
    url,
    { pkceCodeVerifier },
    {},
    { DPoP },
  )
  expect(tokens.token_type).toBe('dpop')
  const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', {}, { DPoP })
  expect(refreshed.token_type).toBe('dpop')
  await openid.tokenRevocation(config, refreshed.refresh_token ?? '')
  await expect(
    openid.refreshTokenGrant(config, refreshed.refresh_token ?? '', {}, { DPoP }),
  ).rejects.toMatchObject({ error: 'invalid_grant' })
})

test('openid-client logs a device in', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { kind: 'public', redirectUris: [], grants: [DEVICE_GRANT] })
  const config = await discover(it, app, openid.None())
  const device = await openid.initiateDeviceAuthorization(config, { scope: 'openid' })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const complete = new URL(device.verification_uri_complete ?? '')
  const page = pageOf(await browser.goTo(`${complete.pathname}${complete.search}`))
  await browser.press(await browser.press(page), {}, { button: 'Allow' })
  const tokens = await openid.pollDeviceAuthorizationGrant(config, { ...device, interval: 1 })
  expect(tokens.claims()?.aud).toBe(app.id)
})

test('R08 oauth4webapi logs a person in, and notices the answer of another server', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it, { kind: 'public', firstParty: true })
  const options = {
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: (url: string, init: object): Promise<Response> => fetchOf(it)(url, init),
  }
  const issuer = new URL(ISSUER)
  const server = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, options),
  )
  const client: oauth.Client = { client_id: app.id }
  const verifier = oauth.generateRandomCodeVerifier()
  const query = {
    client_id: app.id,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: oauth.generateRandomState(),
  }
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  const url = urlOf(await browser.goTo('/oauth2/authorize', query))
  const parameters = oauth.validateAuthResponse(server, client, url, query.state)
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    parameters,
    CALLBACK,
    verifier,
    options,
  )
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
    requireIdToken: true,
  })
  expect(oauth.getValidatedIdTokenClaims(tokens)?.aud).toBe(app.id)

  const mixedUp = new URL(url)
  mixedUp.searchParams.set('iss', 'https://evil.example')
  expect(() => oauth.validateAuthResponse(server, client, mixedUp, query.state)).toThrow()
})
