/**
 * Lets many callers share one piece of work. Each call is served by a run that begins after the call. At most
 * one run is in progress. A run that fails rejects only the calls that it serves.
 */
export function createCoalescer(work: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  return () => {
    next ??= current
      .catch(() => {})
      .then(() => {
        current = next ?? current
        next = undefined
        return work()
      })
    return next
  }
}
