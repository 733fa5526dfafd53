import type { Refusal, Caller, SessionServices } from '../../sessions/services.ts'
import { proveClient, type ProvenClient } from '../../sessions/client-credentials.ts'
import { readForm } from '../body.ts'
import { answerTokenRefusal } from './answers.ts'
import { readClientAuth } from './client-auth.ts'

/** A form of OAuth 2.0: each parameter once, one without a value left out (RFC 6749 §3.2). */
export type Parameters = (name: string) => string | undefined

/** Reads the form of a request, or gives the answer to one that has none. */
export async function readParameters(
  request: Request,
): Promise<
  | { readonly ok: true; readonly parameter: Parameters }
  | { readonly ok: false; readonly response: Response }
> {
  const body = await readForm(request)
  if (!body.ok) return { ok: false, response: answerTokenRefusal(body.code) }
  return {
    ok: true,
    parameter: (name) => {
      const value = body.fields?.get(name)
      return typeof value === 'string' && value !== '' ? value : undefined
    },
  }
}

/**
 * A request about a token by a service account that has shown its secret (RFC 7009 §2.1, RFC 7662 §2.1). What is
 * wrong with the request is said before anybody is asked who they are.
 */
export async function readTokenRequest(
  services: SessionServices,
  request: Request,
  caller: Caller,
): Promise<
  | { readonly ok: true; readonly token: string; readonly client: ProvenClient['client'] }
  | { readonly ok: false; readonly response: Response }
> {
  const form = await readParameters(request)
  if (!form.ok) return form
  const token = form.parameter('token')
  if (token === undefined) return { ok: false, response: answerTokenRefusal('token_missing') }
  const auth = readClientAuth(request.headers.get('authorization'), {
    clientId: form.parameter('client_id'),
    secret: form.parameter('client_secret'),
  })
  if (!auth.ok) return { ok: false, response: refuseClientWith(services, auth) }
  const proven = await proveClient(services, auth.credentials, caller, (each) => each)
  return proven.ok
    ? { ok: true, token, client: proven.client }
    : { ok: false, response: refuseClientWith(services, proven) }
}

/** The answer to a client that was refused. */
export function refuseClientWith(
  { access }: SessionServices,
  { code, retryAfterSec }: Refusal,
): Response {
  return answerTokenRefusal(code, {
    ...(retryAfterSec === undefined ? {} : { 'retry-after': String(retryAfterSec) }),
    // On every 401 (RFC 9110 §15.5.2), not only where the header was used (RFC 6749 §5.2).
    ...(code === 'client_invalid'
      ? { 'www-authenticate': `Basic realm="${access.issuer}", charset="UTF-8"` }
      : {}),
  })
}
