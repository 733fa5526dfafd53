import { completeSignIn, type Completed } from '../../with-factors/complete.ts'
import { logInByPasskey } from '../../with-factors/passkey-login.ts'
import { refuse, type Caller, type Refusal } from '../../sessions/services.ts'
import { replaceSession, withDevice, type BrowserSignedIn } from '../browser/open-session.ts'
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

/** Completes the sign-in of a browser. */
export async function completeInBrowser(
  services: HttpServices,
  sent: SentCompletion,
  { request, caller }: { readonly request: Request; readonly caller: Caller },
): Promise<BrowserSignedIn<Completed> | Refusal> {
  const completed = await complete(services, sent, withDevice(services, request, caller), {
    forCookies: true,
  })
  if (!completed.ok) return completed
  const done = await replaceSession(services, completed, { request, caller })
  const { trusted } = completed
  if (trusted === undefined) return done
  const rememberSec = Math.floor((services.sessions.factors.rememberMs ?? 0) / 1000)
  const cookie = services.cookies.set('trusted', trusted, rememberSec)
  return { ...done, cookies: [...done.cookies, cookie] }
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
): Promise<BrowserSignedIn | Refusal> {
  const by = withDevice(services, request, caller)
  const signedIn = await logInByPasskey(services.factors, { ...sent, forCookies: true }, by)
  return signedIn.ok ? replaceSession(services, signedIn, { request, caller }) : signedIn
}
