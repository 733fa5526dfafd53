import type { EpochMs } from '../base/clock.ts'
import type { KeySchedule, KeyUse, RingChange, StoredKey } from '../store/rows.ts'
import type { SigningAlg } from './material.ts'

/** A key schedule whose algorithm this version supports. */
export interface RingSchedule extends KeySchedule {
  readonly alg: SigningAlg
}

/** Makes the keys that a plan needs. */
export interface RingMaker {
  access(alg: SigningAlg): StoredKey
  refresh(): StoredKey
}

/**
 * Retired keys are kept this many milliseconds longer, so that setting the clock forward does not remove them
 * too early. It allows for a clock that was an hour behind when the key retired, and is an hour ahead now.
 */
const CLOCK_STEP_MS = 7_200_000

/**
 * Decides the changes that the ring needs now. Returns undefined if it needs none. Pure, except for the keys
 * that `make` creates. There is always exactly one active key of each use, and one pending key for access
 * tokens. `force` rotates without waiting for the lead time.
 */
export function planRing(
  keys: readonly StoredKey[],
  schedule: RingSchedule,
  now: EpochMs,
  make: RingMaker,
  force: readonly KeyUse[] = [],
): RingChange | undefined {
  const remove = keys.filter((key) => isPast(key, now)).map(({ kid }) => kid)
  const access = planAccess(keys, schedule, now, make, force.includes('access'))
  const refresh = planRefresh(keys, schedule, now, make, force.includes('refresh'))
  const change = {
    put: [...access.put, ...refresh],
    remove: [...remove, ...access.remove],
  }
  return change.put.length + change.remove.length === 0 ? undefined : change
}

/**
 * Decides the changes when a key is killed: it is revoked at once, and another key takes its place. Pure,
 * except for the keys that `make` creates.
 */
export function planKill(
  keys: readonly StoredKey[],
  killed: StoredKey,
  schedule: RingSchedule,
  now: EpochMs,
  make: RingMaker,
): RingChange {
  const dead: StoredKey = {
    ...killed,
    state: 'revoked',
    sealed: new Uint8Array(),
    changedAt: now,
    verifiesUntil: undefined,
  }
  const others = keys.filter(({ kid }) => kid !== killed.kid)
  const next = planRing(others, schedule, now, make)
  return { put: [dead, ...(next?.put ?? [])], remove: next?.remove ?? [], killed: killed.kid }
}

function isPast({ state, verifiesUntil }: StoredKey, now: EpochMs): boolean {
  return state === 'retiring' && (verifiesUntil ?? 0) + CLOCK_STEP_MS <= now
}

function planAccess(
  keys: readonly StoredKey[],
  schedule: RingSchedule,
  now: EpochMs,
  make: RingMaker,
  isForced: boolean,
): { readonly put: readonly StoredKey[]; readonly remove: readonly string[] } {
  const active = keyOf(keys, 'access', 'active')
  const pending = keyOf(keys, 'access', 'pending')
  const { alg, leadMs } = schedule
  if (active === undefined) {
    // There is no active key at the first start, and after the active key was revoked. Every copy of the key
    // set already contains the pending key.
    const first = pending ?? make.access(alg)
    return { put: [activate(first, now), make.access(alg)], remove: [] }
  }
  if (pending === undefined) return { put: [make.access(alg)], remove: [] }
  // The setting of the algorithm was changed. The next key uses the new algorithm and does not wait for the
  // schedule. An imported key keeps its algorithm and its time.
  if (pending.alg !== alg && !pending.imported) {
    return { put: [make.access(alg)], remove: [pending.kid] }
  }
  const isKnown = now - pending.createdAt >= leadMs
  const isDue = isOld(active, schedule, now) || (active.alg !== alg && !active.imported)
  if (!isForced && !(isDue && isKnown)) return { put: [], remove: [] }
  return {
    put: [retire(active, schedule, now), activate(pending, now), make.access(alg)],
    remove: [],
  }
}

function planRefresh(
  keys: readonly StoredKey[],
  schedule: RingSchedule,
  now: EpochMs,
  make: RingMaker,
  isForced: boolean,
): readonly StoredKey[] {
  const active = keyOf(keys, 'refresh', 'active')
  if (active === undefined) return [make.refresh()]
  if (!isForced && !isOld(active, schedule, now)) return []
  return [retire(active, schedule, now), make.refresh()]
}

function isOld(active: StoredKey, { rotationMs }: RingSchedule, now: EpochMs): boolean {
  return rotationMs !== undefined && now - active.changedAt >= rotationMs
}

function activate(key: StoredKey, now: EpochMs): StoredKey {
  return { ...key, state: 'active', changedAt: now }
}

function retire(key: StoredKey, { livesMs }: RingSchedule, now: EpochMs): StoredKey {
  return { ...key, state: 'retiring', changedAt: now, verifiesUntil: now + livesMs[key.use] }
}

/** Returns the key of this use in this state. */
export function keyOf(
  keys: readonly StoredKey[],
  use: KeyUse,
  state: StoredKey['state'],
): StoredKey | undefined {
  return keys.find((key) => key.use === use && key.state === state)
}
