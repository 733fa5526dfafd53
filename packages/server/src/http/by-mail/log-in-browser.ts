import { logInByMail } from '../../by-mail/log-in.ts'
import type { Presented } from '../../by-mail/secrets.ts'
import type { Caller, Refusal } from '../../sessions/services.ts'
import { replaceSession, withDevice, type BrowserSignedIn } from '../browser/open-session.ts'
import type { HttpServices } from '../services.ts'
import { requireMail } from './answers.ts'

/** Logs a browser in with a mailed code, and returns the cookies of its answer. */
export async function logInBrowserByMail(
  services: HttpServices,
  presented: Presented,
  {
    request,
    caller,
    tenant,
  }: { readonly request: Request; readonly caller: Caller; readonly tenant?: string | undefined },
): Promise<BrowserSignedIn | Refusal> {
  const signedIn = await logInByMail(
    requireMail(services),
    presented,
    { tenant, forCookies: true },
    withDevice(services, request, caller),
  )
  if (!signedIn.ok) return signedIn
  const done = await replaceSession(services, signedIn, { request, caller })
  return { ...done, cookies: [...done.cookies, services.cookies.clear('ticket')] }
}
