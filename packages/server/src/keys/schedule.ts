import { SetupError } from '../base/faults.ts'
import type { KeyStore } from '../store/store.ts'
import { isSigningAlg } from './material.ts'
import type { RingSchedule } from './plan-ring.ts'

/** Services tolerate clocks that differ by up to a minute, so they accept tokens this much longer. */
const TOLERANCE_SEC = 60

/**
 * The longest time until a service without the revocation feed has a newly published key, in milliseconds. A
 * guard fetches every 5 minutes ± 10 %, and other services cache an answer for 5 minutes.
 */
export const KNOWN_AFTER_MS = 330_000

/**
 * Returns the schedule of the running server, not the schedule of this process's settings. A command in a
 * shell with other settings would replace keys, and would remove keys before their last token has expired.
 * Throws a `SetupError` if no server has stored its schedule yet.
 */
export async function storedSchedule(store: KeyStore): Promise<RingSchedule> {
  const stored = await store.schedule()
  if (stored === undefined || !isSigningAlg(stored.alg)) {
    throw new SetupError(
      'The database does not contain the key rotation schedule yet. Start this version of the server once.',
    )
  }
  return { ...stored, alg: stored.alg }
}

/** Returns the schedule of the settings, with the lifetimes of the tokens that the keys sign. */
export function ringSchedule({
  keys,
  accessLifetimeSec,
  sessionLifetimeSec,
}: {
  readonly keys: Pick<RingSchedule, 'alg' | 'rotationMs' | 'leadMs'>
  readonly accessLifetimeSec: number
  readonly sessionLifetimeSec: number
}): RingSchedule {
  return {
    ...keys,
    livesMs: {
      access: (accessLifetimeSec + TOLERANCE_SEC) * 1000,
      // The row of a session names the key of its last rotation until the absolute end of the session.
      refresh: sessionLifetimeSec * 1000,
    },
  }
}
