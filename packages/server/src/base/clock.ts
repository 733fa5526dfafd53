/** Milliseconds since 1970-01-01T00:00:00Z, a safe integer. */
export type EpochMs = number

/** Tells the time. Only the composition root passes the real one; tests pass their own. */
export interface Clock {
  nowMs(): EpochMs
}

/** The machine's wall clock. */
export const systemClock: Clock = { nowMs: () => Date.now() }

/** Returns the NumericDate (RFC 7519 §2) of a time, rounded down. So it is never ahead of the clock. */
export function toEpochSec(ms: EpochMs): number {
  return Math.floor(ms / 1000)
}
