/** Milliseconds since 1970-01-01T00:00:00Z, a safe integer. */
export type EpochMs = number

/** A source of the time. Only the composition root passes the real one; tests pass their own. */
export interface Clock {
  nowMs(): EpochMs
}

/** The machine's wall clock. */
export const systemClock: Clock = { nowMs: () => Date.now() }

/** The NumericDate (RFC 7519 §2) of the second that has begun. It is never ahead of the clock that it was read from. */
export function toEpochSec(ms: EpochMs): number {
  return Math.floor(ms / 1000)
}
