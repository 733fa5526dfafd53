import { SetupError } from '../base/faults.ts'
import type { KeyStore } from '../store/store.ts'
import { isSigningAlg } from './material.ts'
import type { RingSchedule } from './plan-ring.ts'

/** Services tolerate clocks that differ by up to a minute: what a key signed is accepted for so long. */
const TOLERANCE_SEC = 60

/**
 * How long it takes at most until a service without the feed has a key that was just published, in milliseconds:
 * a guard fetches every 5 minutes, give or take 10 %, and others keep an answer for 5.
 */
export const KNOWN_AFTER_MS = 330_000

/**
 * The schedule of the server that runs here. Not that of our own settings: a command in a shell without the
 * server's would replace keys by others, and drop some before their last token has expired. Throws a
 * `SetupError` where no server has said it yet.
 */
export async function storedSchedule(store: KeyStore): Promise<RingSchedule> {
  const stored = await store.schedule()
  if (stored === undefined || !isSigningAlg(stored.alg)) {
    throw new SetupError(
      'It is not known yet how the server changes its keys. Start this version of it once.',
    )
  }
  return { ...stored, alg: stored.alg }
}

/** The schedule that the settings ask for, with the lives of what the keys sign. */
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
      // A session's rows name the key of its last rotation, until its absolute end.
      refresh: sessionLifetimeSec * 1000,
    },
  }
}
