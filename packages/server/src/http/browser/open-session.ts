import { endByRefreshToken } from '../../sessions/end.ts'
import type { SignedIn } from '../../sessions/open-session.ts'
import type { Caller, Refusal } from '../../sessions/services.ts'
import { signIn, type Credentials } from '../../sessions/sign-in.ts'
import type { HttpServices } from '../services.ts'
import { readBrowser } from './browser-request.ts'
import { sessionCookies } from './session-answers.ts'

/** A sign-in of a browser, and the Set-Cookie lines of its answer. */
export interface BrowserSignedIn<Result extends SignedIn = SignedIn> {
  readonly ok: true
  readonly signedIn: Result
  readonly cookies: readonly string[]
}

/** Logs a browser in with a password, for `POST /auth/login` and for the sign-in page. */
export async function signInBrowser(
  services: HttpServices,
  credentials: Credentials,
  { request, caller }: { readonly request: Request; readonly caller: Caller },
): Promise<BrowserSignedIn | Refusal> {
  const signedIn = await signIn(
    services.sessions,
    credentials,
    withDevice(services, request, caller),
    { forCookies: true },
  )
  return signedIn.ok ? replaceSession(services, signedIn, { request, caller }) : signedIn
}

/** The caller with what the cookies of earlier logins say about its browser. */
export function withDevice(
  { cookies }: Pick<HttpServices, 'cookies'>,
  request: Request,
  caller: Caller,
): Caller {
  const device = cookies.read(request, 'device')
  const trusted = cookies.read(request, 'trusted')
  return {
    ...caller,
    device: device.ok ? device.value : undefined,
    trusted: trusted.ok ? trusted.value : undefined,
  }
}

/**
 * Returns the cookies of a browser that has just signed in. Its previous session ends, because an attacker may have
 * planted its cookies.
 */
export async function replaceSession<Result extends SignedIn>(
  services: HttpServices,
  signedIn: Result,
  { request, caller }: { readonly request: Request; readonly caller: Caller },
): Promise<BrowserSignedIn<Result>> {
  const { sessions, cookies } = services
  const previous = readBrowser(services, request)
  if (previous.ok && previous.browser.refreshToken !== undefined) {
    await endByRefreshToken(sessions, previous.browser.refreshToken, caller)
  }
  const lines = [...sessionCookies(sessions, cookies, signedIn), cookies.clear('csrf')]
  return { ok: true, signedIn, cookies: lines }
}
