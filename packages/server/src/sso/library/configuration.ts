import { generateKeyPairSync } from 'node:crypto'

import type { Client, Context, Grant, Token } from 'oidc-provider'

import type { SessionServices } from '../../sessions/services.ts'
import { SCOPES, SCOPE_CLAIMS } from '../scopes.ts'
import { createFindAccount, secondsOfSession } from './accounts.ts'
import { createAdapters } from './adapters.ts'
import { applicationOf, isOriginOf, OWN_METADATA, UNUSED_ALG } from './clients.ts'
import { checkAssertion } from './assertions.ts'
import { fetchKeys } from './fetch-keys.ts'
import { factsOf } from './facts.ts'
import { cookieNames, PATHS, type LibraryOptions } from './options.ts'
import { createPolicy } from './policy.ts'
import { resourceInfo } from './resources.ts'

/** The longest time from a request to its login. */
export const INTERACTION_SEC = 3_600
const CODE_SEC = 60
const DEVICE_CODE_SEC = 600

/** Creates the configuration of the library. `loadGrant` is passed because it needs the provider. */
export function createConfiguration(
  options: LibraryOptions,
  loadGrant: (context: Context) => Promise<Grant | undefined>,
): object {
  const { sessions, dpopSecret, outbound, isSecure } = options
  const { access } = sessions
  return {
    adapter: createAdapters(sessions),
    findAccount: createFindAccount(sessions),
    loadExistingGrant: loadGrant,
    jwks: { keys: [unusedKey()] },
    routes: {
      authorization: PATHS.authorize,
      token: PATHS.token,
      pushed_authorization_request: PATHS.pushed,
      device_authorization: PATHS.deviceAuthorization,
      code_verification: PATHS.device,
    },
    cookies: {
      names: cookieNames(isSecure),
      long: { httpOnly: true, sameSite: 'lax', path: '/', signed: false },
      short: { httpOnly: true, sameSite: 'lax', signed: false },
    },
    interactions: {
      policy: createPolicy(sessions),
      url: (_: Context, { uid, params }: Waiting) =>
        `${PATHS.interaction}/${uid}?client_id=${encodeURIComponent(String(params['client_id']))}`,
    },
    features: featuresOf(sessions, dpopSecret),
    responseTypes: ['code'],
    scopes: SCOPES,
    claims: SCOPE_CLAIMS,
    acrValues: ['aal2'],
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    enabledJWA: {
      clientAuthSigningAlgValues: ['ES256', 'ES384', 'Ed25519', 'RS256', 'PS256'],
      idTokenSigningAlgValues: [UNUSED_ALG],
      dPoPSigningAlgValues: ['ES256', 'Ed25519', 'EdDSA'],
    },
    assertJwtClientAuthClaimsAndHeader: (_: Context, claims: object) =>
      checkAssertion(access.issuer, claims),
    clientBasedCORS: (_: Context, origin: string, client: Client) =>
      isOriginOf(applicationOf(client), origin),
    extraClientMetadata: { properties: [OWN_METADATA] },
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    issueRefreshToken: (_: Context, client: Client, source: Token) =>
      mayRefresh(client, source.scopes),
    renderError,
    fetch: fetchKeys(outbound),
    ttl: ttlOf(sessions),
    clockTolerance: 15,
  }
}

interface Waiting {
  readonly uid: string
  readonly params: Readonly<Record<string, unknown>>
}

function featuresOf(sessions: SessionServices, dpopSecret: Buffer): object {
  const { issuer } = sessions.access
  const off = { enabled: false }
  return {
    devInteractions: off,
    rpInitiatedLogout: off,
    backchannelLogout: off,
    introspection: off,
    revocation: off,
    claimsParameter: { enabled: true },
    // Only the pages of the library need a mask.
    deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****', deviceInfo: () => ({}) },
    dPoP: { enabled: true, nonceSecret: dpopSecret },
    pushedAuthorizationRequests: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_: Context, __: Client, several?: readonly string[]) => several ?? issuer,
      useGrantedResource: () => true,
      getResourceServerInfo: (_: Context, resource: string, client: Client) =>
        resourceInfo(sessions, resource, client),
    },
    userinfo: { enabled: true },
  }
}

/**
 * Whether an application gets a refresh token: an own one that registered the grant, or any other one with the scope
 * that the person has allowed. In the device flow, the scope need not be asked for.
 */
function mayRefresh(client: Client, scopes: ReadonlySet<string>): boolean {
  const { registration } = applicationOf(client)
  return (
    registration.grants.includes('refresh_token') &&
    (registration.firstParty || scopes.has('offline_access'))
  )
}

function ttlOf(sessions: SessionServices): object {
  const ofSession = (context: Context): number => secondsOfSession(sessions, context)
  return {
    AccessToken: (context: Context) =>
      Math.min(sessions.access.lifetimeSec, secondsOfSession(sessions, context)),
    AuthorizationCode: CODE_SEC,
    DeviceCode: DEVICE_CODE_SEC,
    // Each grant is made with the end of its session: see `openGrant`.
    Grant: 3_600,
    IdToken: 3_600,
    Interaction: INTERACTION_SEC,
    RefreshToken: ofSession,
    Session: ofSession,
  }
}

/** The library asks for a key with which it could sign ID tokens. Ours are signed by the ring: see `tokens.ts`. */
function unusedKey(): object {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), alg: UNUSED_ALG, use: 'sig' }
}

/** Hands an error that no application can be told about to our pages. */
function renderError(
  context: Context,
  out: { readonly error: string; readonly error_description?: string },
  error: Error,
): void {
  factsOf(context).failure = {
    error: out.error,
    description: out.error_description,
    isExpired: error.name === 'SessionNotFound',
  }
  context.body = out
}
