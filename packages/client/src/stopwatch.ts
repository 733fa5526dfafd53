/**
 * Starts a stopwatch: the result returns the milliseconds since then. It takes the larger of two clocks. The monotonic
 * clock stops in some browsers while a laptop sleeps, and the other one is wrong after somebody has set it. Too large
 * an age costs one refresh, too small an age one rejected call.
 */
export function startStopwatch(): () => number {
  const monotonic = (): number => globalThis.performance?.now() ?? 0
  const [startedAt, startedOn] = [monotonic(), Date.now()]
  return () => Math.max(monotonic() - startedAt, Date.now() - startedOn)
}
