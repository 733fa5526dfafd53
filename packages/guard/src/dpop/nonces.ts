import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'

import { decodeBase64url } from '@countersign/jwt'

/** Makes and checks the nonces that clients put into their proofs (RFC 9449 §8 and §9). It stores nothing. */
export interface DpopNonces {
  /** Returns a nonce. `now` is in milliseconds since 1970, here and below. */
  issue(now: number): string
  /** Returns when a nonce expires, in milliseconds since 1970. Undefined if it is not ours, or has expired. */
  read(nonce: unknown, now: number): number | undefined
}

const TIME_BYTES = 6
const MAC_BYTES = 16
/** How far the clock of another process, which made the nonce, may be ahead, in milliseconds. */
const AHEAD_MS_MAX = 60_000

/**
 * Makes the nonces of a service. A nonce contains the time at which it was made and an HMAC of it, so processes with
 * the same secret accept each other's nonces. The first secret makes nonces, and all of them check nonces.
 */
export function createDpopNonces(
  secrets: readonly [Uint8Array, ...Uint8Array[]],
  lifetimeMs: number,
): DpopNonces {
  const [first, ...others] = secrets
  const current = createSecretKey(first)
  const keys = [current, ...others.map((secret) => createSecretKey(secret))]
  return {
    issue(now) {
      const time = Buffer.alloc(TIME_BYTES)
      time.writeUIntBE(Math.floor(now), 0, TIME_BYTES)
      return Buffer.concat([time, macOf(time, current)]).toString('base64url')
    },
    read(nonce, now) {
      const bytes = typeof nonce === 'string' ? decodeBase64url(nonce) : undefined
      if (bytes?.length !== TIME_BYTES + MAC_BYTES) return undefined
      const time = Buffer.from(bytes.subarray(0, TIME_BYTES))
      const mac = bytes.subarray(TIME_BYTES)
      if (!keys.some((key) => timingSafeEqual(macOf(time, key), mac))) return undefined
      const issuedAt = time.readUIntBE(0, TIME_BYTES)
      const expiresAt = issuedAt + lifetimeMs
      return issuedAt <= now + AHEAD_MS_MAX && now < expiresAt ? expiresAt : undefined
    },
  }
}

function macOf(time: Uint8Array, key: KeyObject): Buffer {
  const mac = createHmac('sha256', key).update('countersign/dpop-nonce/v1\0').update(time)
  return mac.digest().subarray(0, MAC_BYTES)
}
