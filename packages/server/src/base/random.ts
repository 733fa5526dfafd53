import { randomFillSync } from 'node:crypto'

/** A source of random bytes. Only the composition root passes the real one; tests pass their own. */
export interface Random {
  /**
   * Returns new random bytes, which the caller owns. Throws a `RangeError` unless `length` is from 1 to 1024.
   */
  bytes(length: number): Buffer
}

const POOL_BYTES = 8192

/**
 * Creates a source that uses the operating system's generator. It draws blocks of 8 KiB. Otherwise each 16
 * bytes would cost a system call of about a microsecond, and every token needs some. Bytes are copied out of
 * the block and then overwritten there. So no two callers get the same bytes, and no copy stays in memory.
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

/**
 * Creates an identifier with 128 random bits: 22 characters of base64url, safe in URLs, claims and file
 * names.
 */
export function randomId(random: Random): string {
  return random.bytes(16).toString('base64url')
}
