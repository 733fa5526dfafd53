import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { checkSource, type CheckedSource } from '../src/accounts/source.ts'
import { createUserManager, type UserManager } from '../src/accounts/users.ts'
import { randomId } from '../src/base/random.ts'
import { inspectToken } from '../src/sessions/inspect.ts'
import type { Granted, SessionServices } from '../src/sessions/services.ts'
import { createRefresher, type Refresher } from '../src/sessions/refresh.ts'
import { signIn } from '../src/sessions/sign-in.ts'
import { claimsOf } from './support/forge.ts'
import { scheduledStore, schedulerArbitrary } from './support/scheduled.ts'
import { HERE } from './support/session-rows.ts'
import { openTestSessions, type TestSessions } from './support/sessions.ts'
import { TestUsers, type User } from './support/users.ts'

// The scheduler decides when each step of the store and each look-up of the application begins and when
// its answer arrives, so that the tests see every interleaving. The application changes its table first
// and reports the change afterwards.

const PASSWORD = 'the old long password'
const NEW_PASSWORD = 'the new long password'

interface Race {
  readonly services: SessionServices
  readonly refresh: Refresher
  readonly users: UserManager
  readonly user: User
  /** The refresh tokens of one session, the current one last. */
  readonly tokens: readonly string[]
  readonly granted: Granted[]
}

/** An answer of the application is from the moment of its look-up. The scheduler decides when it arrives. */
function scheduledUsers(users: TestUsers, scheduler: fc.Scheduler): CheckedSource {
  const scheduled = async <T>(look: () => T): Promise<T> => {
    await scheduler.schedule(Promise.resolve(), 'asked')
    const seen = look()
    await scheduler.schedule(Promise.resolve(), 'answers')
    return seen
  }
  // A copy: a row that was read must not change afterwards.
  const copyOf = (user: User | undefined): User | undefined =>
    user && { ...user, roles: [...user.roles] }
  return checkSource({
    find: (name) =>
      scheduled(() => copyOf([...users.users.values()].find(({ username }) => username === name))),
    get: (id) => scheduled(() => copyOf(users.users.get(id))),
    verifyPassword: (user, password) => scheduled(() => (user as User).password === password),
  })
}

async function setUpRace(it: TestSessions, scheduler: fc.Scheduler): Promise<Race> {
  const users = new TestUsers()
  const user = users.add(randomId(it.services.random), 'alice', PASSWORD)
  const plain = { ...it.services, source: checkSource(users) }
  const tokens: string[] = []
  const first = await signIn(plain, { username: 'alice', password: PASSWORD }, HERE)
  if (!first.ok) throw new Error(first.code)
  tokens.push(first.refresh!)
  for (let n = 0; n < 2; n += 1) {
    const next = await createRefresher(plain)(tokens.at(-1)!, HERE)
    if (!next.ok) throw new Error(next.code)
    tokens.push(next.refresh!)
  }
  const store = scheduledStore(it.store, scheduler)
  const services = { ...it.services, store, source: scheduledUsers(users, scheduler) }
  return {
    services,
    refresh: createRefresher(services),
    users: createUserManager({ store, clock: it.clock }),
    user,
    tokens,
    granted: [],
  }
}

async function refreshOnAndOn(race: Race, token: string): Promise<void> {
  let current = token
  for (let n = 0; n < 3; n += 1) {
    const result = await race.refresh(current, HERE)
    if (!result.ok) return
    race.granted.push(result)
    current = result.refresh!
  }
}

async function logInAndOn(race: Race): Promise<void> {
  const result = await signIn(race.services, { username: 'alice', password: PASSWORD }, HERE)
  if (!result.ok) return
  race.granted.push(result)
  await refreshOnAndOn(race, result.refresh!)
}

/** The transaction of the application. It commits after this many steps of the scheduler, then reports. */
async function change(
  scheduler: fc.Scheduler,
  steps: number,
  commit: () => void,
  tell: () => Promise<void>,
): Promise<void> {
  for (let n = 0; n < steps; n += 1) await scheduler.schedule(Promise.resolve(), 'works')
  commit()
  await tell()
}

const whichTokens = fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 3 })
const someSteps = fc.integer({ min: 1, max: 12 })

describe('at every interleaving', () => {
  test.each([
    ['disabled', (user: User) => (user.isActive = false)],
    ['given another password', (user: User) => (user.password = NEW_PASSWORD)],
  ])('when a user is %s and their sessions end, no token survives', async (_, commit) => {
    await using it = await openTestSessions()
    let granted = 0
    await fc.assert(
      fc.asyncProperty(
        schedulerArbitrary(),
        whichTokens,
        fc.integer({ min: 1, max: 2 }),
        someSteps,
        async (scheduler, presented, logins, steps) => {
          const race = await setUpRace(it, scheduler)
          const before = (await it.store.revocations.head()).position
          await scheduler.waitFor(
            Promise.all([
              ...presented.map((n) => refreshOnAndOn(race, race.tokens[n]!)),
              ...Array.from({ length: logins }, () => logInAndOn(race)),
              change(
                scheduler,
                steps,
                () => commit(race.user),
                () => race.users.endSessions(race.user.id, 'test'),
              ),
            ]),
          )
          // Checked as guards and as the authority do, even if the application is never asked again.
          race.user.isActive = true
          const users = new TestUsers()
          users.users.set(race.user.id, race.user)
          const services = { ...it.services, source: checkSource(users) }
          const { entries } = await it.store.revocations.tail(before, 20)
          for (const pair of race.granted) {
            const { sid, sub, rvp } = claimsOf(pair.access)
            const about = entries.filter(({ subject }) => subject === sub || subject === sid)
            const newest = Math.max(...about.map(({ position }) => position))
            expect(newest).toBeGreaterThan(Number(rvp))
            expect((await inspectToken(services, pair.access)).ok).toBe(false)
          }
          const refresh = createRefresher(services)
          for (const token of [...race.tokens, ...race.granted.map((pair) => pair.refresh!)]) {
            expect((await refresh(token, HERE)).ok).toBe(false)
          }
          granted += race.granted.length
        },
      ),
      { numRuns: 200 },
    )
    // Races that revocation always wins would prove nothing.
    expect(granted).toBeGreaterThan(0)
  })

  test('when roles change, no token with the old ones is newer than that', async () => {
    await using it = await openTestSessions()
    const seen = { old: 0, new: 0 }
    await fc.assert(
      fc.asyncProperty(schedulerArbitrary(), someSteps, async (scheduler, steps) => {
        const race = await setUpRace(it, scheduler)
        await scheduler.waitFor(
          Promise.all([
            refreshOnAndOn(race, race.tokens.at(-1)!),
            logInAndOn(race),
            change(
              scheduler,
              steps,
              () => (race.user.roles = ['writer']),
              () => race.users.changed(race.user.id, 'test'),
            ),
          ]),
        )
        const { position } = await it.store.revocations.head()
        for (const { access } of race.granted) {
          const { roles, rvp } = claimsOf(access)
          if (Array.isArray(roles) && roles.includes('writer')) seen.new += 1
          else {
            seen.old += 1
            expect(Number(rvp)).toBeLessThan(position)
          }
        }
      }),
      { numRuns: 300 },
    )
    expect(Math.min(seen.old, seen.new)).toBeGreaterThan(0)
  })
})
