import { createHash, timingSafeEqual } from 'node:crypto'

import type { EpochMs } from '../base/clock.ts'
import { randomId, type Random } from '../base/random.ts'
import type { ClientSecret } from '../store/rows.ts'

/** A new secret. Its text is known only at this moment. */
export interface NewClientSecret {
  /** The row to store. It has only the hash. */
  readonly row: ClientSecret
  /** The secret itself, for the machine: 43 characters of base64url. */
  readonly text: string
}

const SECRET_BYTES = 32

/** Creates a secret of 256 random bits. */
export function makeClientSecret(random: Random, now: EpochMs): NewClientSecret {
  const text = random.bytes(SECRET_BYTES).toString('base64url')
  const row = {
    id: `sec_${randomId(random)}`,
    hash: hashSecret(text),
    createdAt: now,
    lastUsedAt: undefined,
  }
  return { row, text }
}

/**
 * Returns the stored secret that was presented, or undefined. The work is the same with no, one or two stored
 * secrets. So the time reveals neither which clients exist nor how many secrets a client has.
 */
export function findClientSecret(
  secrets: readonly ClientSecret[],
  presented: string,
): ClientSecret | undefined {
  const hash = hashSecret(presented)
  let found: ClientSecret | undefined
  for (const slot of [0, 1]) {
    const secret = secrets[slot]
    const isEqual = timingSafeEqual(hash, secret?.hash ?? NO_HASH)
    if (isEqual) found = secret
  }
  return found
}

// Nobody knows a text with this hash. Even such a text would match no stored secret.
const NO_HASH = new Uint8Array(32)

/**
 * Returns the SHA-256 of a secret. A fast hash is enough. A slow hash makes guesses expensive when people choose the
 * secret. These secrets are random: no machine can try all 2^256 of them.
 */
export function hashSecret(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
