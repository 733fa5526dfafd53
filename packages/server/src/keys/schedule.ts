import type { RingSchedule } from './plan-ring.ts'

/** Services tolerate clocks that differ by up to a minute: what a key signed is accepted for so long. */
const TOLERANCE_SEC = 60

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
