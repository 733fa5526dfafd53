import { proveClient } from '../../sessions/client-credentials.ts'
import type { Caller, Refusal, SessionServices } from '../../sessions/services.ts'
import type { Client } from '../../store/rows.ts'
import type { Gate } from '../router/gate.ts'
import { answerTokenRefusal } from './answers.ts'
import { readClientAuth, type ClientAuth } from './client-auth.ts'

/** The credentials that a service account presented. */
type Presented = Extract<ClientAuth, { readonly ok: true }>['credentials']

/** The part of an OAuth form that may hold the credentials of its client. */
interface ClientForm {
  readonly client_id?: string | undefined
  readonly client_secret?: string | undefined
}

/**
 * Reads the id and secret of a service account from a Basic header or from the form. It runs after the form
 * was parsed, so mistakes in the form are reported before authentication errors. It does not check the
 * secret; see {@link presentedClient} and {@link provenClient}.
 */
function readPresented(
  sessions: SessionServices,
  request: Request,
  form: ClientForm,
): { readonly ok: true; readonly who: Presented } | { ok: false; readonly response: Response } {
  const auth = readClientAuth(request.headers.get('authorization'), {
    clientId: form.client_id,
    secret: form.client_secret,
  })
  return auth.ok
    ? { ok: true, who: auth.credentials }
    : { ok: false, response: refuseClientWith(sessions, auth) }
}

/** Lets in a request that presents credentials. The handler checks them. */
export const presentedClient: Gate<Presented, ClientForm> = {
  authentication: 'client',
  csrf: 'none',
  refusals: ['client_invalid', 'client_auth_repeated', 'throttled'],
  isAfterBody: true,
  enter: ({ sessions }, { request, body }) => readPresented(sessions, request, body),
}

/** Lets in a service account that has proved its secret (RFC 7009 §2.1, RFC 7662 §2.1). */
export const provenClient: Gate<Client, ClientForm> = {
  ...presentedClient,
  async enter({ sessions }, { request, caller, body }) {
    const presented = readPresented(sessions, request, body)
    if (!presented.ok) return presented
    const proven = await proveClientOf(sessions, presented.who, caller)
    return 'client' in proven
      ? { ok: true, who: proven.client }
      : { ok: false, response: refuseClientWith(sessions, proven) }
  },
}

function proveClientOf(
  sessions: SessionServices,
  presented: Presented,
  caller: Caller,
): Promise<{ readonly client: Client } | Refusal> {
  return proveClient(sessions, presented, caller, (each) => each)
}

/** Creates the answer to a service account that was refused. */
export function refuseClientWith(
  { access }: SessionServices,
  { code, retryAfterSec }: Refusal,
): Response {
  return answerTokenRefusal(code, {
    ...(retryAfterSec === undefined ? {} : { 'retry-after': String(retryAfterSec) }),
    // Added to every 401 (RFC 9110 §15.5.2), not only if the request used the header (RFC 6749 §5.2).
    ...(code === 'client_invalid'
      ? { 'www-authenticate': `Basic realm="${access.issuer}", charset="UTF-8"` }
      : {}),
  })
}
