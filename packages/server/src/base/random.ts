import { randomFillSync } from 'node:crypto'

/** A source of random bytes. Only the composition root passes the real one; tests pass their own. */
export interface Random {
  /** Gives fresh bytes that the caller owns. `length` is from 1 to 1024; else it throws a `RangeError`. */
  bytes(length: number): Buffer
}

const POOL_BYTES = 8192

/**
 * Creates a source on the operating system's generator. It draws blocks of 8 KiB: otherwise each 16 bytes cost about a
 * microsecond of system call, and every token needs some. Bytes are copied out of the block and then overwritten there,
 * so no two callers get the same bytes and no copy stays in memory.
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

/** Creates an identifier with 128 random bits: 22 characters of base64url, safe in URLs, claims and file names. */
export function randomId(random: Random): string {
  return random.bytes(16).toString('base64url')
}
