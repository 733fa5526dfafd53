import { BATCH_TYP } from '@countersign/guard/revocations'
import {
  createKeySet,
  createSigner,
  verifyingKeyOf,
  type KeySet,
  type PublicJwk,
  type Signer,
} from '@countersign/jwt'

import type { Clock } from '../base/clock.ts'
import { SetupError } from '../base/faults.ts'
import type { KeyUse, RingChange, StoredKey } from '../store/rows.ts'
import type { KeyStore } from '../store/store.ts'
import {
  createAccessKey,
  createRefreshKey,
  openKey,
  publishedJwk,
  resealed,
  type KeyMaker,
  type OpenedKey,
} from './material.ts'
import type { AccessSigner, OpenedSigner } from './foreign-signer.ts'
import { keyOf, planKill, planRing, type RingMaker, type RingSchedule } from './plan-ring.ts'

/** `typ` of an access token (RFC 9068 §2.1) and of ours for refreshing. Each kind has its own. */
export const ACCESS_TYP = 'at+jwt'
export const REFRESH_TYP = 'rt+jwt'

/** The keys as they are at one moment. Never changes; a changed ring has another one. */
export interface RingState {
  readonly accessSigner: AccessSigner
  /** What verifies access tokens: every key that is published. */
  readonly accessKeys: KeySet
  /** The key that signs new refresh tokens. */
  readonly refreshKid: string
  /** Undefined when the ring has no such key any more. */
  refreshSigner(kid: string): Signer | undefined
  readonly refreshKeys: KeySet
  /** RFC 7517 §5, public members only. */
  readonly jwks: { readonly keys: readonly PublicJwk[] }
  /** Signs batches of the revocation log: the key of access tokens, for another kind of token. */
  readonly logSigner: Signer
  /** What verifies those batches: the ring's own keys alone. */
  readonly logKeys: KeySet
  /** The `kid`s of all keys that were ever killed. */
  readonly killed: readonly string[]
}

export interface KeyRingOptions extends KeyMaker {
  readonly store: KeyStore
  readonly clock: Clock
  readonly schedule: RingSchedule
  /** Signs access tokens in place of the ring's own keys, which then sign the revocation log alone. */
  readonly foreign?: OpenedSigner | undefined
}

/**
 * The signing keys. Access tokens are signed with a private key whose public half is published;
 * refresh tokens with an HMAC key that never leaves the authority, so no service can be talked into
 * taking one. Both change by themselves.
 */
export class KeyRing implements RingState {
  readonly #parts: KeyRingOptions
  #state: RingState

  private constructor(parts: KeyRingOptions, state: RingState) {
    this.#parts = parts
    this.#state = state
  }

  /** The ring as it is, for who only looks: nothing is created, and nothing sealed again. */
  static async read(parts: KeyRingOptions): Promise<KeyRing> {
    return new KeyRing(parts, openState(await parts.store.list(), parts))
  }

  /**
   * Opens the ring, and creates its first keys in an empty store. Seals with the first secret what another
   * one had sealed. Throws a `SetupError` when no secret opens the keys that are there.
   */
  static async open(parts: KeyRingOptions): Promise<KeyRing> {
    await keepUp(parts)
    const stored = await parts.store.list()
    const state = openState(stored, parts)
    for (const key of stored) await reseal(parts, key)
    await parts.store.setSchedule(parts.schedule)
    return new KeyRing(parts, state)
  }

  /** The keys of now, in one piece. */
  get state(): RingState {
    return this.#state
  }

  get accessSigner(): AccessSigner {
    return this.#state.accessSigner
  }

  get accessKeys(): KeySet {
    return this.#state.accessKeys
  }

  get refreshKid(): string {
    return this.#state.refreshKid
  }

  get refreshKeys(): KeySet {
    return this.#state.refreshKeys
  }

  get jwks(): RingState['jwks'] {
    return this.#state.jwks
  }

  get logSigner(): Signer {
    return this.#state.logSigner
  }

  get logKeys(): KeySet {
    return this.#state.logKeys
  }

  get killed(): readonly string[] {
    return this.#state.killed
  }

  refreshSigner(kid: string): Signer | undefined {
    return this.#state.refreshSigner(kid)
  }

  /** Does what is due: keys that have signed long enough retire, the next one takes over. */
  async keepUp(): Promise<void> {
    if (await keepUp(this.#parts)) await this.reload()
  }

  /** Reads the keys again: somebody has changed them. */
  async reload(): Promise<void> {
    let stored = await this.#parts.store.list()
    // A kill that was lost and has been handed back names no successor.
    if (!USES.every((use) => keyOf(stored, use, 'active') !== undefined)) {
      await keepUp(this.#parts)
      stored = await this.#parts.store.list()
    }
    this.#state = openState(stored, this.#parts)
  }
}

/** Gives what was made of the keys of now, made anew when they are others. */
export function perRingState<T>(
  ring: Pick<KeyRing, 'state'>,
  create: (state: RingState) => T,
): () => T {
  let state: RingState | undefined
  let made: T | undefined
  return () => {
    if (state !== ring.state || made === undefined) {
      state = ring.state
      made = create(state)
    }
    return made
  }
}

/** Whether something was changed. `force` rotates keys of these uses now. */
export async function keepUp(
  parts: KeyRingOptions,
  by: { readonly actor: string; readonly force?: readonly KeyUse[] } = { actor: 'system' },
): Promise<boolean> {
  return changeRing(parts, by.actor, (keys, now, make) =>
    planRing(keys, parts.schedule, now, make, by.force),
  )
}

/**
 * Kills a key: what it signed is refused at once, everywhere. Gives false for one that is not known or is
 * dead already.
 */
export async function killKey(parts: KeyRingOptions, kid: string, actor: string): Promise<boolean> {
  return changeRing(parts, actor, (keys, now, make) => {
    const key = keys.find((each) => each.kid === kid && each.state !== 'revoked')
    return key && planKill(keys, key, parts.schedule, now, make)
  })
}

/** Puts a key into the place of the pending one. Gives false where the ring has it already. */
export async function addPendingKey(
  parts: KeyRingOptions,
  key: StoredKey,
  actor: string,
): Promise<boolean> {
  return changeRing(parts, actor, (keys) => {
    if (keys.some(({ kid }) => kid === key.kid)) return undefined
    const pending = keyOf(keys, 'access', 'pending')
    return { put: [key], remove: pending === undefined ? [] : [pending.kid] }
  })
}

const USES: readonly KeyUse[] = ['access', 'refresh']
const TRIES_MAX = 10

/** Plans on the ring as it is and changes it, again where somebody else was faster. */
async function changeRing(
  parts: KeyRingOptions,
  actor: string,
  plan: (keys: readonly StoredKey[], now: number, make: RingMaker) => RingChange | undefined,
): Promise<boolean> {
  const { store, clock } = parts
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const keys = await store.list()
    const at = clock.nowMs()
    const change = plan(keys, at, {
      access: (alg) => createAccessKey(parts, alg, at),
      refresh: () => createRefreshKey(parts, at),
    })
    if (change === undefined) return false
    if ((await store.change(keys, change, { at, actor })) === 'changed') return true
  }
  throw new Error('The key ring is changed by others all the time.')
}

async function reseal({ store, sealer, clock }: KeyRingOptions, key: StoredKey): Promise<void> {
  if (key.state === 'revoked') return
  const sealed = resealed(key, sealer)
  if (sealed !== undefined) {
    await store.reseal(key.kid, sealed, { at: clock.nowMs(), actor: 'system' })
  }
}

function openState(
  stored: readonly StoredKey[],
  { sealer, foreign }: Pick<KeyRingOptions, 'sealer' | 'foreign'>,
): RingState {
  const alive = stored.filter(({ state }) => state !== 'revoked').map((key) => openKey(key, sealer))
  const access = alive.filter((each) => each.stored.use === 'access')
  const refresh = alive.filter((each) => each.stored.use === 'refresh')
  const refreshSigners = new Map(
    refresh.map(({ stored: { kid }, key }) => [kid, createSigner(key, { typ: REFRESH_TYP })]),
  )
  const active = activeOf(access, 'access')
  const own = access.map(({ key }) => verifyingKeyOf(key))
  return {
    accessSigner: foreign?.signer ?? createSigner(active.key, { typ: ACCESS_TYP }),
    accessKeys: createKeySet([...own, ...(foreign?.keys ?? [])]),
    refreshKid: activeOf(refresh, 'refresh').stored.kid,
    refreshSigner: (kid) => refreshSigners.get(kid),
    refreshKeys: createKeySet(refresh.map(({ key }) => verifyingKeyOf(key))),
    jwks: { keys: [...access.map(publishedJwk), ...(foreign?.jwks ?? [])] },
    logSigner: createSigner(active.key, { typ: BATCH_TYP }),
    logKeys: createKeySet(own),
    killed: stored.filter(({ state }) => state === 'revoked').map(({ kid }) => kid),
  }
}

function activeOf(keys: readonly OpenedKey[], use: KeyUse): OpenedKey {
  const active = keys.find(({ stored }) => stored.state === 'active')
  if (active === undefined) throw new SetupError(`The store has no active ${use} key.`)
  return active
}
