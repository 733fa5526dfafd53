import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto'

import { randomId, type Random } from '../base/random.ts'

/**
 * Makes and checks CSRF tokens. A token is bound to a session or, before a login, to a cookie with a random
 * value. It is an HMAC, so the server stores nothing, and an attacker who plants a cookie cannot make its
 * token.
 */
export interface Csrf {
  /** Creates the random value of the cookie for a browser without a session. */
  newNonce(): string
  /** Returns the token for a browser without a session. */
  forNonce(nonce: string): string
  /** Returns the token for a session. */
  forSession(sessionId: string): string
  /** Whether the token was made with any of the secrets. Takes constant time. */
  isForNonce(token: string, nonce: string): boolean
  isForSession(token: string, sessionId: string): boolean
}

/**
 * Creates the maker of CSRF tokens. `keys` derive from the secrets. The first key signs, and every key
 * verifies.
 */
export function createCsrf(keys: readonly Uint8Array[], random: Random): Csrf {
  const macKeys = keys.map((key) => createSecretKey(key))
  const makeUnder = (index: number, kind: 'nonce' | 'session', of: string): string => {
    const key = macKeys[index]
    if (key === undefined) throw new TypeError('CSRF tokens need a key.')
    return createHmac('sha256', key)
      .update(JSON.stringify([kind, of]))
      .digest('base64url')
  }
  const isFor = (token: string, kind: 'nonce' | 'session', of: string): boolean =>
    macKeys.some((_, index) => isEqual(token, makeUnder(index, kind, of)))

  return {
    newNonce: () => randomId(random),
    forNonce: (nonce) => makeUnder(0, 'nonce', nonce),
    forSession: (sessionId) => makeUnder(0, 'session', sessionId),
    isForNonce: (token, nonce) => isFor(token, 'nonce', nonce),
    isForSession: (token, sessionId) => isFor(token, 'session', sessionId),
  }
}

function isEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
