import { findClientSecret } from '../accounts/client-secrets.ts'
import type { Client, ClientSecret } from '../store/rows.ts'
import type { ClientView } from '../store/store.ts'
import type { Bucket } from '../store/throttle.ts'
import { mintClientToken } from './access-token.ts'
import { countTry } from './count-try.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'

/** How a service account says who it is. */
export interface ClientCredentials {
  readonly clientId: string
  readonly secret: string
}

/** An access token, and nothing to refresh it with: the secret is at hand (RFC 6749 §4.4.3). */
export interface ClientGranted {
  readonly ok: true
  readonly access: string
  /** Seconds from now on. */
  readonly expiresInSec: number
}

/** A service account that has shown its secret. */
export interface ProvenClient {
  readonly ok: true
  readonly client: Client
  /** The log position that was read before the client. */
  readonly position: number
}

/**
 * Gives a service account an access token for its secret.
 *
 * There is no session, so nothing is compared at the write but that the secret still stands: the token
 * carries the log position that was read before the client, and what was taken back since exceeds it.
 */
export async function grantToClient(
  services: SessionServices,
  credentials: ClientCredentials,
  caller: Caller,
): Promise<ClientGranted | Refusal> {
  const { clock, random, ring, access } = services
  return proveClient(services, credentials, caller, async ({ client, position }) => {
    const now = clock.nowMs()
    const token = await mintClientToken(ring.accessSigner, access, random, {
      client,
      position,
      now,
    })
    return { ok: true, access: token, expiresInSec: access.lifetimeSec }
  })
}

/**
 * Checks a service account's secret and notes its use: one read, one write. `then` says what it is used for,
 * before it is noted: what cannot be done is no use of the secret.
 *
 * Only tries that fail are counted, after the secret was compared. Services share an address behind a proxy:
 * one that is set up with a wrong secret, and tries for ever, must not keep out those that have theirs. And
 * nobody guesses 256 random bits, however often they try.
 *
 * Refused tries are audited. Those that succeed are not, as refreshes are not: a machine has one every
 * few minutes for years. When a secret was used last stands in its row.
 */
export async function proveClient<Granted>(
  services: SessionServices,
  { clientId, secret }: ClientCredentials,
  caller: Caller,
  then: (proven: ProvenClient) => Granted | Promise<Granted>,
): Promise<Granted | Refusal> {
  const { store, clock } = services
  const view = await store.clients.view(clientId)
  const { client, position } = view
  const found = findClientSecret(view.secrets, secret)
  const refusal = whyRefused(view, found)
  if (client === undefined || found === undefined || refusal !== undefined) {
    const throttled = await countTry(services, triesOf(services, clientId, caller))
    if (throttled === undefined) return refuseClient(services, caller, view, refusal)
    // Who has the secret is told no, and not to wait: the account may be enabled in the next moment.
    return found === undefined ? throttled : refuse('client_invalid')
  }
  const granted = await then({ ok: true, client, position })
  const noted = await store.clients.noteUse({ clientId, secretId: found.id, at: clock.nowMs() })
  return noted === 'refused' ? refuseClient(services, caller, view, 'revoked') : granted
}

// By address alone. A client's id is in each of its tokens: counted as a whole, others could fill the audit log in
// its name until nobody's failures were seen. Where addresses are not known, all that fail count together.
function triesOf(
  { throttle }: SessionServices,
  clientId: string,
  caller: Caller,
): readonly Bucket[] {
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

/** The audit knows the reason; the answer never does. */
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
