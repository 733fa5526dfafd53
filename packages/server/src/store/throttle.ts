/**
 * A bucket of attempts: it allows `triesMax` at once, then one more in each interval. The store keeps the
 * time at which the bucket will be empty again. So a bucket is one row, and nothing has to be reset.
 */
export interface ThrottleBucket {
  /** Names the bucket. It contains no secret and nothing that a person typed. */
  readonly key: string
  readonly triesMax: number
  /** The time in which the bucket empties by one attempt. */
  readonly intervalMs: number
}

/**
 * Whether an attempt was counted. `retryAfterMs` is the time until the fullest bucket accepts another
 * attempt.
 */
export type TakeResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly retryAfterMs: number }
