import { inspectToken } from '../../sessions/inspect.ts'
import type { CurrentSession } from '../../sessions/own-sessions.ts'
import { readBrowser } from '../browser/browser-request.ts'
import type { HttpServices } from '../services.ts'

/**
 * The session of the refresh cookie, for a form of the server's own pages. Browsers send this cookie only with
 * requests from pages of the same site. Reading it ends and rotates nothing.
 */
export async function readFormSession(
  services: HttpServices,
  request: Request,
): Promise<CurrentSession | undefined> {
  const read = readBrowser(services, request)
  const token = read.ok ? read.browser.refreshToken : undefined
  if (token === undefined) return undefined
  const inspected = await inspectToken(services.sessions, token)
  if (!inspected.ok || inspected.kind !== 'refresh') return undefined
  const { state } = inspected
  return { state, isCookie: true, expSec: Math.floor(state.session.expiresAt / 1000) }
}
