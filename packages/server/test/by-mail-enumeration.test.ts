import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { PASSWORD, USERNAME } from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import type { Answer } from './support/contract.ts'
import { queryOne } from './support/database.ts'
import { sized } from './support/long.ts'
import { openMailingAuthority, type MailingAuthority } from './support/mails.ts'

// P01 of docs/attack-catalogue.md for mails: what somebody sees who asks for mails to addresses of others and keeps
// the tickets. The times are in slow-enumeration.test.ts.

/** Equally long. The account of each name has the address in a different way. */
const ADDRESSES = {
  verified: 'verified@example.com',
  unproved: 'unproved@example.com',
  username: 'username@example.com',
  disabled: 'disabled@example.com',
  unknown1: 'unknown1@example.com',
} as const
type Name = keyof typeof ADDRESSES
const NAMES: readonly Name[] = ['verified', 'unproved', 'username', 'disabled', 'unknown1']

let it: MailingAuthority
beforeEach(async () => {
  it = await openMailingAuthority({ signUp: true, signUpVerified: true, mailLogin: true })
  const { accounts } = it.authority
  const create = async (username: string, email?: string, emailVerified = false): Promise<void> => {
    const account = { username, password: PASSWORD, email, emailVerified }
    expect((await accounts.create(account, 'test')).ok).toBe(true)
  }
  await create('person1', ADDRESSES.verified, true)
  await create('person2', ADDRESSES.unproved)
  await create(ADDRESSES.username)
  await create('person3', ADDRESSES.disabled, true)
  await accounts.disable('person3', 'test')
})
afterEach(() => it[Symbol.asyncDispose]())

/** What an attacker can see of an answer. Random values count by their length. */
function shapeOf({ status, headers, text }: Answer): string {
  return JSON.stringify([status, [...headers], text]).replaceAll(/[\w-]{22,}/g, (random) =>
    'x'.repeat(random.length),
  )
}

const ASKS = ['/auth/password/forgot', '/auth/login/code/send', '/auth/signup'] as const
const USES = [
  '/auth/password/reset',
  '/auth/signup/finish',
  '/auth/email/verify',
  '/auth/login/code',
] as const

type Step =
  | { readonly ask: (typeof ASKS)[number] }
  | { readonly use: (typeof USES)[number]; readonly ticket: number; readonly code: boolean }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ ask: fc.constantFrom(...ASKS) }),
  fc.record({
    use: fc.constantFrom(...USES),
    ticket: fc.nat({ max: 5 }),
    code: fc.boolean(),
  }),
)

/** Does the steps with one address, and returns all answers. */
async function traceOf(steps: readonly Step[], email: string): Promise<readonly string[]> {
  const page = new TestBrowser(it, '198.51.100.66')
  await page.get('/auth/csrf')
  const tickets: string[] = []
  const trace: string[] = []
  for (const each of steps) {
    if ('ask' in each) {
      const answer = await page.visit(each.ask, { body: { email, password: PASSWORD } })
      tickets.push(String(membersOf(answer)['ticket']))
      trace.push(shapeOf(answer))
    } else {
      const ticket = tickets[each.ticket % Math.max(tickets.length, 1)]
      const code = each.code ? 'BBBB-BBBB' : undefined
      const body = { ticket, code, password: PASSWORD }
      trace.push(shapeOf(await page.visit(each.use, { body })))
    }
  }
  return trace
}

async function expectAlike(steps: readonly Step[]): Promise<void> {
  const traces = await Promise.all(NAMES.map((name) => traceOf(steps, ADDRESSES[name])))
  for (const trace of traces) expect(trace).toEqual(traces.at(-1))
}

test('P01 a ticket becomes void at the same time, whichever mails are asked for', async () => {
  for (const first of ASKS) {
    for (const second of ASKS) {
      const use = { use: '/auth/password/reset', ticket: 0, code: true } as const
      await expectAlike([{ ask: first }, { ask: second }, use])
    }
  }
})

test('P01 no sequence of asks and wrong codes shows whether an account has the address', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 12 }), expectAlike), {
    numRuns: sized(15, 200),
  })
})

/** The numbers and sizes of the rows that an ask writes. The worker soon changes those of mails. */
function stored(): readonly number[] {
  const row = queryOne(
    it.dataDir,
    `SELECT (SELECT count(*) FROM mail_codes) AS codes,
            (SELECT sum(length(details)) FROM mail_codes) AS details,
            (SELECT count(*) FROM audit) AS audit,
            (SELECT count(*) FROM accounts) AS accounts`,
  )
  return Object.values(row).map(Number)
}

test('P01 the database grows alike', async () => {
  for (const ask of ASKS) {
    const growth: unknown[] = []
    for (const name of NAMES) {
      const before = stored()
      await traceOf([{ ask }], ADDRESSES[name])
      growth.push(stored().map((each, n) => each - (before[n] ?? 0)))
    }
    for (const each of growth) expect(each).toEqual(growth[0])
    expect(growth[0]).toMatchObject({ 0: 1, 2: 1, 3: 0 })
  }
})

test('P01 a change of address to a taken and to a free one looks the same', async () => {
  const answers: string[] = []
  for (const email of [ADDRESSES.verified, ADDRESSES.disabled, ADDRESSES.unknown1]) {
    const page = new TestBrowser(it, '198.51.100.66')
    await page.login({ username: USERNAME, password: PASSWORD })
    const asked = await page.visit('/auth/email/change', { body: { email, password: PASSWORD } })
    const trace = [shapeOf(asked)]
    for (let n = 0; n < 7; n += 1) {
      const body = { code: n === 0 ? undefined : 'BBBB-BBBB' }
      trace.push(shapeOf(await page.visit('/auth/email/verify', { body })))
    }
    answers.push(trace.join('\n'))
  }
  expect(new Set(answers).size).toBe(1)
  expect((await it.nextMail()).kind).toBe('change_address')
  expect(it.mails).toHaveLength(1)
})
