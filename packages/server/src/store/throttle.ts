/**
 * A bucket of tries: so many at once, and then one each interval. What is counted is the time at which
 * the bucket will be empty again, so one row a bucket is all, and nothing has to be reset.
 */
export interface Bucket {
  /** Names the bucket; holds no secret and nothing that a person typed. */
  readonly key: string
  readonly triesMax: number
  /** The time in which the bucket empties by one try. */
  readonly intervalMs: number
}

/** `retryAfterMs`: when the fullest bucket takes the next try. */
export type TakeResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly retryAfterMs: number }
