import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { PASSWORD } from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import type { Answer } from './support/contract.ts'
import { query, queryOne } from './support/database.ts'
import { STEP_MS, openFactorPeople, outcomeOf, type FactorPeople } from './support/factor-people.ts'
import { totpAt } from './support/factors.ts'

// The rows of docs/attack-catalogue.md on codes of authenticator apps and on recovery codes, as a stranger with the right
// password tries them.

let it: FactorPeople
beforeEach(async () => {
  it = await openFactorPeople({ rememberDevice: '30d' })
})
afterEach(() => it[Symbol.asyncDispose]())

const WRONG = '401 factor_wrong'
const SECOND = '/auth/login/second-factor'

/** Begins a login in a browser. Returns the browser and its ticket. */
async function ticketIn(name: string): Promise<{ page: TestBrowser; ticket: string }> {
  const page = new TestBrowser(it)
  const { ticket } = membersOf(await page.login({ username: name, password: PASSWORD }))
  return { page, ticket: String(ticket) }
}

/** Each path that takes a code: a function that tries one on it. */
async function pathsOf(
  name: string,
  access: string,
): Promise<readonly ((body: object) => Promise<Answer>)[]> {
  const { page, ticket } = await ticketIn(name)
  const api = await it.ticket(name)
  return [
    (body) => it.complete(api, body),
    (body) => page.visit(SECOND, { body: { ticket, ...body } }),
    (body) => it.call(access, 'POST', '/auth/step-up', body),
  ]
}

/** Counts the answers of each kind. */
function tally(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const each of outcomes) counts[each] = (counts[each] ?? 0) + 1
  return counts
}

describe('P13 guesses at an authenticator app', () => {
  test('share one budget on every path, across logins and restarts: 20, then only another factor', async () => {
    const app = await it.withApp('bob')
    const outcomes: string[] = []
    let { refresh } = app
    for (let round = 0; round < 40; round += 1) {
      const pair = membersOf(await it.send('/api/token/refresh/', { refresh }))
      const access = String(pair['access'])
      refresh = String(pair['refresh'])
      const [path] = (await pathsOf('bob', access)).slice(round % 3)
      outcomes.push(outcomeOf(await path!({ method: 'totp', code: it.wrongCode(app) })))
      if (outcomes.at(-1) !== WRONG) it.clock.advanceMs(61 * 60_000)
      if (round === 11) await it.restart()
    }
    const { [WRONG]: wrong, '429': waits, '403 factor_locked': locked } = tally(outcomes)
    expect(wrong).toBe(20)
    expect(waits).toBeGreaterThan(9)
    expect(locked).toBeGreaterThan(2)

    it.clock.advanceMs(24 * 3_600_000)
    const right = { method: 'totp', code: it.code(app) }
    expect(outcomeOf(await it.complete(await it.ticket('bob'), right))).toBe('403 factor_locked')
    // Whoever has another factor is not locked out, and gets a new budget.
    const recovery = { method: 'recovery_code', code: app.recoveryCodes[0] }
    expect(outcomeOf(await it.complete(await it.ticket('bob'), recovery))).toBe('200')
    expect(outcomeOf(await it.complete(await it.ticket('bob'), right))).toBe('200')
  })

  test('at once get no more checks than one after the other', async () => {
    const app = await it.withApp('bob')
    const paths = await pathsOf('bob', app.access)
    const body = { method: 'totp', code: it.wrongCode(app) }
    const tries = Array.from({ length: 200 }, (_, n) => paths[n % paths.length]!(body))
    const counts = tally((await Promise.all(tries)).map(outcomeOf))
    expect(counts[WRONG]).toBe(5)
    // On a busy machine, logins of the attack may find the queue of passwords full.
    const rejected = Object.keys(counts).filter((outcome) => outcome !== WRONG)
    for (const outcome of rejected) expect(outcome).toMatch(/^(?:429|503 password_queue_full)$/)
  })

  test('do not count against the password, and wrong passwords do not count against the app', async () => {
    await it.restart({ throttle: 'account=3/1h,source=3/1h' })
    const app = await it.withApp('bob')
    for (let n = 0; n < 5; n += 1) {
      const wrong = { method: 'totp', code: it.wrongCode(app) }
      expect(outcomeOf(await it.complete(await it.ticket('bob'), wrong))).toBe(WRONG)
    }
    const ticket = await it.ticket('bob')
    for (let n = 0; n < 5; n += 1) await it.logIn('bob', 'wrong horse battery')
    expect(outcomeOf(await it.logIn('bob'))).toBe('429')
    it.clock.advanceMs(STEP_MS)
    expect(outcomeOf(await it.complete(ticket, { method: 'totp', code: it.code(app) }))).toBe('200')
  })

  test('of the owner are forgotten after a right code', async () => {
    const app = await it.withApp('bob')
    for (let round = 0; round < 4; round += 1) {
      for (let n = 0; n < 4; n += 1) {
        const wrong = { method: 'totp', code: it.wrongCode(app) }
        expect(outcomeOf(await it.complete(await it.ticket('bob'), wrong))).toBe(WRONG)
      }
      it.clock.advanceMs(STEP_MS)
      const right = { method: 'totp', code: it.code(app) }
      expect(outcomeOf(await it.complete(await it.ticket('bob'), right))).toBe('200')
    }
  })

  test('at one account leave the budget of another alone', async () => {
    const app = await it.withApp('bob')
    const other = await it.withApp('carol')
    for (let n = 0; n < 7; n += 1) {
      await it.complete(await it.ticket('carol'), { method: 'totp', code: it.wrongCode(other) })
    }
    const right = { method: 'totp', code: it.code(app) }
    expect(outcomeOf(await it.complete(await it.ticket('bob'), right))).toBe('200')
  })
})

describe('P15 a code', () => {
  test('works once: the same step fifty times at once on every path has one success', async () => {
    const app = await it.withApp('bob')
    const body = { method: 'totp', code: it.code(app) }
    const paths = (
      await Promise.all(Array.from({ length: 17 }, () => pathsOf('bob', app.access)))
    ).flat()
    const before = queryOne(it.dataDir, 'SELECT count(*) AS n FROM sessions')['n']
    const outcomes = (await Promise.all(paths.map((path) => path(body)))).map(outcomeOf)
    expect(outcomes.filter((each) => each === '200')).toHaveLength(1)
    const after = queryOne(it.dataDir, 'SELECT count(*) AS n FROM sessions')['n']
    expect(Number(after) - Number(before)).toBeLessThanOrEqual(1)
  })

  test('is refused again on each path, and so is an older one', async () => {
    const app = await it.withApp('bob')
    const [api, browser, stepUp] = await pathsOf('bob', app.access)
    it.clock.advanceMs(STEP_MS)
    const older = { method: 'totp', code: it.code(app, -1) }
    const used = { method: 'totp', code: it.code(app) }
    expect(outcomeOf(await stepUp!(used))).toBe('200')
    for (const path of [api!, browser!]) {
      expect(outcomeOf(await path(used))).toBe(WRONG)
      expect(outcomeOf(await path(older))).toBe(WRONG)
    }
    // A clock that was set back makes no older code new.
    it.clock.advanceMs(-STEP_MS)
    expect(outcomeOf(await api!({ method: 'totp', code: it.code(app) }))).toBe(WRONG)
  })

  test('counts one step before and after the server’s time, not two', async () => {
    const app = await it.withApp('bob')
    it.clock.advanceMs(4 * STEP_MS)
    for (const [steps, outcome] of [
      [-2, WRONG],
      [2, WRONG],
      [-1, '200'],
      [1, '200'],
    ] as const) {
      const body = { method: 'totp', code: it.code(app, steps) }
      expect([steps, outcomeOf(await it.complete(await it.ticket('bob'), body))]).toEqual([
        steps,
        outcome,
      ])
    }
  })

  const FORMS: readonly (readonly [what: string, change: (code: string) => unknown])[] = [
    ['five digits', (code) => code.slice(1)],
    ['seven digits', (code) => `${code}0`],
    ['leading zeros', (code) => `00${code}`],
    ['a sign', (code) => `+${code}`],
    ['digits of another script', (code) => [...code].map((d) => '٠١٢٣٤٥٦٧٨٩'[Number(d)]).join('')],
    [
      'fullwidth digits',
      (code) => [...code].map((d) => '０１２３４５６７８９'[Number(d)]).join(''),
    ],
    ['a list', (code) => [code]],
    ['two codes', (code) => `${code} ${code}`],
    ['a number', Number],
    ['an object', (code) => ({ $ne: code })],
    ['nothing', () => ''],
    ['null', () => null],
    ['true', () => true],
    ['a very long text', (code) => code.padEnd(60_000, '0')],
    ['a line break', (code) => `${code}\n`],
  ]
  test('as anything but its six digits is refused', async () => {
    const app = await it.withApp('bob')
    for (const [what, change] of FORMS) {
      const ticket = await it.ticket('bob')
      const { status } = await it.complete(ticket, { method: 'totp', code: change(it.code(app)) })
      expect([what, [400, 401, 413, 429].includes(status)]).toEqual([what, true])
      it.clock.advanceMs(3_600_000)
    }
    expect(query(it.dataDir, 'SELECT id FROM sessions')).toHaveLength(1)
  })

  test('of another account, of a pending enrolment and of a removed app is refused', async () => {
    const app = await it.withApp('bob')
    const other = await it.withApp('carol')
    const ofOther = { method: 'totp', code: it.code(other) }
    expect(outcomeOf(await it.complete(await it.ticket('bob'), ofOther))).toBe(WRONG)

    const begun = await it.call(app.access, 'POST', '/auth/factors/totp/challenge')
    const { secret, challenge } = membersOf(begun) as { secret: string; challenge: string }
    const pending = { method: 'totp', code: totpAt(secret, it.clock.nowMs()) }
    expect(outcomeOf(await it.complete(await it.ticket('bob'), pending))).toBe(WRONG)
    const replaced = await it.call(app.access, 'POST', '/auth/factors/totp', {
      challenge,
      code: pending.code,
    })
    expect(outcomeOf(replaced)).toBe('200')
    it.clock.advanceMs(STEP_MS)
    const ofOld = { method: 'totp', code: it.code(app) }
    expect(outcomeOf(await it.complete(await it.ticket('bob'), ofOld))).toBe(WRONG)
  })

  test('for an account without an app is refused, whatever the ticket is for', async () => {
    await it.restart({ secondFactor: 'required', secondFactorGrace: 'off' })
    await it.create('eve')
    const eve = await it.ticket('eve')
    for (const method of ['totp', 'recovery_code']) {
      const answer = await it.complete(eve, { method, code: '000000' })
      expect(answer.status).toBeGreaterThanOrEqual(400)
    }
    expect(query(it.dataDir, 'SELECT id FROM sessions')).toEqual([])
  })
})

describe('P16 a recovery code', () => {
  test('works once: fifty uses at once on every path have one success', async () => {
    const app = await it.withApp('bob')
    const body = { method: 'recovery_code', code: app.recoveryCodes[3] }
    const paths = (
      await Promise.all(Array.from({ length: 17 }, () => pathsOf('bob', app.access)))
    ).flat()
    const outcomes = (await Promise.all(paths.map((path) => path(body)))).map(outcomeOf)
    expect(outcomes.filter((each) => each === '200')).toHaveLength(1)
    expect(query(it.dataDir, 'SELECT hash FROM recovery_codes')).toHaveLength(9)
    await it.mailOf('factor_changed') // Of the enrolment.
    expect((await it.mailOf('factor_changed')).kind).toBe('factor_changed')
  })

  test('of an old set, of another account or after the last factor is refused', async () => {
    const app = await it.withApp('bob')
    const other = await it.withApp('carol')
    const use = async (code: string | undefined): Promise<string> =>
      outcomeOf(await it.complete(await it.ticket('bob'), { method: 'recovery_code', code }))
    expect(await use(other.recoveryCodes[0])).toBe(WRONG)
    const renewed = await it.call(app.access, 'POST', '/auth/factors/recovery-codes')
    const { recovery_codes: fresh } = membersOf(renewed) as { recovery_codes: string[] }
    expect(await use(app.recoveryCodes[0])).toBe(WRONG)
    expect(await use(fresh[0])).toBe('200')
    expect(await use(fresh[0])).toBe(WRONG)

    const { access } = await it.signIn(app)
    const [id] = await it.factorIds(access)
    expect(outcomeOf(await it.call(access, 'DELETE', `/auth/factors/${id}`))).toBe('200')
    expect(query(it.dataDir, `SELECT 1 FROM recovery_codes WHERE account_id = ?`, app.id)).toEqual(
      [],
    )
    expect((await it.logIn('bob')).status).toBe(200)
  })

  test('cannot be guessed: after five wrong codes each further one waits, up to an hour', async () => {
    const app = await it.withApp('bob')
    const outcomes: string[] = []
    for (let n = 0; n < 30; n += 1) {
      const body = { method: 'recovery_code', code: 'BBBB-BBBB-BBBB-BBBB' }
      outcomes.push(outcomeOf(await it.complete(await it.ticket('bob'), body)))
      it.clock.advanceMs(60_000)
    }
    expect(tally(outcomes)[WRONG]).toBeLessThan(12)
    it.clock.advanceMs(3_600_000)
    const right = { method: 'recovery_code', code: app.recoveryCodes[0] }
    expect(outcomeOf(await it.complete(await it.ticket('bob'), right))).toBe('200')
  })
})
