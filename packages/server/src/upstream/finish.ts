import { countTry } from '../sessions/count-try.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import { askWho } from './ask.ts'
import type { UpstreamProvider } from './provider.ts'
import type { ProvenIdentity } from './resolve.ts'
import type { UpstreamServices } from './services.ts'
import { isState, openTransaction, type UpstreamTransaction } from './transaction.ts'

const CONSUMED = 'upstream_transaction'

/** Opens the log-in that a browser has begun. Undefined if its cookie is not one of this server, for this state. */
export function readTransaction(
  { sealer }: UpstreamServices,
  state: string,
  sealed: string | undefined,
): UpstreamTransaction | undefined {
  return sealed === undefined || !isState(state)
    ? undefined
    : openTransaction(sealer, state, sealed)
}

/**
 * Finishes a log-in at a provider: uses the transaction up, checks the answer, and returns the identity. The answer of
 * one provider never finishes a log-in at another one: otherwise an attacker who runs one could pass on the codes of
 * another (a mix-up).
 */
export async function finishAtProvider(
  services: UpstreamServices,
  provider: UpstreamProvider,
  {
    transaction,
    answer,
  }: { readonly transaction: UpstreamTransaction; readonly answer: URLSearchParams },
  caller: Caller,
): Promise<({ readonly ok: true } & ProvenIdentity) | Refusal> {
  const { store, throttle } = services.sessions
  const { state, expiresAt, position } = transaction
  const isUsable = transaction.provider === provider.name && store.clock.nowMs() < expiresAt
  if (!isUsable || !(await store.consume(CONSUMED, state, expiresAt)))
    return refuse('upstream_void')
  // Each answer makes this server send requests.
  const throttled = await countTry(services.sessions, throttle.challengesOf(caller.address))
  if (throttled !== undefined) return throttled
  const asked = await askWho(services, provider, transaction, answer)
  return asked.ok ? { ok: true, provider, profile: asked.profile, position } : refuse(asked.code)
}
