import { isDeepStrictEqual } from 'node:util'

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
import { SetupError, StoreFault } from '../base/faults.ts'
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

/** The `typ` of an access token (RFC 9068 §2.1). Each kind of token has its own `typ`. */
export const ACCESS_TYP = 'at+jwt'
/** The `typ` of a refresh token. */
export const REFRESH_TYP = 'rt+jwt'
/** The `typ` of an ID token (OpenID Connect Core 1.0 §2). Its libraries expect this value or none. */
export const ID_TYP = 'JWT'

/** The keys at one moment. The object is immutable: a change of the ring makes a new object. */
export interface RingState {
  readonly accessSigner: AccessSigner
  /** Returns a signer of tokens of another kind, with the key that signs access tokens. */
  signerFor(typ: string): AccessSigner
  /** The algorithm of that key. */
  readonly accessAlg: string
  /**
   * The keys that verify access tokens: every published key that signs, or has signed. A key that is pending
   * has signed nothing yet, so a token of it was made by a thief of the key.
   */
  readonly accessKeys: KeySet
  /** The same keys and those that are pending. */
  readonly publishedKeys: KeySet
  /** The key that signs new refresh tokens. */
  readonly refreshKid: string
  /** Returns the signer of this refresh key. Returns undefined if the ring no longer has the key. */
  refreshSigner(kid: string): Signer | undefined
  readonly refreshKeys: KeySet
  /** The published key set (RFC 7517 §5), with public members only. */
  readonly jwks: { readonly keys: readonly PublicJwk[] }
  /** Signs batches of the revocation log. It uses the active access key with another `typ`. */
  readonly logSigner: Signer
  /**
   * The keys that verify those batches. They are always the ring's own keys. A key that is pending is among
   * them: a store that lost its last writes may have lost the rotation, and guards hand back what the key
   * signed afterwards. The HMAC of each batch keeps thieves of a key out.
   */
  readonly logKeys: KeySet
  /** The `kid`s of all keys that were ever revoked. */
  readonly killed: readonly string[]
  /** The `kid`s of the published keys that do not sign yet. */
  readonly pending: readonly string[]
}

/** The dependencies of a `KeyRing`. */
export interface KeyRingOptions extends KeyMaker {
  readonly store: KeyStore
  readonly clock: Clock
  readonly schedule: RingSchedule
  /**
   * Signs access tokens instead of the ring's own keys. The ring's keys then sign only the revocation log.
   */
  readonly foreign?: OpenedSigner | undefined
}

/**
 * The signing keys. A private key, whose public key is published, signs access tokens. An HMAC key that never
 * leaves the authority signs refresh tokens, so no service can be made to accept a refresh token. Both rotate
 * automatically.
 */
export class KeyRing implements RingState {
  readonly #parts: KeyRingOptions
  #state: RingState

  private constructor(parts: KeyRingOptions, state: RingState) {
    this.#parts = parts
    this.#state = state
  }

  /** Opens the ring for reading. It creates and re-seals no keys. */
  static async read(parts: KeyRingOptions): Promise<KeyRing> {
    return new KeyRing(parts, openState(await parts.store.list(), parts))
  }

  /**
   * Opens the ring, and creates the first keys in an empty store. Keys that another secret sealed are
   * re-sealed with the first secret. Throws a `SetupError` if no secret opens the existing keys.
   */
  static async open(parts: KeyRingOptions): Promise<KeyRing> {
    await keepUpIfWritable(parts)
    const stored = await parts.store.list()
    const state = openState(stored, parts)
    for (const key of stored) await reseal(parts, key)
    // A start that changes nothing writes nothing, so it works on a full disk.
    const schedule = await parts.store.schedule()
    if (!isDeepStrictEqual(schedule, parts.schedule)) {
      await parts.store.setSchedule(parts.schedule)
    }
    return new KeyRing(parts, state)
  }

  /** The current keys as one object. */
  get state(): RingState {
    return this.#state
  }

  get accessSigner(): AccessSigner {
    return this.#state.accessSigner
  }

  signerFor(typ: string): AccessSigner {
    return this.#state.signerFor(typ)
  }

  get accessAlg(): string {
    return this.#state.accessAlg
  }

  get accessKeys(): KeySet {
    return this.#state.accessKeys
  }

  get publishedKeys(): KeySet {
    return this.#state.publishedKeys
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

  get pending(): readonly string[] {
    return this.#state.pending
  }

  refreshSigner(kid: string): Signer | undefined {
    return this.#state.refreshSigner(kid)
  }

  /**
   * Makes the changes that are due: an active key retires after its time, and the next key becomes active.
   */
  async keepUp(): Promise<void> {
    if (await keepUp(this.#parts)) await this.reload()
  }

  /** Reads the keys again after another process has changed them. */
  async reload(): Promise<void> {
    let stored = await this.#parts.store.list()
    // A key revocation that was lost and handed back names no successor.
    if (!USES.every((use) => keyOf(stored, use, 'active') !== undefined)) {
      await keepUp(this.#parts)
      stored = await this.#parts.store.list()
    }
    this.#state = openState(stored, this.#parts)
  }
}

/**
 * Returns a function that returns a value made from the current keys. The value is made again when the keys
 * change.
 */
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

/**
 * Makes the changes that are due. Returns whether there were any. `force` rotates the keys of these uses now.
 */
export async function keepUp(
  parts: KeyRingOptions,
  by: { readonly actor: string; readonly force?: readonly KeyUse[] } = { actor: 'system' },
): Promise<boolean> {
  return changeRing(parts, by.actor, (keys, now, make) =>
    planRing(keys, parts.schedule, now, make, by.force),
  )
}

/** The disk may be full at a start. The keys that exist still sign, and upkeep makes the changes later. */
async function keepUpIfWritable(parts: KeyRingOptions): Promise<void> {
  try {
    await keepUp(parts)
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error
  }
}

/**
 * Revokes a key: every token that it signed is refused at once, at every guard. Returns false if the key is
 * unknown or already revoked.
 */
export async function killKey(parts: KeyRingOptions, kid: string, actor: string): Promise<boolean> {
  return changeRing(parts, actor, (keys, now, make) => {
    const key = keys.find((each) => each.kid === kid && each.state !== 'revoked')
    return key && planKill(keys, key, parts.schedule, now, make)
  })
}

/** Replaces the pending key with this key. Returns false if the ring already has this key. */
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
const ATTEMPTS_MAX = 10

/**
 * Plans a change of the current ring and writes it. Plans again if another process changed the ring first.
 */
async function changeRing(
  parts: KeyRingOptions,
  actor: string,
  plan: (keys: readonly StoredKey[], now: number, make: RingMaker) => RingChange | undefined,
): Promise<boolean> {
  const { store, clock } = parts
  for (let attempts = 0; attempts < ATTEMPTS_MAX; attempts++) {
    const keys = await store.list()
    const at = clock.nowMs()
    const change = plan(keys, at, {
      access: (alg) => createAccessKey(parts, alg, at),
      refresh: () => createRefreshKey(parts, at),
    })
    if (change === undefined) return false
    if ((await store.change(keys, change, { at, actor })) === 'changed') return true
  }
  throw new Error(
    'The key ring could not be changed, because other processes changed it at the same time. Try again.',
  )
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
  const pending = access.filter((each) => each.stored.state === 'pending')
  const used = access
    .filter((each) => !pending.includes(each))
    .map(({ key }) => verifyingKeyOf(key))
  return {
    accessSigner: foreign?.signer ?? createSigner(active.key, { typ: ACCESS_TYP }),
    signerFor: foreign?.signerFor ?? ((typ) => createSigner(active.key, { typ })),
    accessAlg: foreign?.keys[0]?.alg ?? active.key.alg,
    accessKeys: createKeySet([...used, ...(foreign?.keys ?? [])]),
    publishedKeys: createKeySet([...own, ...(foreign?.keys ?? [])]),
    refreshKid: activeOf(refresh, 'refresh').stored.kid,
    refreshSigner: (kid) => refreshSigners.get(kid),
    refreshKeys: createKeySet(refresh.map(({ key }) => verifyingKeyOf(key))),
    jwks: { keys: [...access.map(publishedJwk), ...(foreign?.jwks ?? [])] },
    logSigner: createSigner(active.key, { typ: BATCH_TYP }),
    logKeys: createKeySet(own),
    killed: stored.filter(({ state }) => state === 'revoked').map(({ kid }) => kid),
    pending: pending.map((each) => each.stored.kid),
  }
}

function activeOf(keys: readonly OpenedKey[], use: KeyUse): OpenedKey {
  const active = keys.find(({ stored }) => stored.state === 'active')
  if (active === undefined) throw new SetupError(`The database has no active ${use} key.`)
  return active
}
