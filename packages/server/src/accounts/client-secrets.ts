import { createHash, timingSafeEqual } from 'node:crypto'

import type { EpochMs } from '../base/clock.ts'
import { randomId, type Random } from '../base/random.ts'
import type { ClientSecret } from '../store/rows.ts'

/** A secret at the one moment when it is known. */
export interface NewClientSecret {
  /** What is stored. */
  readonly row: ClientSecret
  /** What the machine gets: 43 characters of base64url. */
  readonly text: string
}

const SECRET_BYTES = 32

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
 * The stored secret that was presented, if it is one of them. The work is the same for two secrets, one
 * or none, so that the time tells nobody which clients exist or how many secrets one has.
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

// Equal to the hash of nothing that anybody knows; and were it, no secret would be found.
const NO_HASH = new Uint8Array(32)

// A fast hash is right here. A slow one makes guessing dear where people choose the secret; of these
// there are 2^256, all as likely, and no machine gets through them at any speed.
function hashSecret(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
