import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto'

import { randomId, type Random } from '../base/random.ts'

/**
 * CSRF tokens, bound to a session or, before there is one, to a cookie with a random value. A token is
 * an HMAC, so it need not be stored, and a cookie that another site has planted gives no right one.
 */
export interface Csrf {
  /** A fresh value for the cookie that stands for a browser without a session. */
  newNonce(): string
  forNonce(nonce: string): string
  forSession(sessionId: string): string
  /** In constant time; under any of the secrets. */
  isForNonce(token: string, nonce: string): boolean
  isForSession(token: string, sessionId: string): boolean
}

/** `keys` derive from the secrets: all verify, the first makes. */
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
