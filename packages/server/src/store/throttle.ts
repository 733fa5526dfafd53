/**
 * A bucket of tries: `triesMax` at once, then one more in each interval. The store counts the time at which the bucket
 * will be empty again. So a bucket is one row, and nothing has to be reset.
 */
export interface ThrottleBucket {
  /** Names the bucket. It contains no secret and nothing that a person typed. */
  readonly key: string
  readonly triesMax: number
  /** The time in which the bucket empties by one try. */
  readonly intervalMs: number
}

/** Whether a try was counted. `retryAfterMs` is the time until the fullest bucket takes another try. */
export type TakeResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly retryAfterMs: number }
