import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createAccountManager } from '../src/accounts/manage.ts'
import { randomId } from '../src/base/random.ts'
import { askToChangeEmail, verifyEmail } from '../src/by-mail/email.ts'
import { askForLoginCode, logInByMail } from '../src/by-mail/log-in.ts'
import { askForReset, resetPassword } from '../src/by-mail/reset-password.ts'
import { CODE_KEYS, createCodeHasher, type Presented } from '../src/by-mail/secrets.ts'
import type { MailServices } from '../src/by-mail/services.ts'
import { createSealer } from '../src/keys/sealing.ts'
import type { Mailer } from '../src/mail/compose.ts'
import { changePassword } from '../src/sessions/change-password.ts'
import { deleteOwnAccount } from '../src/sessions/own-account.ts'
import type { CurrentSession } from '../src/sessions/own-sessions.ts'
import { createRefresher } from '../src/sessions/refresh.ts'
import type { Caller, Granted, Refusal } from '../src/sessions/services.ts'
import { signIn } from '../src/sessions/sign-in.ts'
import { sized } from './support/long.ts'
import {
  eachSideFirst,
  later,
  scheduledHasher,
  scheduledStore,
  schedulerArbitrary,
} from './support/scheduled.ts'
import { HERE } from './support/session-rows.ts'
import { newPasswordsWith, openTestSessions, type TestSessions } from './support/sessions.ts'
import { claimsOf } from './support/forge.ts'
import { SECRET } from './support/tokens.ts'

// The scheduler decides when each step of the store begins and when its answer arrives, so that the tests see
// every interleaving of the flows by mail. Clocks stand still, mails are not sent.

const OLD = 'the old long password'
const CALLER: Caller = { ...HERE }

/** The mails of a race: the values that people would read. */
interface Written {
  readonly kind: string
  readonly link: string
  readonly code: string
}

let it: TestSessions
const written: Written[] = []

beforeAll(async () => {
  it = await openTestSessions()
})
afterAll(() => it[Symbol.asyncDispose]())

function mailServices(services: TestSessions['services']): MailServices {
  const { random, store } = services
  const sealer = createSealer([SECRET], random)
  const mailer: Mailer = {
    compose: (kind, mail, now) => {
      const values = mail.values as { readonly url?: string; readonly code?: string } // Some kinds have neither.
      written.push({ kind, link: values.url ?? '', code: values.code ?? '' })
      return {
        id: `mail_${randomId(random)}`,
        kind,
        recipient: mail.to,
        locale: 'en',
        sealed: new Uint8Array(4),
        accountId: mail.accountId,
        createdAt: now,
        notAfter: now + 900_000,
      }
    },
  }
  return {
    store,
    random,
    mailer,
    sealer,
    hasher: createCodeHasher(sealer.deriveEach(CODE_KEYS, 32)),
    urlOf: (_, link) => link,
    sessions: services,
    writeInvitation: () => {
      throw new Error('No test here invites.')
    },
    pause: () => Promise.resolve(),
  }
}

/** Somebody with an account, a session and mails, and all operations under the scheduler. */
interface Race {
  readonly mail: MailServices
  readonly username: string
  readonly id: string
  readonly address: string
  readonly current: CurrentSession
  readonly refreshToken: string
  /** The refresh tokens of sessions that began in the race. */
  readonly granted: string[]
  readonly accounts: ReturnType<typeof createAccountManager>
}

function grantedBy(result: Granted | Refusal): Granted {
  if (!result.ok) throw new Error(result.code)
  return result
}

/** Asks for a mail, without the scheduler, and returns what its recipient and the asker have together. */
async function presentedAfter(ask: Promise<{ ok: boolean }>): Promise<Presented> {
  const asked = await ask
  if (!asked.ok) throw new Error(JSON.stringify(asked))
  const { link } = written.at(-1)!
  return { link, ticket: (asked as { ticket?: string }).ticket }
}

async function setUp(scheduler: fc.Scheduler): Promise<Race> {
  const username = randomId(it.services.random)
  const address = `${username.toLowerCase()}@example.com`
  const made = await it.accounts.create(
    { username, password: OLD, email: address, emailVerified: true },
    'test',
  )
  if (!made.ok) throw new Error(made.text)
  const first = grantedBy(await signIn(it.services, { username, password: OLD }, CALLER))
  const sessionId = String(claimsOf(first.access)['sid'])
  const state = await it.store.sessions.state(sessionId)
  if (state === undefined) throw new Error('no session')
  const store = scheduledStore(it.store, scheduler)
  const hasher = scheduledHasher(it.hasher, scheduler)
  const { clock, random } = it.services
  const newPasswords = newPasswordsWith(hasher)
  const services = { ...it.services, store, hasher, newPasswords }
  return {
    mail: mailServices(services),
    username,
    id: state.account.id,
    address,
    current: { state, isCookie: false, expSec: Infinity },
    refreshToken: first.refresh!,
    granted: [],
    accounts: createAccountManager({ store, newPasswords, clock, random }),
  }
}

const plain = (): MailServices => mailServices(it.services)
const askReset = (race: Race): Promise<Presented> =>
  presentedAfter(askForReset(plain(), { email: race.address }, CALLER))

type Outcome = readonly [what: string, ok: boolean]

/** The operations that run beside a reset. Each returns whether it succeeded. */
const rivals = {
  'a log-in with the old password': async (race: Race) => {
    const { username } = race
    const result = await signIn(race.mail.sessions, { username, password: OLD }, CALLER)
    if (result.ok) race.granted.push(result.refresh!)
    return result.ok
  },
  'a refresh': async (race: Race) => {
    const result = await createRefresher(race.mail.sessions)(race.refreshToken, CALLER)
    if (result.ok) race.granted.push(result.refresh!)
    return result.ok
  },
  'a change of the password': async (race: Race) => {
    const words = { oldPassword: OLD, newPassword: 'changed long password' }
    return (await changePassword(race.mail.sessions, race.current, words, CALLER)).ok
  },
  'a deletion': async (race: Race) =>
    (await deleteOwnAccount(race.mail.sessions, race.current, OLD, CALLER)).ok,
  'an operator who disables the account': async (race: Race) =>
    (await race.accounts.disable(race.username, 'test')).ok,
} satisfies Record<string, (race: Race) => Promise<boolean>>

async function logsIn(username: string, password: string): Promise<boolean> {
  return (await signIn(it.services, { username, password }, CALLER)).ok
}

async function expectAllEnded(race: Race): Promise<void> {
  const refresh = createRefresher(it.services)
  for (const token of [race.refreshToken, ...race.granted]) {
    expect((await refresh(token, CALLER)).ok).toBe(false)
  }
}

const numRuns = sized(60, 500)
const delay = fc.nat({ max: 8 })
/** A reset has fewer steps than a log-in, and would nearly always be first. */
const longDelay = fc.nat({ max: 40 })

describe('P10 at every interleaving, a reset', () => {
  test.each(Object.entries(rivals))('beside %s is whole or not there', async (what, rival) => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(schedulerArbitrary(), delay, delay, async (scheduler, first, second) => {
        const race = await setUp(scheduler)
        const presented = await askReset(race)
        const outcomes: Outcome[] = []
        const note = async (name: string, work: Promise<boolean>): Promise<void> => {
          outcomes.push([name, await work])
        }
        await scheduler.waitFor(
          Promise.all([
            note(
              'reset',
              later(scheduler, first, async () => {
                const password = 'the reset long password'
                return (await resetPassword(race.mail, presented, password, CALLER)).ok
              }),
            ),
            note(
              what,
              later(scheduler, second, () => rival(race)),
            ),
          ]),
        )
        const of = Object.fromEntries(outcomes)
        seen.add(JSON.stringify([of['reset'], of[what]]))
        const account = await it.store.accounts.get(race.id)
        if (what === 'a deletion' && of[what] === true) {
          expect(account).toBeUndefined()
          // An acknowledged reset that came first keeps the deletion from happening.
          expect(outcomes[0]).not.toEqual(['reset', true])
          return
        }
        const isDisabled = account?.disabledAt !== undefined
        expect(await logsIn(race.username, 'the reset long password')).toBe(
          of['reset'] === true && !isDisabled,
        )
        if (of['reset'] === true) {
          await expectAllEnded(race)
          expect(await logsIn(race.username, OLD)).toBe(false)
          expect(await logsIn(race.username, 'changed long password')).toBe(false)
        } else if (what === 'a change of the password') {
          expect(of[what]).toBe(true)
          expect(await logsIn(race.username, 'changed long password')).toBe(true)
        }
        // The code is used up or void in any case.
        const again = await resetPassword(plain(), presented, 'a third long password', CALLER)
        expect(again.ok).toBe(
          of['reset'] !== true && !isDisabled && account?.credentialsVersion === 0,
        )
      }),
      eachSideFirst(numRuns),
    )
    expect(seen.size).toBeGreaterThan(1)
  })

  test('beside other uses of its code has one winner', async () => {
    await fc.assert(
      fc.asyncProperty(schedulerArbitrary(), async (scheduler) => {
        const race = await setUp(scheduler)
        const presented = await askReset(race)
        const words = ['one long long password', 'two long long password', 'six long long password']
        const acknowledged: string[] = []
        await scheduler.waitFor(
          Promise.all(
            words.map(async (password) => {
              if ((await resetPassword(race.mail, presented, password, CALLER)).ok)
                acknowledged.push(password)
            }),
          ),
        )
        expect(acknowledged).toHaveLength(1)
        for (const word of words) {
          expect(await logsIn(race.username, word)).toBe(word === acknowledged[0])
        }
      }),
      { numRuns },
    )
  })

  test('beside a second request and its reset: one password counts, the later one of two in turn', async () => {
    await fc.assert(
      fc.asyncProperty(schedulerArbitrary(), fc.nat({ max: 40 }), async (scheduler, wait) => {
        const race = await setUp(scheduler)
        const first = await askReset(race)
        const acknowledged: string[] = []
        const overtaken = new Set<string>()
        const use = async (presented: Presented, password: string): Promise<void> => {
          const before = [...acknowledged]
          if (!(await resetPassword(race.mail, presented, password, CALLER)).ok) return
          acknowledged.push(password)
          for (const each of before) overtaken.add(each)
        }
        await scheduler.waitFor(
          Promise.all([
            use(first, 'one long long password'),
            later(scheduler, wait, async () => {
              const ask = askForReset(race.mail, { email: race.address }, CALLER)
              await use(await presentedAfter(ask), 'two long long password')
            }),
          ]),
        )
        await expectAllEnded(race)
        const works: string[] = []
        for (const word of ['one long long password', 'two long long password']) {
          if (await logsIn(race.username, word)) works.push(word)
        }
        // The answers to two resets at once may arrive in either order, whichever was written last.
        expect(works).toHaveLength(1)
        expect(acknowledged).toContain(works[0])
        expect(overtaken).not.toContain(works[0])
      }),
      { numRuns },
    )
  })

  test('beside a log-in by mail leaves only sessions that began after it', async () => {
    const seen = new Set<boolean>()
    await fc.assert(
      fc.asyncProperty(schedulerArbitrary(), longDelay, delay, async (scheduler, first, second) => {
        const race = await setUp(scheduler)
        const reset = await askReset(race)
        const logIn = await presentedAfter(
          askForLoginCode(plain(), { email: race.address }, CALLER),
        )
        const [isReset, opened] = await scheduler.waitFor(
          Promise.all([
            later(scheduler, first, () =>
              resetPassword(race.mail, reset, 'the reset long password', CALLER),
            ),
            later(scheduler, second, () =>
              logInByMail(race.mail, logIn, { forCookies: false }, CALLER),
            ),
          ]),
        )
        // A log-in does not void the reset.
        expect(isReset.ok).toBe(true)
        if (opened.ok) race.granted.push(opened.refresh!)
        seen.add(opened.ok)
        // The code of the log-in was made before the reset, so none of its sessions survives.
        await expectAllEnded(race)
      }),
      eachSideFirst(numRuns),
    )
    expect(seen.size).toBe(2)
  })

  test('beside a change of the address: one of the two is void', async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(schedulerArbitrary(), delay, delay, async (scheduler, first, second) => {
        const race = await setUp(scheduler)
        const email = `new-${race.address}`
        const change = await presentedAfter(
          askToChangeEmail(plain(), race.current, { email, password: OLD }, CALLER),
        )
        const reset = await askReset(race)
        const [changed, isReset] = await scheduler.waitFor(
          Promise.all([
            later(scheduler, first, () => verifyEmail(race.mail, change, undefined, CALLER)),
            later(scheduler, second, () =>
              resetPassword(race.mail, reset, 'the reset long password', CALLER),
            ),
          ]),
        )
        seen.add(JSON.stringify([changed.ok, isReset.ok]))
        const account = await it.store.accounts.get(race.id)
        expect(account?.email?.address).toBe(changed.ok ? email : race.address)
        expect(await logsIn(race.username, OLD)).toBe(!isReset.ok)
        if (isReset.ok) await expectAllEnded(race)
      }),
      eachSideFirst(numRuns),
    )
    expect(seen).toEqual(new Set(['[true,false]', '[false,true]']))
  })
})

test('P22 at every interleaving, of two accounts that prove one address at once, one gets it', async () => {
  const winners = new Set<number>()
  await fc.assert(
    fc.asyncProperty(schedulerArbitrary(), async (scheduler) => {
      const races = [await setUp(scheduler), await setUp(scheduler)]
      const email = `both-${randomId(it.services.random).toLowerCase()}@example.com`
      const presented: Presented[] = []
      for (const { current } of races) {
        const ask = askToChangeEmail(plain(), current, { email, password: OLD }, CALLER)
        presented.push(await presentedAfter(ask))
      }
      const done = await scheduler.waitFor(
        Promise.all(
          races.map((race, n) => verifyEmail(race.mail, presented[n]!, undefined, CALLER)),
        ),
      )
      expect(done.filter(({ ok }) => ok)).toHaveLength(1)
      winners.add(done.findIndex(({ ok }) => ok))
      const owners = await Promise.all(races.map(({ id }) => it.store.accounts.get(id)))
      expect(owners.filter((owner) => owner?.email?.key === email)).toHaveLength(1)
    }),
    { numRuns },
  )
  expect(winners.size).toBe(2)
})

test('P10 at every interleaving, a request beside a change of the password leaves no code that works', async () => {
  await fc.assert(
    fc.asyncProperty(schedulerArbitrary(), delay, async (scheduler, wait) => {
      const race = await setUp(scheduler)
      let isChanged = false
      let isAskedAfter = false
      const [asked] = await scheduler.waitFor(
        Promise.all([
          later(scheduler, wait, async () => {
            isAskedAfter = isChanged
            return askForReset(race.mail, { email: race.address }, CALLER)
          }),
          (async () => {
            isChanged = await rivals['a change of the password'](race)
          })(),
        ]),
      )
      // The ticket is that of a code or of a decoy, never of nothing: a wrong code is counted.
      if (!asked.ok) throw new Error(asked.code)
      const used = await resetPassword(
        plain(),
        { ticket: asked.ticket, code: 'BBBB-BBBB' },
        'the reset long password',
        CALLER,
      )
      expect(used).toMatchObject({ ok: false, code: 'code_wrong' })
      // A mail that was asked for after the change was acknowledged works.
      if (!isAskedAfter) return
      const { link } = written.findLast(({ kind }) => kind === 'reset_password')!
      const reset = { link, ticket: asked.ticket }
      expect((await resetPassword(plain(), reset, 'the reset long password', CALLER)).ok).toBe(true)
    }),
    { numRuns },
  )
})
