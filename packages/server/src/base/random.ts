import { randomFillSync } from 'node:crypto'

/** Where chance comes from. Only the composition root gives the real one; tests give their own. */
export interface Random {
  /** Fresh bytes that the caller owns; `length` from 1 to 1024. */
  bytes(length: number): Buffer
}

const POOL_BYTES = 8192

/**
 * The operating system's generator, drawn in blocks: a call for 16 bytes costs about a microsecond
 * of system call otherwise, and every token needs some. Bytes are copied out and wiped in the pool,
 * so that no two callers share any and none lingers.
 */
export function createSystemRandom(): Random {
  const pool = Buffer.allocUnsafeSlow(POOL_BYTES)
  let used = POOL_BYTES
  return {
    bytes(length) {
      if (!Number.isInteger(length) || length < 1 || length > 1024) {
        throw new RangeError(`random.bytes takes 1 to 1024, not ${length}`)
      }
      if (used + length > POOL_BYTES) {
        randomFillSync(pool)
        used = 0
      }
      const bytes = Buffer.from(pool.subarray(used, used + length))
      pool.fill(0, used, used + length)
      used += length
      return bytes
    },
  }
}

/** An identifier with 128 random bits: 22 characters of base64url, safe in URLs, claims and file names. */
export function randomId(random: Random): string {
  return random.bytes(16).toString('base64url')
}
