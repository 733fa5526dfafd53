import { findClientSecret } from '../accounts/client-secrets.ts'
import type { Client, ClientSecret } from '../store/rows.ts'
import type { ClientView } from '../store/store.ts'
import type { ThrottleBucket } from '../store/throttle.ts'
import { mintClientToken } from './access-token.ts'
import { countTry } from './count-try.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'

/** The credentials of a service account. */
export interface ClientCredentials {
  readonly clientId: string
  readonly secret: string
}

/** An access token without a refresh token, because the client has its secret (RFC 6749 §4.4.3). */
export interface ClientGranted {
  readonly ok: true
  readonly access: string
  /** The lifetime of the token in seconds. */
  readonly expiresInSec: number
}

/** A service account that presented its secret. */
export interface ProvenClient {
  readonly ok: true
  readonly client: Client
  /** The name of the tenant that the client is bound to. */
  readonly tenantName: string | undefined
  /** The log position that was read before the client. */
  readonly position: number
}

/**
 * Issues an access token to a service account that presents its secret.
 *
 * There is no session, so the write only checks that the secret is still valid. The token carries the log
 * position that was read before the client, so any later revocation has a higher position.
 */
export async function grantToClient(
  services: SessionServices,
  credentials: ClientCredentials,
  caller: Caller,
): Promise<ClientGranted | Refusal> {
  const { clock, random, ring, access } = services
  return proveClient(services, credentials, caller, async ({ client, tenantName, position }) => {
    const now = clock.nowMs()
    const token = await mintClientToken(ring.accessSigner, access, random, {
      client,
      tenantName,
      position,
      now,
    })
    return { ok: true, access: token, expiresInSec: access.lifetimeSec }
  })
}

/**
 * Checks a service account's secret and records its use, with one read and one write. `then` performs the
 * operation before the use is recorded. If it throws, no use is recorded.
 *
 * Only failed attempts are counted, after the secret was compared. Services behind a proxy share an address,
 * and a service that retries a wrong secret endlessly must not block the others. Guessing is not a risk,
 * because a secret has 256 random bits.
 *
 * Refused attempts are audited. Successful attempts are not audited, like refreshes, because a machine makes
 * one every few minutes for years. The row of the secret has the time of its last use.
 */
export async function proveClient<Granted>(
  services: SessionServices,
  { clientId, secret }: ClientCredentials,
  caller: Caller,
  then: (proven: ProvenClient) => Granted | Promise<Granted>,
): Promise<Granted | Refusal> {
  const { store, clock } = services
  const view = await store.clients.view(clientId)
  const { client, tenantName, position } = view
  const found = findClientSecret(view.secrets, secret)
  const refusal = whyRefused(view, found)
  if (client === undefined || found === undefined || refusal !== undefined) {
    const throttled = await countTry(services, clientTries(services, clientId, caller))
    if (throttled === undefined) return refuseClient(services, caller, view, refusal)
    // With the right secret the answer is 401, never 429, because the service account may be enabled at any
    // moment.
    return found === undefined ? throttled : refuse('client_invalid')
  }
  const granted = await then({ ok: true, client, tenantName, position })
  const noted = await store.clients.noteUse({ clientId, secretId: found.id, at: clock.nowMs() })
  return noted === 'refused' ? refuseClient(services, caller, view, 'revoked') : granted
}

/**
 * The buckets of wrong secrets. They are counted by address. A client's id is in each of its tokens, so others know it.
 * If failures were counted by client, others could use up its attempts, and further failures would not be audited.
 * Without known addresses, all failures share one bucket.
 */
export function clientTries(
  { throttle }: SessionServices,
  clientId: string,
  caller: Caller,
): readonly ThrottleBucket[] {
  return throttle.bucketsOf({
    usernameKey: caller.address === '' ? 'client:' : `client:${clientId}`,
    address: caller.address,
    isKnownAddress: caller.address !== '',
  })
}

type ClientRefusal =
  | 'unknown_client'
  | 'wrong_secret'
  | 'client_disabled'
  | 'tenant_disabled'
  | 'revoked'

function whyRefused(
  { client, tenantDisabled }: ClientView,
  found: ClientSecret | undefined,
): ClientRefusal | undefined {
  if (client === undefined) return 'unknown_client'
  if (found === undefined) return 'wrong_secret'
  if (client.disabledAt !== undefined) return 'client_disabled'
  return tenantDisabled ? 'tenant_disabled' : undefined
}

/** Refuses a client. Only the audit contains the reason. */
async function refuseClient(
  { store, clock }: SessionServices,
  caller: Caller,
  { client }: ClientView,
  detail: ClientRefusal | undefined,
): Promise<Refusal> {
  await store.audit.append({
    at: clock.nowMs(),
    actor: 'anonymous',
    event: 'client_login',
    outcome: 'refused',
    accountId: client?.id,
    sessionId: undefined,
    address: caller.address,
    detail,
  })
  return refuse('client_invalid')
}
