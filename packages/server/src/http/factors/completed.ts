import { completeSignIn, type Completed } from '../../with-factors/complete.ts'
import { logInByPasskey } from '../../with-factors/passkey-login.ts'
import { endByRefreshToken } from '../../sessions/end.ts'
import type { SignedIn } from '../../sessions/open-session.ts'
import { refuse, type Caller, type Refusal } from '../../sessions/services.ts'
import { browserOf } from '../browser/browser-of.ts'
import { readBrowser } from '../browser/browser-request.ts'
import { sessionCookies } from '../browser/session-answers.ts'
import type { HttpServices } from '../services.ts'
import { readEnrolment, readFactor, type SentFactor } from './fields.ts'

/** The body that completes a sign-in. */
export interface SentCompletion extends SentFactor {
  readonly ticket: string
  /** Whether the factor is enrolled now, because the account must have one. */
  readonly enrol?: boolean | undefined
  readonly remember?: boolean | undefined
}

/** Completes a sign-in with the second factor of a body. */
export async function complete(
  { factors }: HttpServices,
  sent: SentCompletion,
  caller: Caller,
  options: { readonly forCookies: boolean },
): Promise<Completed | Refusal> {
  const enrolment = sent.enrol === true ? readEnrolment(sent) : undefined
  const presented = sent.enrol === true ? enrolment && { enrol: enrolment } : readFactor(sent)
  if (presented === undefined) return refuse('fields_invalid')
  const { ticket, remember } = sent
  return completeSignIn(factors, { ticket, presented, remember, ...options }, caller)
}

/** A browser that was logged in, and the cookies of its answer. */
export interface LoggedInBrowser<Result extends SignedIn = SignedIn> {
  readonly ok: true
  readonly signedIn: Result
  readonly cookies: readonly string[]
}

/** Completes the sign-in of a browser. */
export async function completeInBrowser(
  services: HttpServices,
  sent: SentCompletion,
  { request, caller }: { readonly request: Request; readonly caller: Caller },
): Promise<LoggedInBrowser<Completed> | Refusal> {
  const completed = await complete(services, sent, browserOf(services, request, caller), {
    forCookies: true,
  })
  if (!completed.ok) return completed
  const { trusted } = completed
  const rememberSec = Math.floor((services.sessions.factors.rememberMs ?? 0) / 1000)
  const more = trusted === undefined ? [] : [services.cookies.set('trusted', trusted, rememberSec)]
  return logIn(services, completed, { request, caller }, more)
}

/** Logs a browser in with a passkey alone. */
export async function passkeyInBrowser(
  services: HttpServices,
  sent: {
    readonly challenge: string
    readonly response: unknown
    readonly tenant?: string | undefined
  },
  { request, caller }: { readonly request: Request; readonly caller: Caller },
): Promise<LoggedInBrowser | Refusal> {
  const by = browserOf(services, request, caller)
  const signedIn = await logInByPasskey(services.factors, { ...sent, forCookies: true }, by)
  return signedIn.ok ? logIn(services, signedIn, { request, caller }, []) : signedIn
}

/**
 * Ends the previous session of the browser, because an attacker may have planted its cookies, and returns the cookies of
 * the new one.
 */
async function logIn<Result extends SignedIn>(
  services: HttpServices,
  signedIn: Result,
  { request, caller }: { readonly request: Request; readonly caller: Caller },
  more: readonly string[],
): Promise<LoggedInBrowser<Result>> {
  const { sessions, cookies } = services
  const previous = readBrowser(services, request)
  if (previous.ok && previous.browser.refreshToken !== undefined) {
    await endByRefreshToken(sessions, previous.browser.refreshToken, caller)
  }
  return {
    ok: true,
    signedIn,
    cookies: [...sessionCookies(sessions, cookies, signedIn), cookies.clear('csrf'), ...more],
  }
}
