import type { EpochMs } from '../base/clock.ts'
import type { KeySchedule, KeyUse, RingChange, StoredKey } from '../store/rows.ts'
import type { SigningAlg } from './material.ts'

/** A schedule with an algorithm that this version supports. */
export interface RingSchedule extends KeySchedule {
  readonly alg: SigningAlg
}

/** Makes the keys that a plan needs. */
export interface RingMaker {
  access(alg: SigningAlg): StoredKey
  refresh(): StoredKey
}

/**
 * Retired keys are kept for this much longer, in milliseconds, so that a clock that is set forward removes none
 * too early.
 */
const CLOCK_STEP_MS = 3_600_000

/**
 * Decides what must change in the ring now; undefined if nothing must. Pure, except for the keys that `make`
 * creates. There is always exactly one active key of each use, and one pending key for access tokens. `force`
 * rotates now, without waiting for the lead time.
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
 * Decides what changes when a key is revoked: it ends at once, and another key takes its place. Pure, except
 * for the keys that `make` creates.
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
    // At the first start, and when the active key was revoked. Every copy of the key set contains the pending
    // key.
    const first = pending ?? make.access(alg)
    return { put: [activate(first, now), make.access(alg)], remove: [] }
  }
  if (pending === undefined) return { put: [make.access(alg)], remove: [] }
  // The algorithm was changed. The next key has the new one and does not wait for the schedule. An imported key
  // keeps its algorithm and its time.
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
