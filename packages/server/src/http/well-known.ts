import { createHash } from 'node:crypto'

import { perRingState, type KeyRing } from '../keys/ring.ts'

// A new key is published at least ten minutes before its first signature, so a copy of this age
// always holds the keys that sign.
const MAX_AGE_SEC = 300

/** For anybody, from pages of any origin too. */
const PUBLIC_HEADERS = {
  'cache-control': `public, max-age=${MAX_AGE_SEC}`,
  'access-control-allow-origin': '*',
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
} as const

/**
 * `GET /.well-known/jwks.json` (RFC 7517 §5): public members only, for anybody, also from browsers. 304 for
 * whoever has it already (RFC 9110 §13.1.2).
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
    if (hasTag(request.headers.get('if-none-match'), etag)) {
      return new Response(null, { status: 304, headers })
    }
    return new Response(text, {
      headers: { ...headers, 'content-type': 'application/jwk-set+json' },
    })
  }
}

/**
 * `GET /.well-known/oauth-authorization-server` (RFC 8414 §3): what a client finds that was sent here by the
 * metadata of a resource (RFC 9728).
 */
export function createServerMetadataAnswer(issuer: string): () => Response {
  const methods = ['client_secret_basic', 'client_secret_post']
  const text = JSON.stringify({
    issuer,
    token_endpoint: `${issuer}/oauth2/token`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    revocation_endpoint: `${issuer}/oauth2/revoke`,
    introspection_endpoint: `${issuer}/oauth2/introspect`,
    grant_types_supported: ['client_credentials'],
    // Required by the RFC. There is no authorization endpoint.
    response_types_supported: [],
    token_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_methods_supported: methods,
  })
  const headers = { ...PUBLIC_HEADERS, 'content-type': 'application/json' }
  return () => new Response(text, { headers })
}

/** Weak comparison: proxies that compress mark the tag as weak. */
function hasTag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false
  return ifNoneMatch.split(',').some((tag) => {
    const plain = tag.trim().replace(/^W\//, '')
    return plain === '*' || plain === etag
  })
}
