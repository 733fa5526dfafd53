import { createHash } from 'node:crypto'

import { TWO_FACTORS } from '../../factors/proof.ts'
import { perRingState, type KeyRing } from '../../keys/ring.ts'
import type { SessionServices } from '../../sessions/services.ts'
import { APPLICATION_GRANTS } from '../../sso/registration.ts'
import { SCOPES, SCOPE_CLAIMS } from '../../sso/scopes.ts'
import { isFresh } from '../router/etag.ts'
import type { RouteDescription } from '../router/route.ts'

// A new key is published at least ten minutes before its first signature, so a copy of this age always
// contains the signing key.
const MAX_AGE_SEC = 300

/** Anybody may read these answers, including pages of any origin. */
const PUBLIC_HEADERS = {
  'cache-control': `public, max-age=${MAX_AGE_SEC}`,
  'access-control-allow-origin': '*',
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
} as const

/**
 * `GET /.well-known/jwks.json` (RFC 7517 §5): the public keys. 304 for a client that has the current
 * version (RFC 9110 §13.1.2).
 */
export function createJwksAnswer(ring: KeyRing): (request: Request) => Response {
  const current = perRingState(ring, ({ jwks }) => {
    const text = JSON.stringify(jwks)
    const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
    return { text, etag }
  })
  return (request) => {
    const { text, etag } = current()
    const headers = { ...PUBLIC_HEADERS, etag }
    if (isFresh(request, etag)) return new Response(null, { status: 304, headers })
    return new Response(text, {
      headers: { ...headers, 'content-type': 'application/jwk-set+json' },
    })
  }
}

/**
 * `GET /.well-known/oauth-authorization-server` (RFC 8414 §3): the URLs of the OAuth endpoints. The metadata
 * of a resource (RFC 9728) points clients here. With single sign-on, `GET /.well-known/openid-configuration` (OpenID
 * Connect Discovery 1.0 §4) has the same answer.
 */
export function createServerMetadataAnswer(
  { ring, access: { issuer } }: Pick<SessionServices, 'ring' | 'access'>,
  routes: readonly RouteDescription[],
): () => Response {
  const urlOf = (id: string): string => {
    const row = routes.find((each) => each.id === id)
    if (row === undefined) throw new TypeError(`The route table has no row ${id}.`)
    return `${issuer}${row.path}`
  }
  const hasSso = routes.some(({ id }) => id === 'authorize')
  const secrets = ['client_secret_basic', 'client_secret_post']
  const methods = hasSso ? ['none', ...secrets, 'private_key_jwt'] : secrets
  const text = perRingState(ring, ({ accessAlg }) =>
    JSON.stringify({
      issuer,
      token_endpoint: urlOf('issueToken'),
      jwks_uri: urlOf('getKeys'),
      revocation_endpoint: urlOf('revokeToken'),
      introspection_endpoint: urlOf('introspectToken'),
      grant_types_supported: ['client_credentials', ...(hasSso ? APPLICATION_GRANTS : [])],
      // The RFC requires this member. Without single sign-on there is no authorization endpoint.
      response_types_supported: hasSso ? ['code'] : [],
      token_endpoint_auth_methods_supported: methods,
      revocation_endpoint_auth_methods_supported: secrets,
      introspection_endpoint_auth_methods_supported: secrets,
      ...(hasSso ? ssoMetadata(urlOf, accessAlg) : {}),
    }),
  )
  const headers = { ...PUBLIC_HEADERS, 'content-type': 'application/json' }
  return () => new Response(text(), { headers })
}

const APPLICATION_ALGS = ['ES256', 'ES384', 'Ed25519', 'RS256', 'PS256']

/** The metadata of OpenID Connect, and of the extensions of OAuth that come with it. */
function ssoMetadata(urlOf: (id: string) => string, accessAlg: string): object {
  return {
    authorization_endpoint: urlOf('authorize'),
    userinfo_endpoint: urlOf('getUserinfo'),
    end_session_endpoint: urlOf('showLogoutPage'),
    pushed_authorization_request_endpoint: urlOf('pushAuthorizationRequest'),
    device_authorization_endpoint: urlOf('authorizeDevice'),
    scopes_supported: SCOPES,
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'acr', 'amr', 'sid']
      .concat(SCOPE_CLAIMS.profile)
      .concat(SCOPE_CLAIMS.email),
    claims_parameter_supported: true,
    subject_types_supported: ['public'],
    response_modes_supported: ['query', 'form_post'],
    code_challenge_methods_supported: ['S256'],
    prompt_values_supported: ['none', 'login', 'select_account', 'consent'],
    acr_values_supported: [TWO_FACTORS],
    id_token_signing_alg_values_supported: [accessAlg],
    token_endpoint_auth_signing_alg_values_supported: APPLICATION_ALGS,
    dpop_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA'],
    authorization_response_iss_parameter_supported: true,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    require_pushed_authorization_requests: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
  }
}
