import { errors, Provider, type Adapter, type Payload } from 'oidc-provider'

import { randomId } from '../../base/random.ts'
import type { SessionServices } from '../../sessions/services.ts'
import { decideGeneration, isChainOver } from '../../store/decide-generation.ts'
import { NO_GRACE } from '../../store/refresh.ts'
import type { SsoRefreshChain } from '../../store/sso.ts'
import {
  isGenuineRefresh,
  readRefreshValue,
  refreshValueOf,
  type RefreshValue,
} from '../refresh-value.ts'
import { neededAccountOf } from './accounts.ts'
import { factsOf, type RequestFacts } from './facts.ts'
import { fromStoredPayload, toStoredPayload } from './payloads.ts'
import { revokeGrant } from './revoke-grant.ts'

/** The chains that this process is about to write, by their first token. */
const begun = new WeakMap<RequestFacts, Pick<SsoRefreshChain, 'id' | 'seed'>>()

/**
 * Creates the store of refresh tokens. All tokens of a grant have one row. A rotation changes it by a compare-and-set,
 * so of several requests with one token, one rotates. The others get the token of that rotation too, whatever address
 * they come from: their client has proved who it is.
 */
export function createRefreshAdapter(services: SessionServices): Adapter {
  const { store, rotation, access } = services
  const { refreshes } = store.sso
  const conditionsNow = () => ({ ...rotation, now: store.clock.nowMs() })

  return {
    async upsert(_, payload) {
      const facts = currentFactsOf()
      // A rotation has changed the row already.
      if (facts.rotated !== undefined) return
      await refreshes.create(chainOf(services, facts, payload))
    },

    async find(text) {
      const value = readRefreshValue(text)
      const read = value && (await refreshes.read(value.chainId))
      if (value === undefined || read === undefined) return undefined
      const { chain } = read
      if (!isGenuineRefresh(chain, value)) return undefined
      const conditions = conditionsNow()
      if (isChainOver(chain, conditions.now)) return undefined
      const decision = decideGeneration(chain, value.generation, conditions)
      // The store has lost the rotation that made this token. The person signs in again.
      if (decision === 'ahead') return undefined
      const leftMs = Math.min(chain.expiresAt, chain.endsAt) - conditions.now
      const life = { id: text, leftMs, isUsed: decision === 'old' }
      return fromStoredPayload('RefreshToken', chain.payload, life, access.issuer)
    },

    async consume(text) {
      const { chainId, generation } = neededValue(text)
      const { idleMs, graceMs, startedAt } = rotation
      const result = await refreshes.rotate(chainId, generation, { idleMs, graceMs, startedAt })
      if (result.kind === 'rotated' || result.kind === 'young') {
        currentFactsOf().rotated = result.chain
        return
      }
      if (result.kind === 'old') await revokeGrant(services, result.chain.grantId)
      throw new errors.InvalidGrant(`The refresh token is ${result.kind}.`)
    },

    findByUid: async () => undefined,
    findByUserCode: async () => undefined,
    // The library removes a token that was used before, with its grant. `revokeGrant` removes the row.
    destroy: async () => {},
    revokeByGrantId: async () => {},
  }
}

/** Returns the text of the refresh token that the answer to this request carries. */
export function nextRefreshValue({ random }: SessionServices): string {
  const facts = currentFactsOf()
  if (facts.rotated !== undefined) return refreshValueOf(facts.rotated, facts.rotated.generation)
  const chain = { id: randomId(random), seed: random.bytes(32) }
  begun.set(facts, chain)
  return refreshValueOf(chain, 0)
}

function chainOf(
  { store, rotation }: SessionServices,
  facts: RequestFacts,
  payload: Payload,
): SsoRefreshChain {
  const chain = begun.get(facts)
  const { ctx } = Provider
  const { grantId, clientId } = payload
  if (chain === undefined || ctx === undefined) throw new TypeError('No refresh token was begun.')
  if (typeof grantId !== 'string' || typeof clientId !== 'string') {
    throw new TypeError('A refresh token has a grant and an application.')
  }
  const { session } = neededAccountOf(ctx).state
  const now = store.clock.nowMs()
  return {
    ...chain,
    sessionId: session.id,
    grantId,
    applicationId: clientId,
    generation: 0,
    createdAt: now,
    rotatedAt: now,
    grace: NO_GRACE,
    expiresAt: Math.min(now + rotation.idleMs, session.endsAt),
    endsAt: session.endsAt,
    payload: toStoredPayload('RefreshToken', payload),
  }
}

function neededValue(text: string): RefreshValue {
  const value = readRefreshValue(text)
  if (value === undefined) throw new TypeError('The library has found a token that is none.')
  return value
}

function currentFactsOf(): RequestFacts {
  if (Provider.ctx === undefined) throw new TypeError('There is no request.')
  return factsOf(Provider.ctx)
}
