/**
 * Lets many callers share one piece of work. Each call is served by a run that begins after the call. At most
 * one run is in progress. A run that fails rejects only the calls that it serves. A run begins when `ready`,
 * if given, has resolved; it must not reject.
 */
export function createCoalescer(
  work: () => Promise<void>,
  ready?: () => Promise<void> | undefined,
): () => Promise<void> {
  let current: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  const begin = (): Promise<void> => {
    current = next ?? current
    next = undefined
    return work()
  }
  return () => {
    next ??= current
      .catch(() => {})
      .then(() => {
        const waiting = ready?.()
        return waiting === undefined ? begin() : waiting.then(begin)
      })
    return next
  }
}
