/** Milliseconds since 1970-01-01T00:00:00Z, a safe integer. */
export type EpochMs = number

/** Where the time comes from. Only the composition root gives the real one; tests give their own. */
export interface Clock {
  nowMs(): EpochMs
}

/** The machine's wall clock. */
export const systemClock: Clock = { nowMs: () => Date.now() }

/** The NumericDate (RFC 7519 §2) of the second that has begun: never ahead of anybody's clock. */
export function toEpochSec(ms: EpochMs): number {
  return Math.floor(ms / 1000)
}
