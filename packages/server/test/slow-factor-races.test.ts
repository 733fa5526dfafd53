import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createAccountManager } from '../src/accounts/manage.ts'
import { randomId } from '../src/base/random.ts'
import type { FactorPolicy } from '../src/factors/policy.ts'
import { RECOVERY_KEYS, createRecoveryHasher } from '../src/factors/recovery-codes.ts'
import { createSealer } from '../src/keys/sealing.ts'
import { changePassword } from '../src/sessions/change-password.ts'
import { endOwnSessions, type CurrentSession } from '../src/sessions/own-sessions.ts'
import { createRefresher } from '../src/sessions/refresh.ts'
import type { Caller, Granted, Refusal } from '../src/sessions/services.ts'
import { signIn } from '../src/sessions/sign-in.ts'
import { writeChallenge, type Bearer } from '../src/with-factors/challenges.ts'
import { completeSignIn, readTicket } from '../src/with-factors/complete.ts'
import {
  addOwnFactor,
  bearerOf,
  removeOwnFactor,
  replaceOwnRecoveryCodes,
} from '../src/with-factors/own-factors.ts'
import type { FactorServices } from '../src/with-factors/services.ts'
import { stepUp } from '../src/with-factors/step-up.ts'
import { STEP_MS } from './support/factor-people.ts'
import { toBase32, totpAt } from './support/factors.ts'
import { claimsOf } from './support/forge.ts'
import { sized } from './support/long.ts'
import {
  eachSideFirst,
  later,
  scheduledHasher,
  scheduledStore,
  schedulerArbitrary,
} from './support/scheduled.ts'
import { HERE } from './support/session-rows.ts'
import {
  NO_POLICY,
  newPasswordsWith,
  openTestSessions,
  type TestSessions,
} from './support/sessions.ts'
import { SECRET } from './support/tokens.ts'

// The scheduler decides when each step of the store begins and when its answer arrives, so that the tests see every
// interleaving of a sign-in or a change of factors with what must stop it. Clocks stand still, mails are not sent.

const PASSWORD = 'the old long password'
const CALLER: Caller = { ...HERE }
const POLICY: FactorPolicy = { ...NO_POLICY, rememberMs: 86_400_000 }
const REQUIRED: FactorPolicy = { ...POLICY, everyone: true }

let it: TestSessions
beforeAll(async () => {
  it = await openTestSessions()
})
afterAll(() => it[Symbol.asyncDispose]())

function factorServices(sessions: TestSessions['services'], policy: FactorPolicy): FactorServices {
  const sealer = createSealer([SECRET], sessions.random)
  return {
    sessions: { ...sessions, factors: policy },
    sealer,
    recovery: createRecoveryHasher(sealer.deriveEach(RECOVERY_KEYS, 32)),
    byMail: undefined,
    relyingParty: undefined,
    siteName: 'localhost',
  }
}

/** Somebody with an account, and all operations under the scheduler. */
interface Race {
  readonly services: FactorServices
  readonly username: string
  readonly id: string
  readonly accounts: ReturnType<typeof createAccountManager>
}

/** Somebody with an app, a session that is fresh, and the ticket of a further login. */
interface AppRace extends Race {
  readonly secret: string
  readonly recoveryCodes: readonly string[]
  readonly current: CurrentSession
  readonly refreshToken: string
  readonly ticket: string
}

async function setUp(scheduler: fc.Scheduler, policy: FactorPolicy): Promise<Race> {
  const username = randomId(it.services.random)
  const made = await it.accounts.create({ username, password: PASSWORD }, 'test')
  if (!made.ok) throw new Error(made.text)
  const store = scheduledStore(it.store, scheduler)
  const hasher = scheduledHasher(it.hasher, scheduler)
  const { clock, random } = it.services
  const newPasswords = newPasswordsWith(hasher)
  const sessions = { ...it.services, store, hasher, newPasswords }
  return {
    services: factorServices(sessions, policy),
    username,
    id: made.value.id,
    accounts: createAccountManager({ store, newPasswords, clock, random }),
  }
}

const plain = (policy: FactorPolicy = POLICY): FactorServices => factorServices(it.services, policy)

function grantedBy<Result extends { ok: true }>(result: Result | Refusal): Result {
  if (!result.ok) throw new Error(result.code)
  return result
}

async function logIn(username: string, policy = POLICY): Promise<Granted | Refusal> {
  const { sessions } = plain(policy)
  return signIn(sessions, { username, password: PASSWORD }, CALLER)
}

async function ticketOf(username: string, policy = POLICY): Promise<string> {
  const asked = await logIn(username, policy)
  if (asked.ok || asked.pending === undefined) throw new Error('It needs no second factor.')
  return asked.pending.ticket
}

async function currentOf({ access }: Granted): Promise<CurrentSession> {
  const state = await it.store.sessions.state(String(claimsOf(access)['sid']))
  if (state === undefined) throw new Error('no session')
  return { state, isCookie: false, expSec: Infinity }
}

/** Begins to enrol an app in a session, and returns what completes it. */
async function begun(current: CurrentSession) {
  return begin(bearerOf(current))
}

/** The same as `beginTotp`, which would spend most of the time on a QR code. */
async function begin(bearer: Bearer) {
  const secret = it.services.random.bytes(20)
  const details = { secret: secret.toString('base64url') }
  const by = { actor: bearer.accountId, address: undefined }
  const challenge = await writeChallenge(plain(), 'totp_enrol', bearer, details, by)
  const base32 = toBase32(secret)
  return { secret: base32, enrol: enrolmentOf(challenge, base32) }
}

function enrolmentOf(challenge: string, secret: string) {
  return { method: 'totp', challenge, code: totpAt(secret, it.clock.nowMs()) } as const
}

async function setUpApp(scheduler: fc.Scheduler): Promise<AppRace> {
  const race = await setUp(scheduler, POLICY)
  const first = grantedBy(await logIn(race.username))
  const { secret, enrol } = await begun(await currentOf(first))
  const added = grantedBy(await addOwnFactor(plain(), await currentOf(first), enrol, CALLER))
  it.clock.advanceMs(STEP_MS)
  return {
    ...race,
    secret,
    recoveryCodes: added.recoveryCodes,
    current: await currentOf(first),
    refreshToken: first.refresh!,
    ticket: await ticketOf(race.username),
  }
}

const codeOf = ({ secret }: { readonly secret: string }) =>
  ({ method: 'totp', code: totpAt(secret, it.clock.nowMs()) }) as const

async function refreshes(token: string | undefined): Promise<boolean> {
  if (token === undefined) throw new Error('no token')
  return (await createRefresher(it.services)(token, CALLER)).ok
}

const numRuns = sized(20, 500)
// A sign-in takes about twenty steps. So each side is first in many races.
const delay = fc.constantFrom(0, 0, 3, 6, 12, 20, 40)

/** What ends every session and ticket of before. Each returns whether it took effect. */
const REVOCATIONS: Readonly<Record<string, (race: AppRace) => Promise<boolean>>> = {
  'a new password': async (race) => {
    const words = { oldPassword: PASSWORD, newPassword: 'changed long password' }
    return (await changePassword(race.services.sessions, race.current, words, CALLER)).ok
  },
  'a new password by an operator': async ({ accounts, username }) =>
    (await accounts.setPassword(username, 'changed long password', 'test')).ok,
  'the end of all sessions': async (race) =>
    (await endOwnSessions(race.services.sessions, race.current, 'all', CALLER)).ok,
  'the removal of the app': async (race) => {
    const [factor] = await it.store.factors.list(race.id)
    return (await removeOwnFactor(race.services, race.current, factor!.id, CALLER)).ok
  },
  'a reset by an operator': async ({ services: { sessions }, id }) => {
    const context = { at: it.clock.nowMs(), actor: 'operator', address: undefined }
    return (await sessions.store.factors.reset(id, 'all', context)) === 'changed'
  },
  'a disabled account': async ({ accounts, username }) =>
    (await accounts.disable(username, 'test')).ok,
}

/** They change no credentials, so a browser stays remembered that was remembered before. */
const KEEPS_DEVICES: ReadonlySet<string> = new Set([
  'the end of all sessions',
  'a disabled account',
])

describe('P13 at every interleaving, completing a sign-in', () => {
  test.each(Object.entries(REVOCATIONS))(
    'beside %s leaves no session and no remembered browser from before',
    async (what, revoke) => {
      const seen = new Set<boolean>()
      await fc.assert(
        fc.asyncProperty(schedulerArbitrary(), delay, delay, async (scheduler, first, second) => {
          const race = await setUpApp(scheduler)
          const { ticket, services } = race
          const [done, isRevoked] = await scheduler.waitFor(
            Promise.all([
              later(scheduler, first, () =>
                completeSignIn(
                  services,
                  { ticket, presented: codeOf(race), remember: true, forCookies: true },
                  CALLER,
                ),
              ),
              later(scheduler, second, () => revoke(race)),
            ]),
          )
          expect(isRevoked).toBe(true)
          seen.add(done.ok)
          if (done.ok) expect(await refreshes(done.refresh)).toBe(false)
          const devices = await it.store.factors.trusted(race.id)
          if (!done.ok || !KEEPS_DEVICES.has(what)) expect(devices).toEqual([])
          const again = await completeSignIn(
            plain(),
            {
              ticket,
              presented: { method: 'recovery_code', code: race.recoveryCodes[0]! },
              forCookies: false,
            },
            CALLER,
          )
          expect(again.ok).toBe(false)
        }),
        eachSideFirst(numRuns),
      )
      expect(seen.size).toBe(2)
    },
  )

  test('beside another use of the same code has one winner, on whichever paths', async () => {
    const winners = new Set<number>()
    await fc.assert(
      fc.asyncProperty(schedulerArbitrary(), async (scheduler) => {
        const race = await setUpApp(scheduler)
        const { ticket, services } = race
        const other = await ticketOf(race.username)
        const presented = codeOf(race)
        const complete = (each: string) => () =>
          completeSignIn(services, { ticket: each, presented, forCookies: false }, CALLER)
        const results = await scheduler.waitFor(
          Promise.all([
            complete(ticket)(),
            complete(other)(),
            complete(ticket)(),
            stepUp(services, race.current, presented, CALLER),
          ]),
        )
        expect(results.filter(({ ok }) => ok)).toHaveLength(1)
        winners.add(results.findIndex(({ ok }) => ok))
      }),
      { numRuns },
    )
    expect(winners.size).toBeGreaterThan(1)
  })

  test('with two factors of one ticket opens one session, and leaves the other factor', async () => {
    await fc.assert(
      fc.asyncProperty(schedulerArbitrary(), async (scheduler) => {
        const race = await setUpApp(scheduler)
        const { ticket, services } = race
        const codes = race.recoveryCodes.slice(0, 2)
        const results = await scheduler.waitFor(
          Promise.all(
            codes.map((code) =>
              completeSignIn(
                services,
                { ticket, presented: { method: 'recovery_code', code }, forCookies: false },
                CALLER,
              ),
            ),
          ),
        )
        expect(results.filter(({ ok }) => ok)).toHaveLength(1)
        expect((await it.store.factors.view(race.id)).recoveryCodes).toBe(9)
      }),
      { numRuns },
    )
  })
})

describe('P15 at every interleaving, a password', () => {
  test('beside the enrolment of the first factor: a session from after it has that factor', async () => {
    const seen = new Set<boolean>()
    await fc.assert(
      fc.asyncProperty(schedulerArbitrary(), delay, delay, async (scheduler, first, second) => {
        const race = await setUp(scheduler, POLICY)
        const owner = grantedBy(await logIn(race.username))
        const current = await currentOf(owner)
        const { enrol } = await begun(current)
        let isEnrolled = false
        let isAfter = false
        const [login] = await scheduler.waitFor(
          Promise.all([
            later(scheduler, first, () => {
              isAfter = isEnrolled
              const { sessions } = race.services
              return signIn(sessions, { username: race.username, password: PASSWORD }, CALLER)
            }),
            later(scheduler, second, async () => {
              isEnrolled = (await addOwnFactor(race.services, current, enrol, CALLER)).ok
            }),
          ]),
        )
        expect(isEnrolled).toBe(true)
        seen.add(login.ok)
        if (isAfter) expect(login).toMatchObject({ ok: false, code: 'second_factor_required' })
        if (!login.ok) {
          expect(login.pending?.methods).toContain('totp')
          return
        }
        // It began before the factor, and may change nothing.
        const { state } = await currentOf(login)
        expect(state.session.secondFactor).toBe('none')
        const stolen = { ...current, state }
        const [factor] = await it.store.factors.list(race.id)
        const removed = await removeOwnFactor(plain(), stolen, factor!.id, CALLER)
        expect(removed).toMatchObject({ code: 'insufficient_user_authentication' })
      }),
      eachSideFirst(numRuns),
    )
    expect(seen.size).toBe(2)
  })

  test('that two strangers enrol factors with has one winner, with codes that work', async () => {
    await fc.assert(
      fc.asyncProperty(schedulerArbitrary(), delay, async (scheduler, wait) => {
        const race = await setUp(scheduler, REQUIRED)
        const tickets = [
          await ticketOf(race.username, REQUIRED),
          await ticketOf(race.username, REQUIRED),
        ]
        const enrolments = []
        for (const ticket of tickets) {
          const bearer = grantedBy(await readTicket(plain(REQUIRED), ticket))
          enrolments.push({ ticket, enrol: (await begin(bearer)).enrol })
        }
        const results = await scheduler.waitFor(
          Promise.all(
            enrolments.map(({ ticket, enrol }, n) =>
              later(scheduler, n * wait, () =>
                completeSignIn(
                  race.services,
                  { ticket, presented: { enrol }, forCookies: false },
                  CALLER,
                ),
              ),
            ),
          ),
        )
        const [winner, ...others] = results.filter(({ ok }) => ok)
        expect(others).toEqual([])
        expect(await it.store.factors.list(race.id)).toHaveLength(1)
        const { recoveryCodes } = grantedBy(winner!)
        expect(recoveryCodes).toHaveLength(10)
        const ticket = await ticketOf(race.username, REQUIRED)
        const presented = { method: 'recovery_code', code: recoveryCodes[0]! } as const
        const used = await completeSignIn(plain(), { ticket, presented, forCookies: false }, CALLER)
        expect(used.ok).toBe(true)
      }),
      { numRuns },
    )
  })
})

/** What a stranger does with a stolen session. Each returns whether it took effect. */
const CHANGES: Readonly<Record<string, (race: Stolen) => Promise<{ ok: boolean }>>> = {
  'adding an app': ({ services, stolen, enrol }) => addOwnFactor(services, stolen, enrol, CALLER),
  'removing the app': async ({ services, stolen, id }) => {
    const [factor] = await services.sessions.store.factors.list(id)
    if (factor === undefined) return { ok: false }
    return removeOwnFactor(services, stolen, factor.id, CALLER)
  },
  'new recovery codes': ({ services, stolen }) => replaceOwnRecoveryCodes(services, stolen, CALLER),
}

interface Stolen extends Race {
  readonly stolen: CurrentSession
  readonly enrol: ReturnType<typeof enrolmentOf>
}

describe('P18 at every interleaving, a stolen session', () => {
  test.each(Object.entries(CHANGES))(
    'beside the enrolment of its owner: %s does not undo it',
    async (_, change) => {
      const seen = new Set<boolean>()
      await fc.assert(
        fc.asyncProperty(schedulerArbitrary(), delay, delay, async (scheduler, first, second) => {
          const race = await setUp(scheduler, POLICY)
          const owner = await currentOf(grantedBy(await logIn(race.username)))
          const stolen = await currentOf(grantedBy(await logIn(race.username)))
          const mine = await begun(owner)
          const { enrol } = await begun(stolen)
          const [added, changed] = await scheduler.waitFor(
            Promise.all([
              later(scheduler, first, () => addOwnFactor(race.services, owner, mine.enrol, CALLER)),
              later(scheduler, second, () => change({ ...race, stolen, enrol })),
            ]),
          )
          // Before there is a factor, a recent sign-in is enough, so either may be first.
          expect(added.ok && changed.ok).toBe(false)
          seen.add(added.ok)
          if (!added.ok) return
          expect((await it.store.factors.view(race.id)).recoveryCodes).toBe(10)
          it.clock.advanceMs(STEP_MS)
          const ticket = await ticketOf(race.username)
          const presented = codeOf(mine)
          const used = await completeSignIn(
            plain(),
            { ticket, presented, forCookies: false },
            CALLER,
          )
          expect(used.ok).toBe(true)
        }),
        eachSideFirst(numRuns),
      )
      expect(seen.has(true)).toBe(true)
    },
  )

  test.each(Object.entries(CHANGES))(
    'beside the end of all sessions: %s takes effect before it, or not at all',
    async (_, change) => {
      const seen = new Set<boolean>()
      await fc.assert(
        fc.asyncProperty(schedulerArbitrary(), delay, delay, async (scheduler, first, second) => {
          const race = await setUpApp(scheduler)
          const { enrol } = await begun(race.current)
          const before = await it.store.factors.list(race.id)
          const [, changed, versionAtEnd] = await scheduler.waitFor(
            Promise.all([
              Promise.resolve(),
              later(scheduler, first, () => change({ ...race, stolen: race.current, enrol })),
              later(scheduler, second, async () => {
                const { sessions } = race.services
                await endOwnSessions(sessions, race.current, 'all', CALLER)
                return (await it.store.factors.view(race.id)).version
              }),
            ]),
          )
          seen.add(changed.ok)
          const { version } = await it.store.factors.view(race.id)
          // After the owner was told that all sessions have ended, nothing changes.
          expect(version).toBe(versionAtEnd)
          if (!changed.ok) expect(await it.store.factors.list(race.id)).toEqual(before)
        }),
        eachSideFirst(numRuns),
      )
      expect(seen.size).toBe(2)
    },
  )

  test.each(['a reset by an operator', 'a disabled account', 'the removal of the app'])(
    'a step-up beside %s raises no session that goes on without the factor',
    async (what) => {
      const seen = new Set<boolean>()
      await fc.assert(
        fc.asyncProperty(schedulerArbitrary(), delay, delay, async (scheduler, first, second) => {
          const race = await setUpApp(scheduler)
          const { ticket } = race
          const recovery = { method: 'recovery_code', code: race.recoveryCodes[0]! } as const
          const thief = grantedBy(
            await completeSignIn(
              plain(),
              { ticket, presented: recovery, forCookies: false },
              CALLER,
            ),
          )
          const current = await currentOf(thief)
          const [raised] = await scheduler.waitFor(
            Promise.all([
              later(scheduler, first, () => stepUp(race.services, current, codeOf(race), CALLER)),
              later(scheduler, second, () => REVOCATIONS[what]!(race)),
            ]),
          )
          seen.add(raised.ok)
          expect(await refreshes(thief.refresh)).toBe(false)
        }),
        eachSideFirst(numRuns),
      )
      expect(seen.size).toBe(2)
    },
  )
})
