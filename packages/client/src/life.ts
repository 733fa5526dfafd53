import { startStopwatch } from './stopwatch.ts'

/** The life of an access token. */
export interface Life {
  /** The milliseconds until it expires. Negative afterwards. */
  leftMs(): number
  /** Whether it is time to refresh. */
  isDue(): boolean
}

/**
 * Starts the life of an access token. It is due at a random moment in the last half: after an outage, pages then do not
 * refresh all at once. Undefined if the lifetime is not known: a rejected call then shows the end.
 */
export function startLife(lifeMs: number | undefined): Life | undefined {
  if (lifeMs === undefined) return undefined
  const elapsed = startStopwatch()
  const dueMs = (lifeMs * (1 + Math.random())) / 2
  return { leftMs: () => lifeMs - elapsed(), isDue: () => elapsed() >= dueMs }
}
