import { hash, timingSafeEqual } from 'node:crypto'

import type { Session } from './rows.ts'

/** The length of a `jti`. */
export const JTI_HEX_CHARS = 32

/**
 * Whether this `jti` was made from this row. An attacker who has only the signing key cannot make it. Takes
 * constant time.
 */
export function isGenuineJti(
  session: Pick<Session, 'id' | 'seed'>,
  presented: { readonly generation: number; readonly jti: string },
): boolean {
  const expected = Buffer.from(refreshJti(session, presented.generation), 'latin1')
  const given = Buffer.from(presented.jti, 'utf8')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/**
 * Makes the `jti` of a session's refresh token. SHA-256 over the row's 16 secret bytes and `SID.GEN`, cut to 128 bits. The cut leaves out half of the hash's
 * state, so nobody can extend a known `jti` to that of a longer text. Every refresh needs two of these, each under
 * a seed that is not used again soon. HMAC would take 9 us each, because Node must make a KeyObject first; one hash
 * takes 2 us (Node 24).
 */
export function refreshJti({ id, seed }: Pick<Session, 'id' | 'seed'>, generation: number): string {
  return hash('sha256', Buffer.concat([seed, Buffer.from(`${id}.${generation}`)])).slice(
    0,
    JTI_HEX_CHARS,
  )
}
