import { decideStanding, RevocationLog, type TokenSubjects } from '@countersign/guard/revocations'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { createAccountManager, type AccountManager } from '../src/accounts/manage.ts'
import { randomId } from '../src/base/random.ts'
import { endByRefreshToken } from '../src/sessions/end.ts'
import { inspectToken } from '../src/sessions/inspect.ts'
import type { Granted, Refusal, SessionServices } from '../src/sessions/services.ts'
import { createRefresher, type Refresher } from '../src/sessions/refresh.ts'
import { signIn } from '../src/sessions/sign-in.ts'
import type { Pair } from './support/authority.ts'
import { queryOne } from './support/database.ts'
import { HttpClient } from './support/http-client.ts'
import { scheduledHasher, scheduledStore, schedulerArbitrary } from './support/scheduled.ts'
import { ADMIN, startServerProcess } from './support/server-process.ts'
import { newPasswordsWith, openTestSessions, type TestSessions } from './support/sessions.ts'
import { HERE } from './support/session-rows.ts'
import { claimsOf } from './support/forge.ts'

const ROUNDS = 200
const AT_ONCE = 50

test('C03 fifty refreshes with one token at once return one successor, 200 times', async () => {
  await using server = await startServerProcess()
  const client = new HttpClient(server.url, AT_ONCE)
  let { refresh: token } = await client.login(ADMIN)
  const generation = (): unknown =>
    queryOne(server.dataDir, 'SELECT generation, ended_at FROM sessions')

  for (let round = 0; round < ROUNDS; round += 1) {
    expect(generation()).toEqual({ generation: round, ended_at: null })
    const answers = await Promise.all(
      Array.from({ length: AT_ONCE }, () => client.post('/api/token/refresh/', { refresh: token })),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    const pairs = answers.map(({ text }) => JSON.parse(text) as Pair)
    expect(new Set(pairs.map(({ refresh }) => refresh)).size).toBe(1)
    expect(new Set(pairs.map(({ access }) => access)).size).toBe(AT_ONCE)
    token = pairs[0]!.refresh
  }
  expect(generation()).toEqual({ generation: ROUNDS, ended_at: null })
  client.close()
})

// The scheduler decides when each step of the store begins and when its answer arrives, so that the
// tests see every interleaving.

const PASSWORD = 'the old long password'
const NEW_PASSWORD = 'the new long password'

interface Race {
  /** The session operations, under the scheduler. */
  readonly services: SessionServices
  readonly accounts: AccountManager
  readonly refresh: Refresher
  readonly username: string
  /** The refresh tokens of one session, the current one last. */
  readonly tokens: readonly string[]
  readonly granted: Granted[]
  /** Whether the revoking request has been answered. */
  isRevoked: boolean
}

async function setUpRace(
  it: TestSessions,
  scheduler: fc.Scheduler,
  rotations: number,
): Promise<Race> {
  const username = randomId(it.services.random)
  const created = await it.accounts.create({ username, password: PASSWORD }, 'test')
  if (!created.ok) throw new Error(created.text)

  const plainRefresh = createRefresher(it.services)
  const tokens = [
    grantedBy(await signIn(it.services, { username, password: PASSWORD }, HERE)).refresh!,
  ]
  for (let n = 0; n < rotations; n += 1) {
    tokens.push(grantedBy(await plainRefresh(tokens.at(-1)!, HERE)).refresh!)
  }

  const store = scheduledStore(it.store, scheduler)
  const hasher = scheduledHasher(it.hasher, scheduler)
  const { clock, random } = it.services
  const newPasswords = newPasswordsWith(hasher)
  const services = { ...it.services, store, hasher, newPasswords }
  return {
    services,
    accounts: createAccountManager({ store, newPasswords, clock, random }),
    refresh: createRefresher(services),
    username,
    tokens,
    granted: [],
    isRevoked: false,
  }
}

function grantedBy(result: Granted | Refusal): Granted {
  if (!result.ok) throw new Error(result.code)
  return result
}

/** A client that refreshes three times in sequence, until it is refused. */
async function refreshOnAndOn(race: Race, token: string): Promise<void> {
  let current = token
  for (let n = 0; n < 3; n += 1) {
    const wasRevoked = race.isRevoked
    const result = await race.refresh(current, HERE)
    if (!result.ok) return
    expect(wasRevoked).toBe(false)
    race.granted.push(result)
    current = result.refresh!
  }
}

async function logInAndOn(race: Race, password: string): Promise<void> {
  const wasRevoked = race.isRevoked
  const result = await signIn(race.services, { username: race.username, password }, HERE)
  if (!result.ok) return
  expect(wasRevoked).toBe(false)
  race.granted.push(result)
  await refreshOnAndOn(race, result.refresh!)
}

/** Delays a value by some steps of the scheduler. Without a delay, the revocation is hardly ever first. */
function waitSteps(scheduler: fc.Scheduler, steps: number): <T>(value: T) => Promise<T> {
  return async (value) => {
    for (let n = 0; n < steps; n += 1) await scheduler.schedule(Promise.resolve())
    return value
  }
}

async function revokeInRace(race: Race, work: Promise<unknown>): Promise<void> {
  await work
  race.isRevoked = true
}

/** Asserts that all tokens issued before or during the revocation are rejected now. */
async function expectAllDead(it: TestSessions, race: Race, headBefore: number): Promise<void> {
  const { chain = new Uint8Array(), entries } = await it.store.revocations.tail(headBefore, 10)
  // The copy of the log in a guard, and its decision rule.
  const log = new RevocationLog({ position: headBefore, chain }, { retainMs: 360_000 })
  expect(log.apply(entries, entries.at(-1)?.chain ?? chain, 0)).toBeUndefined()
  const refresh = createRefresher(it.services)
  for (const pair of race.granted) {
    const claims = claimsOf(pair.access) as unknown as TokenSubjects
    expect(decideStanding(claims, log)).toBe('session_ended')
    expect((await inspectToken(it.services, pair.access)).ok).toBe(false)
  }
  for (const token of [...race.tokens, ...race.granted.map((pair) => pair.refresh!)]) {
    expect((await refresh(token, HERE)).ok).toBe(false)
  }
}

const whichTokens = fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 3 })

describe('at every interleaving', () => {
  test('C09 after blacklist has answered, no refresh of that session succeeds', async () => {
    await using it = await openTestSessions()
    let granted = 0
    await fc.assert(
      fc.asyncProperty(
        schedulerArbitrary(),
        whichTokens,
        fc.nat({ max: 2 }),
        async (scheduler, presented, blacklisted) => {
          const race = await setUpRace(it, scheduler, 2)
          const { position } = await it.store.revocations.head()
          const ending = endByRefreshToken(race.services, race.tokens[blacklisted]!, HERE)
          await scheduler.waitFor(
            Promise.all([
              ...presented.map((n) => refreshOnAndOn(race, race.tokens[n]!)),
              revokeInRace(race, ending),
            ]),
          )
          await expectAllDead(it, race, position)
          granted += race.granted.length
        },
      ),
      { numRuns: 300 },
    )
    expect(granted).toBeGreaterThan(0)
  })

  test.each([
    ['an account is disabled', (race: Race) => race.accounts.disable(race.username, 'test')],
    ['an account is deleted', (race: Race) => race.accounts.delete(race.username, 'test')],
    [
      'a password is set',
      (race: Race) => race.accounts.setPassword(race.username, NEW_PASSWORD, 'test'),
    ],
  ])('C09 after %s, no refresh and no login in flight leaves anything alive', async (_, apply) => {
    await using it = await openTestSessions()
    let granted = 0
    let refused = 0
    await fc.assert(
      fc.asyncProperty(
        schedulerArbitrary(),
        whichTokens,
        fc.integer({ min: 1, max: 2 }),
        fc.nat({ max: 40 }),
        async (scheduler, presented, logins, lateBySteps) => {
          const race = await setUpRace(it, scheduler, 2)
          const { position } = await it.store.revocations.head()
          const late = waitSteps(scheduler, lateBySteps)
          await scheduler.waitFor(
            Promise.all([
              ...presented.map(async (n) => refreshOnAndOn(race, await late(race.tokens[n]!))),
              ...Array.from({ length: logins }, async () => logInAndOn(race, await late(PASSWORD))),
              revokeInRace(race, apply(race)),
            ]),
          )
          await expectAllDead(it, race, position)
          if (race.granted.length > 0) granted += 1
          else refused += 1
        },
      ),
      { numRuns: 200 },
    )
    // Races that one side always wins would prove nothing. How often each wins depends on chance.
    expect(granted).toBeGreaterThan(0)
    expect(refused).toBeGreaterThan(0)
  })

  test('a login with the new password survives the concurrent change', async () => {
    await using it = await openTestSessions()
    await fc.assert(
      fc.asyncProperty(schedulerArbitrary(), async (scheduler) => {
        const race = await setUpRace(it, scheduler, 0)
        const results: (Granted | Refusal)[] = []
        const logIn = async (): Promise<void> => {
          const credentials = { username: race.username, password: NEW_PASSWORD }
          results.push(await signIn(race.services, credentials, HERE))
        }
        await scheduler.waitFor(
          Promise.all([
            race.accounts.setPassword(race.username, NEW_PASSWORD, 'test'),
            logIn(),
            logIn(),
          ]),
        )
        const refresh = createRefresher(it.services)
        for (const result of results) {
          if (result.ok) expect(await refresh(result.refresh!, HERE)).toMatchObject({ ok: true })
        }
      }),
      { numRuns: 100 },
    )
  })
})
