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
 * There is no session, so the write compares only that the secret is still valid. The token carries the log
 * position that was read before the client, and any later revocation exceeds it.
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
 * Checks a service account's secret and records its use: one read, one write. `then` does what the secret
 * is used for, before the use is recorded. If it throws, no use is recorded.
 *
 * Only failed attempts are counted, after the secret was compared. Services share an address behind a
 * proxy: one with a wrong secret that retries forever must not block the others. Guessing is no risk,
 * because a secret has 256 random bits.
 *
 * Refused attempts are audited. Successful ones are not, like refreshes: a machine has one every few
 * minutes for years. The row of the secret says when it was last used.
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
    const throttled = await countTry(services, triesOf(services, clientId, caller))
    if (throttled === undefined) return refuseClient(services, caller, view, refusal)
    // With the right secret the answer is 401, never 429: the account may be enabled at any moment.
    return found === undefined ? throttled : refuse('client_invalid')
  }
  const granted = await then({ ok: true, client, tenantName, position })
  const noted = await store.clients.noteUse({ clientId, secretId: found.id, at: clock.nowMs() })
  return noted === 'refused' ? refuseClient(services, caller, view, 'revoked') : granted
}

// Counted by address. A client's id is in each of its tokens: if attempts counted for the client as a whole, others
// could use up its attempts, and further failures would not be audited. Without addresses all failures share one
// bucket.
function triesOf(
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

/** The audit has the reason. The answer never does. */
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
