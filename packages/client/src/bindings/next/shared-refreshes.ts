import { startStopwatch } from '../../stopwatch.ts'
import type { SetCookie } from './cookie-header.ts'
import { DEVICE_HEADERS, type RefreshRequest } from './refresh.ts'

/** Refreshes the session of a browser. */
export type Refresh = (request: RefreshRequest) => Promise<readonly SetCookie[]>

// Half of the 10 s in which the authority itself repeats its answer.
const KEPT_MS = 5000

/**
 * Makes the requests that one browser sends together share one refresh: a page, its data and its calls. Late ones get
 * the same answer for 5 s. A browser is recognised by its refresh token, its address and its user agent, as the
 * authority does. So a stolen refresh token gets nothing from here either.
 */
export function shareRefreshes(refresh: Refresh): Refresh {
  const shared = new Map<string, { result: ReturnType<Refresh>; elapsed: () => number }>()
  return (request) => {
    const { refreshToken, browser } = request
    const key = JSON.stringify([refreshToken, ...DEVICE_HEADERS.map((name) => browser.get(name))])
    const known = shared.get(key)
    // Timers stand still while a platform freezes the process.
    if (known !== undefined && known.elapsed() < KEPT_MS) return known.result
    const entry = { result: refresh(request), elapsed: startStopwatch() }
    shared.set(key, entry)
    setTimeout(() => shared.get(key) === entry && shared.delete(key), KEPT_MS)
    return entry.result
  }
}
