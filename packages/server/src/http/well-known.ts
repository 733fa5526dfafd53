import { createHash } from 'node:crypto'

import { perRingState, type KeyRing } from '../keys/ring.ts'

// A new key is published at least ten minutes before its first signature, so a copy of this age
// always holds the keys that sign.
const MAX_AGE_SEC = 300

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
    const headers = {
      'cache-control': `public, max-age=${MAX_AGE_SEC}`,
      etag,
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
      'x-content-type-options': 'nosniff',
    }
    if (hasTag(request.headers.get('if-none-match'), etag)) {
      return new Response(null, { status: 304, headers })
    }
    return new Response(text, {
      headers: { ...headers, 'content-type': 'application/jwk-set+json' },
    })
  }
}

/** Weak comparison: proxies that compress mark the tag as weak. */
function hasTag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false
  return ifNoneMatch.split(',').some((tag) => {
    const plain = tag.trim().replace(/^W\//, '')
    return plain === '*' || plain === etag
  })
}
