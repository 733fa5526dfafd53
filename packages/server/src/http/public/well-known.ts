import { createHash } from 'node:crypto'

import { perRingState, type KeyRing } from '../../keys/ring.ts'
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
 * of a resource (RFC 9728) points clients here.
 */
export function createServerMetadataAnswer(
  issuer: string,
  routes: readonly RouteDescription[],
): () => Response {
  const urlOf = (id: string): string => {
    const row = routes.find((each) => each.id === id)
    if (row === undefined) throw new TypeError(`The route table has no row ${id}.`)
    return `${issuer}${row.path}`
  }
  const methods = ['client_secret_basic', 'client_secret_post']
  const text = JSON.stringify({
    issuer,
    token_endpoint: urlOf('issueToken'),
    jwks_uri: urlOf('getKeys'),
    revocation_endpoint: urlOf('revokeToken'),
    introspection_endpoint: urlOf('introspectToken'),
    grant_types_supported: ['client_credentials'],
    // The RFC requires this member. There is no authorization endpoint.
    response_types_supported: [],
    token_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_methods_supported: methods,
  })
  const headers = { ...PUBLIC_HEADERS, 'content-type': 'application/json' }
  return () => new Response(text, { headers })
}
