import type { KeyRing } from '../keys/ring.ts'

// A new key is published at least ten minutes before its first signature, so a copy of this age
// always holds the keys that sign.
const MAX_AGE_SEC = 300

/** `GET /.well-known/jwks.json` (RFC 7517 §5): public members only, for anybody, also from browsers. */
export function createJwksAnswer(ring: KeyRing): () => Response {
  return () =>
    new Response(JSON.stringify(ring.jwks), {
      headers: {
        'content-type': 'application/jwk-set+json',
        'cache-control': `public, max-age=${MAX_AGE_SEC}`,
        'access-control-allow-origin': '*',
        'cross-origin-resource-policy': 'cross-origin',
        'x-content-type-options': 'nosniff',
      },
    })
}
