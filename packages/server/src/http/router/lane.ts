/** Lets requests begin, some at each turn of the event loop. */
export interface Lane {
  /**
   * Returns undefined if the request may begin now. Otherwise it resolves at its turn, with whether that is in
   * time.
   */
  enter(): Promise<boolean> | undefined
}

/**
 * Creates a lane. Node hands over all requests that have arrived at one turn of the event loop. If a thousand
 * logins arrive together, their work would delay every other request and every new connection. So only `perTurn`
 * of them begin at each turn, in the order in which they arrived. A request is late after `waitMsMax`.
 */
export function createLane(perTurn: number, waitMsMax: number): Lane {
  const waiting: { readonly begin: (isInTime: boolean) => void; readonly sinceMs: number }[] = []
  let left = perTurn
  let isScheduled = false

  function nextTurn(): void {
    left = perTurn
    const lateMs = performance.now() - waitMsMax
    for (const { begin, sinceMs } of waiting.splice(0, left)) {
      left -= 1
      begin(sinceMs >= lateMs)
    }
    isScheduled = waiting.length > 0
    if (isScheduled) setImmediate(nextTurn)
  }

  return {
    enter() {
      if (!isScheduled) {
        isScheduled = true
        setImmediate(nextTurn)
      }
      if (left === 0 || waiting.length > 0) {
        return new Promise((begin) => waiting.push({ begin, sinceMs: performance.now() }))
      }
      left -= 1
      return undefined
    },
  }
}
