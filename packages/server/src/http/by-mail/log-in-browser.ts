import { logInByMail } from '../../by-mail/log-in.ts'
import type { Presented } from '../../by-mail/secrets.ts'
import { endByRefreshToken } from '../../sessions/end.ts'
import type { SignedIn } from '../../sessions/open-session.ts'
import type { Caller, Refusal } from '../../sessions/services.ts'
import { browserOf } from '../browser/browser-of.ts'
import { readBrowser } from '../browser/browser-request.ts'
import { sessionCookies } from '../browser/session-answers.ts'
import type { HttpServices } from '../services.ts'
import { requireMail } from './answers.ts'

/**
 * Logs a browser in with a mailed code, and returns the cookies of its answer. The previous session of the browser
 * ends, because an attacker may have planted its cookies.
 */
export async function logInBrowserByMail(
  services: HttpServices,
  presented: Presented,
  {
    request,
    caller,
    tenant,
  }: { readonly request: Request; readonly caller: Caller; readonly tenant?: string | undefined },
): Promise<
  { readonly ok: true; readonly signedIn: SignedIn; readonly cookies: readonly string[] } | Refusal
> {
  const { sessions, cookies } = services
  const signedIn = await logInByMail(
    requireMail(services),
    presented,
    { tenant, forCookies: true },
    browserOf(services, request, caller),
  )
  if (!signedIn.ok) return signedIn
  const previous = readBrowser(services, request)
  if (previous.ok && previous.browser.refreshToken !== undefined) {
    await endByRefreshToken(sessions, previous.browser.refreshToken, caller)
  }
  return {
    ok: true,
    signedIn,
    cookies: [
      ...sessionCookies(sessions, cookies, signedIn),
      cookies.clear('csrf'),
      cookies.clear('ticket'),
    ],
  }
}
