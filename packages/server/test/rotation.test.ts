import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { AuthorityConfig } from '../src/authority.ts'
import { createSystemRandom, randomId } from '../src/base/random.ts'
import { decideRotation, type RotationConditions } from '../src/store/decide-rotation.ts'
import { refreshJti } from '../src/store/refresh-jti.ts'
import { withoutTenant } from '../src/sessions/tenant-claims.ts'
import {
  NO_GRACE,
  nextGrace,
  type RefreshAttempt,
  type RefreshOutcome,
  type RefreshRules,
  type SessionState,
} from '../src/store/refresh.ts'
import type { Session } from '../src/store/rows.ts'
import {
  ISSUER,
  openTestAuthority,
  USERNAME,
  type Pair,
  type TestAuthority,
} from './support/authority.ts'
import { execute, query, queryOne } from './support/database.ts'
import { HERE, insertState, liveState, NOW } from './support/session-rows.ts'
import { openTestSessions } from './support/sessions.ts'
import { claimsOf } from './support/forge.ts'
import { forgeRefresh, SECRET } from './support/tokens.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND
const DAY = 24 * HOUR

interface Answer {
  readonly status: number
  readonly refresh: string | undefined
  readonly detail: string | undefined
}

async function refresh(it: TestAuthority, token: string, from = HERE): Promise<Answer> {
  const response = await it.post('/api/token/refresh/', { refresh: token }, from)
  const body = (await response.json()) as { refresh?: string; detail?: string }
  return { status: response.status, refresh: body.refresh, detail: body.detail }
}

/** Refreshes and returns the successor. Fails if there is none. */
async function next(it: TestAuthority, token: string): Promise<string> {
  const answer = await refresh(it, token)
  expect(answer).toMatchObject({ status: 200 })
  return answer.refresh!
}

async function expectRefused(it: TestAuthority, token: string, detail: string): Promise<void> {
  expect(await refresh(it, token)).toMatchObject({ status: 401, detail })
}

function sessionRow(it: { readonly dataDir: string }): Record<string, unknown> {
  return queryOne(it.dataDir, 'SELECT * FROM sessions')
}

/** Returns the audit events, without accounts, keys and logins. */
function auditedEvents(it: TestAuthority): unknown[] {
  return query(
    it.dataDir,
    `SELECT event FROM audit WHERE session_id IS NOT NULL AND event <> 'login' ORDER BY id`,
  ).map((row) => row['event'])
}

/** Simulates a store that lost its last writes. */
function loseRotations(it: TestAuthority, count: number): void {
  execute(it.dataDir, 'UPDATE sessions SET generation = generation - ?', count)
}

interface Rotated extends AsyncDisposable {
  readonly it: TestAuthority
  readonly first: string
  readonly second: string
}

/** A session that was rotated once, long after the authority's start. */
async function openRotated(config: AuthorityConfig = {}): Promise<Rotated> {
  const it = await openTestAuthority(config)
  const { refresh: first } = await it.login()
  it.clock.advanceMs(60 * SECOND)
  const second = await next(it, first)
  return { it, first, second, [Symbol.asyncDispose]: () => it[Symbol.asyncDispose]() }
}

test('a refresh returns a new pair, and each generation is used once', async () => {
  await using it = await openTestAuthority()
  const { refresh: first } = await it.login()
  const second = await next(it, first)
  const third = await next(it, second)
  expect([first, second, third].map((token) => claimsOf(token)['gen'])).toEqual([0, 1, 2])
  expect(new Set([first, second, third].map((token) => claimsOf(token)['jti'])).size).toBe(3)
  expect(sessionRow(it)).toMatchObject({ generation: 2, ended_at: null })
})

describe('the predecessor, used again', () => {
  test.each([
    ['at once', 0, 'repeated'],
    ['in the last millisecond of the grace', 9_999, 'repeated'],
    ['in the first millisecond after the grace', 10_000, 'ended'],
    ['an hour later', HOUR, 'ended'],
  ] as const)('%s: %s ms is %s', async (_, afterMs, expected) => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    it.clock.advanceMs(afterMs)
    const answer = await refresh(it, first)
    if (expected === 'repeated') {
      expect(answer).toMatchObject({ status: 200, refresh: second })
      expect(auditedEvents(it)).toEqual([])
      await next(it, second)
    } else {
      expect(answer).toMatchObject({ status: 401, detail: 'Token is blacklisted' })
      expect(auditedEvents(it)).toEqual(['refresh_reused'])
      await expectRefused(it, second, 'Token is blacklisted')
    }
  })

  test.each([
    ['the last millisecond', 9_999, 200],
    ['the first millisecond after', 10_000, 401],
  ])('the grace begins anew when the authority starts: %s', async (_, afterMs, status) => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    it.clock.advanceMs(HOUR)
    await it.restart()
    it.clock.advanceMs(afterMs)
    expect(await refresh(it, first)).toMatchObject({ status })
    expect(await refresh(it, second)).toMatchObject({ status })
  })

  test('a start just before the rotation does not shorten the grace', async () => {
    await using it = await openTestAuthority()
    const { refresh: first } = await it.login()
    await it.restart()
    it.clock.advanceMs(9_000)
    const second = await next(it, first)
    it.clock.advanceMs(9_999)
    expect(await refresh(it, first)).toMatchObject({ status: 200, refresh: second })
  })

  test.each([
    ['another address', { ...HERE, address: '198.51.100.1' }],
    ['another user agent', { ...HERE, userAgent: 'test-agent 2' }],
  ])('from %s gets the same answer', async (_, from) => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    expect(await refresh(it, first, from)).toMatchObject({ status: 200, refresh: second })
    await next(it, second)
  })

  test.each([
    ['nothing is known of either', '', '', '', 200],
    ['the address is not known, the user agent is another', '', 'one', 'two', 401],
    ['the address is not known, the user agent is the same', '', 'one', 'one', 200],
  ])('where %s', async (_, address, before, after, status) => {
    await using it = await openTestAuthority()
    const { refresh: first } = await it.login({ address, userAgent: before })
    const second = await it.post(
      '/api/token/refresh/',
      { refresh: first },
      { address, userAgent: before },
    )
    expect(second.status).toBe(200)
    expect(await refresh(it, first, { address, userAgent: after })).toMatchObject({ status })
  })

  test('the grace compares with the device that rotated, not with the one that signed in', async () => {
    await using it = await openTestAuthority()
    const { refresh: first } = await it.login({ address: '192.0.2.1', userAgent: 'elsewhere' })
    const second = await next(it, first)
    expect(await refresh(it, first)).toMatchObject({ status: 200, refresh: second })
  })

  test('every repeat returns the same bytes, also after a restart', async () => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    it.clock.advanceMs(1_500)
    for (let n = 0; n < 5; n += 1) {
      expect((await refresh(it, first, { ...HERE, address: `192.0.2.${n}` })).refresh).toBe(second)
    }
    await it.restart()
    expect((await refresh(it, first)).refresh).toBe(second)
    expect(sessionRow(it)).toMatchObject({ generation: 1, address: HERE.address })
  })

  test('C05 thief and victim get the same successor, and the second use of it ends the session', async () => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    const stolen = (await refresh(it, first)).refresh!
    expect(stolen).toBe(second)
    await next(it, stolen)
    it.clock.advanceMs(11 * SECOND)
    await expectRefused(it, second, 'Token is blacklisted')
  })
})

function rotateRow(session: Session, now: number): Session {
  const { generation } = session
  const grace = nextGrace(session, now, GRACE_MS)
  return { ...session, generation: generation + 1, rotatedAt: now, grace, expiresAt: NOW * 2 }
}

/** Rotates at these times, in milliseconds after the log-in, and gives all refresh tokens. */
async function rotateAt(it: TestAuthority, timesMs: readonly number[]): Promise<string[]> {
  const tokens = [(await it.login()).refresh]
  let nowMs = 0
  for (const timeMs of timesMs) {
    it.clock.advanceMs(timeMs - nowMs)
    nowMs = timeMs
    tokens.push(await next(it, tokens.at(-1)!))
  }
  return tokens
}

describe('a chain of rotations', () => {
  test.each([0, 1, 2, 3])('at once: token %s of 4 gets the newest one', async (which) => {
    await using it = await openTestAuthority()
    const tokens = await rotateAt(it, [0, 1, 2, 3])
    expect(await refresh(it, tokens[which]!)).toMatchObject({ status: 200, refresh: tokens[4] })
    expect(auditedEvents(it)).toEqual([])
    await next(it, tokens[4]!)
  })

  test('of a hundred rotations within the grace refuses no predecessor', async () => {
    await using it = await openTestAuthority()
    const tokens = await rotateAt(
      it,
      Array.from({ length: 100 }, (_, n) => n * 99),
    )
    for (const token of tokens.slice(0, -1)) {
      expect(await refresh(it, token)).toMatchObject({ status: 200, refresh: tokens.at(-1) })
    }
  })

  // Far from the start of the authority, whose first moments have a grace of their own.
  const START = HOUR
  test.each([
    ['the first of a window, in its last millisecond', [0, 5_000], 0, 9_999, 'repeated'],
    ['the first of a window, one millisecond later', [0, 5_000], 0, 10_000, 'ended'],
    ['the newest, in its last millisecond', [0, 5_000], 1, 14_999, 'repeated'],
    ['the newest, one millisecond later', [0, 5_000], 1, 15_000, 'ended'],
    ['one in between counts as the newest one', [0, 5_000, 9_000], 1, 18_999, 'repeated'],
    ['one in between, one millisecond later', [0, 5_000, 9_000], 1, 19_000, 'ended'],
    ['one rotated just before the next window', [0, 9_999, 10_000], 1, 19_998, 'repeated'],
    ['the same, one millisecond later', [0, 9_999, 10_000], 1, 19_999, 'ended'],
    ['the first of the window before', [0, 9_999, 10_000], 0, 10_000, 'ended'],
    ['one below the window before', [0, 10_000, 20_000], 0, 20_000, 'ended'],
    ['the first of a chain that goes on', [0, 9_000, 18_000, 27_000], 0, 27_001, 'ended'],
  ] as const)('%s', async (_, timesMs, which, atMs, expected) => {
    await using it = await openTestAuthority()
    const tokens = await rotateAt(
      it,
      timesMs.map((ms) => START + ms),
    )
    it.clock.advanceMs(atMs - timesMs.at(-1)!)
    const answer = await refresh(it, tokens[which]!)
    if (expected === 'repeated') {
      expect(answer).toMatchObject({ status: 200, refresh: tokens.at(-1) })
      await next(it, tokens.at(-1)!)
    } else {
      expect(answer).toMatchObject({ status: 401, detail: 'Token is blacklisted' })
      await expectRefused(it, tokens.at(-1)!, 'Token is blacklisted')
      expect(auditedEvents(it)).toEqual(['refresh_reused'])
    }
  })

  test('that a restart interrupted goes on after it', async () => {
    await using it = await openTestAuthority()
    const tokens = await rotateAt(it, [START, START + 1, START + 2])
    it.clock.advanceMs(HOUR)
    await it.restart()
    it.clock.advanceMs(9_999)
    expect(await refresh(it, tokens[0]!)).toMatchObject({ status: 200, refresh: tokens[3] })
  })

  test('a restart revives no predecessor that was old at the last rotation', async () => {
    await using it = await openTestAuthority()
    const tokens = await rotateAt(it, [START, START + 60 * SECOND])
    await it.restart()
    await expectRefused(it, tokens[0]!, 'Token is blacklisted')
    expect(auditedEvents(it)).toEqual(['refresh_reused'])
  })

  test('goes on across a healed loss', async () => {
    await using it = await openTestAuthority()
    const tokens = await rotateAt(it, [START, START + 60 * SECOND])
    loseRotations(it, 1)
    it.clock.advanceMs(60 * SECOND)
    const healed = await next(it, tokens[2]!)
    expect(auditedEvents(it)).toEqual(['refresh_healed'])
    expect(await refresh(it, tokens[1]!)).toMatchObject({ status: 200, refresh: healed })
  })

  test('whatever its times: less than the grace ago is repeated, twice the grace ago ends', () => {
    const gapMs = fc.oneof(
      fc.constantFrom(0, 1, GRACE_MS / 2, GRACE_MS - 1, GRACE_MS, GRACE_MS + 1),
      fc.nat({ max: 2 * GRACE_MS }),
      fc.nat({ max: 100 }),
    )
    fc.assert(
      fc.property(fc.array(gapMs, { minLength: 1, maxLength: 30 }), gapMs, (gaps, waitMs) => {
        let session: Session = { ...liveState().session, generation: 0, grace: NO_GRACE }
        let now = NOW
        const rotatedAt: number[] = []
        for (const gap of gaps) {
          now += gap
          session = rotateRow(session, now)
          rotatedAt.push(now)
        }
        now += waitMs
        for (const [generation, at] of rotatedAt.entries()) {
          const state = { ...liveState(), session }
          const { kind } = decideRotation(state, { ...HERE, generation }, { ...CONDITIONS, now })
          if (now - at < GRACE_MS) expect(kind).toBe('repeat')
          else if (now - at >= 2 * GRACE_MS) expect(kind).toBe('end')
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('a predecessor within the grace from another address and another user agent', () => {
  const ELSEWHERE = { address: '198.51.100.1', userAgent: 'node' }

  test('is refused and audited, and the session lives', async () => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    const answer = await refresh(it, first, ELSEWHERE)
    expect(answer).toMatchObject({ status: 401, detail: 'Token is blacklisted' })
    expect(answer.refresh).toBeUndefined()
    expect(auditedEvents(it)).toEqual(['refresh_elsewhere'])
    expect(await refresh(it, first)).toMatchObject({ status: 200, refresh: second })
    await next(it, second)
    expect(query(it.dataDir, 'SELECT * FROM revocations')).toEqual([])
    expect(
      queryOne(it.dataDir, `SELECT * FROM audit WHERE event = 'refresh_elsewhere'`),
    ).toMatchObject({
      outcome: 'refused',
      actor: 'anonymous',
      address: ELSEWHERE.address,
      session_id: claimsOf(first)['sid'],
      account_id: claimsOf(first)['sub'],
    })
  })

  test('is refused in a chain too, and in the last millisecond of the grace', async () => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    const third = await next(it, second)
    it.clock.advanceMs(9_999)
    expect(await refresh(it, first, ELSEWHERE)).toMatchObject({ status: 401 })
    await next(it, third)
  })

  test('writes one audit line, however often it comes', async () => {
    await using rotated = await openRotated()
    const { it, first } = rotated
    for (let n = 0; n < 5; n += 1) await refresh(it, first, ELSEWHERE)
    expect(auditedEvents(it)).toEqual(['refresh_elsewhere'])
    await refresh(it, first, { ...ELSEWHERE, address: '198.51.100.2' })
    expect(auditedEvents(it)).toEqual(['refresh_elsewhere', 'refresh_elsewhere'])
  })

  test('ends the session after the grace', async () => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    it.clock.advanceMs(10_000)
    expect(await refresh(it, first, ELSEWHERE)).toMatchObject({ status: 401 })
    await expectRefused(it, second, 'Token is blacklisted')
    expect(auditedEvents(it)).toEqual(['refresh_reused'])
  })
})

describe('a token from the future of the store', () => {
  test('one generation ahead continues, and is audited', async () => {
    await using rotated = await openRotated()
    const { it, second } = rotated
    loseRotations(it, 1)
    const third = await next(it, second)
    expect(claimsOf(third)['gen']).toBe(2)
    expect(auditedEvents(it)).toEqual(['refresh_healed'])
    expect((await refresh(it, second)).refresh).toBe(third)
    await next(it, third)
  })

  test('one generation ahead ends the session if healing is off', async () => {
    await using rotated = await openRotated({ healing: 'refuse' })
    const { it, first, second } = rotated
    loseRotations(it, 1)
    await expectRefused(it, second, 'Token is blacklisted')
    await expectRefused(it, first, 'Token is blacklisted')
    expect(auditedEvents(it)).toEqual(['refresh_ahead'])
  })

  test('two generations ahead ends the session', async () => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    const third = await next(it, second)
    loseRotations(it, 2)
    await expectRefused(it, third, 'Token is blacklisted')
    await expectRefused(it, first, 'Token is blacklisted')
    expect(auditedEvents(it)).toEqual(['refresh_ahead'])
  })
})

describe('lifetimes', () => {
  test.each([
    ['the last millisecond', 14 * DAY - 1, 200],
    ['the first millisecond after', 14 * DAY, 401],
  ])('C12 a token that is not used lives 14 days: %s', async (_, afterMs, status) => {
    await using it = await openTestAuthority()
    const { refresh: token } = await it.login()
    it.clock.advanceMs(afterMs)
    expect(await refresh(it, token)).toMatchObject({ status })
    expect(auditedEvents(it)).toEqual([])
  })

  test('C11 rotation never extends the 30 days of the session', async () => {
    await using it = await openTestAuthority()
    let { refresh: token } = await it.login()
    const endsAt = it.clock.nowMs() + 30 * DAY
    for (const days of [10, 10, 9]) {
      it.clock.advanceMs(days * DAY)
      token = await next(it, token)
      expect(Number(claimsOf(token)['exp'])).toBeLessThanOrEqual(endsAt / 1000)
    }
    it.clock.advanceMs(DAY - 1)
    token = await next(it, token)
    expect(claimsOf(token)['exp']).toBe(endsAt / 1000)
    it.clock.advanceMs(1)
    await expectRefused(it, token, 'Token is expired')
    expect(sessionRow(it)).toMatchObject({ ends_at: endsAt, expires_at: endsAt })
  })

  test('the row decides to the millisecond, not the token', () => {
    const state = { ...liveState(), session: { ...liveState().session, expiresAt: 5_000 } }
    expect(decideRotation(state, attemptOf(state), { ...CONDITIONS, now: 4_999 })).toEqual({
      kind: 'rotate',
    })
    expect(decideRotation(state, attemptOf(state), { ...CONDITIONS, now: 5_000 })).toEqual({
      kind: 'refuse',
      code: 'session_expired',
    })
  })

  test('a repeat in the grace does not outlive the session', async () => {
    await using it = await openTestAuthority()
    const { refresh: first } = await it.login()
    execute(it.dataDir, 'UPDATE sessions SET ends_at = ?', it.clock.nowMs() + 5_000)
    await next(it, first)
    it.clock.advanceMs(5_000)
    await expectRefused(it, first, 'Token is expired')
    expect(auditedEvents(it)).toEqual([])
  })
})

describe('C12 a clock that was set back', () => {
  test('by less than the grace, the predecessor is still young', async () => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    it.clock.advanceMs(-9_999)
    expect(await refresh(it, first)).toMatchObject({ status: 200, refresh: second })
  })

  test('by the grace or more, the predecessor is not young', async () => {
    await using rotated = await openRotated()
    const { it, first } = rotated
    it.clock.advanceMs(-10_000)
    await expectRefused(it, first, 'Token is blacklisted')
  })

  test('to before the start: later rotations still have their grace', async () => {
    await using it = await openTestAuthority()
    it.clock.advanceMs(-HOUR)
    const { refresh: first } = await it.login()
    it.clock.advanceMs(20 * SECOND)
    const second = await next(it, first)
    it.clock.advanceMs(9_999)
    expect(await refresh(it, first)).toMatchObject({ status: 200, refresh: second })
    it.clock.advanceMs(1)
    await expectRefused(it, first, 'Token is blacklisted')
  })

  test.each([1, 60 * SECOND, 61 * SECOND, HOUR, DAY, 10 * 365 * DAY])(
    'by %s ms, the current token refreshes, and its successor too',
    async (ms) => {
      await using rotated = await openRotated()
      const { it, second } = rotated
      it.clock.advanceMs(-ms)
      const third = await next(it, second)
      expect(claimsOf(third)['iat']).toBe(Math.floor(it.clock.nowMs() / 1000))
      it.clock.advanceMs(60 * SECOND)
      await next(it, third)
      expect(auditedEvents(it)).toEqual([])
    },
  )

  test('or that was an hour ahead and is right again', async () => {
    await using it = await openTestAuthority()
    it.clock.advanceMs(HOUR)
    const { refresh: first } = await it.login()
    const second = await next(it, first)
    it.clock.advanceMs(-HOUR)
    const third = await next(it, second)
    // Tabs have their grace again.
    expect(await refresh(it, second)).toMatchObject({ status: 200, refresh: third })
    expect((await it.post('/api/token/verify/', { token: third })).status).toBe(200)
    it.clock.advanceMs(60 * SECOND)
    await next(it, third)
    expect(auditedEvents(it)).toEqual([])
  })

  test('verify and log-out accept a token from the future', async () => {
    await using rotated = await openRotated()
    const { it, second } = rotated
    it.clock.advanceMs(-HOUR)
    expect((await it.post('/api/token/verify/', { token: second })).status).toBe(200)
    expect((await it.post('/api/token/blacklist/', { refresh: second })).status).toBe(200)
    await expectRefused(it, second, 'Token is blacklisted')
  })

  test('a token from the future still has to be genuine and of a live generation', async () => {
    await using rotated = await openRotated({ secret: SECRET })
    const { it, first, second } = rotated
    it.clock.advanceMs(-HOUR)
    const forged = forgeRefresh(it.dataDir, second, { jti: 'f'.repeat(32) })
    await expectRefused(it, forged, 'Token is invalid')
    const expired = forgeRefresh(it.dataDir, second, { exp: it.clock.nowMs() / 1000 })
    await expectRefused(it, expired, 'Token is expired')
    await expectRefused(it, first, 'Token is blacklisted')
  })

  test('an access token from the future is refused, and a refresh replaces it', async () => {
    await using it = await openTestAuthority()
    const pair = await it.login()
    it.clock.advanceMs(-HOUR)
    const me = async (access: string): Promise<number> => {
      const headers = { authorization: `Bearer ${access}` }
      return (await it.authority.fetch(new Request(`${ISSUER}/auth/me`, { headers }))).status
    }
    expect(await me(pair.access)).toBe(401)
    const answer = await it.post('/api/token/refresh/', { refresh: pair.refresh })
    expect(await me(((await answer.json()) as Pair).access)).toBe(200)
  })

  test('an expired session stays within its absolute life', async () => {
    await using it = await openTestAuthority()
    const { refresh: first } = await it.login()
    const endsAt = Number(sessionRow(it)['ends_at'])
    it.clock.advanceMs(14 * DAY)
    await expectRefused(it, first, 'Token is expired')
    it.clock.advanceMs(-DAY)
    await next(it, first)
    expect(sessionRow(it)['ends_at']).toBe(endsAt)
  })
})

describe('after the end', () => {
  test.each([0, 1, 2])('logout accepts the token of generation %s of 2', async (generation) => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    const third = await next(it, second)
    it.clock.advanceMs(HOUR)
    const token = [first, second, third][generation]
    expect((await it.post('/api/token/blacklist/', { refresh: token })).status).toBe(200)
    for (const each of [first, second, third]) await expectRefused(it, each, 'Token is blacklisted')
    expect(auditedEvents(it)).toEqual(['logout'])
    expect((await it.post('/api/token/blacklist/', { refresh: token })).status).toBe(401)
  })

  test('a disabled account cannot refresh, and enabling it revives no session', async () => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    await it.authority.accounts.disable(USERNAME, 'test')
    const detail = 'No active account found for the given token.'
    await expectRefused(it, second, detail)
    await expectRefused(it, first, detail)
    await it.authority.accounts.enable(USERNAME, 'test')
    await expectRefused(it, second, 'Token is blacklisted')
    await next(it, (await it.login()).refresh)
  })

  test('a new password ends every session of the account', async () => {
    await using rotated = await openRotated()
    const { it, second } = rotated
    const other = await it.login()
    await it.authority.accounts.setPassword(USERNAME, 'another long password', 'test')
    for (const token of [second, other.refresh]) {
      await expectRefused(it, token, 'Token is blacklisted')
    }
  })
})

test('without rotation the token stays, and returns access tokens until its end', async () => {
  await using it = await openTestAuthority({ rotateRefresh: false })
  const { refresh: token } = await it.login()
  for (let n = 0; n < 3; n += 1) {
    it.clock.advanceMs(HOUR)
    expect(await refresh(it, token)).toMatchObject({ status: 200, refresh: undefined })
  }
  expect(sessionRow(it)).toMatchObject({ generation: 0 })
})

describe('an attacker with the HMAC key but without the row', () => {
  test.each([
    ['for the current generation', 1],
    ['for the predecessor', 0],
    ['one ahead', 2],
    ['far ahead', Number.MAX_SAFE_INTEGER],
  ])('%s: is refused, and the session lives on', async (_, gen) => {
    await using rotated = await openRotated({ secret: SECRET })
    const { it, second } = rotated
    const before = sessionRow(it)
    const forged = forgeRefresh(it.dataDir, second, { gen, jti: 'f'.repeat(32) })
    await expectRefused(it, forged, 'Token is invalid')
    expect((await it.post('/api/token/blacklist/', { refresh: forged })).status).toBe(401)
    expect(sessionRow(it)).toEqual(before)
    await next(it, second)
  })

  test('another generation with a genuine jti is refused', async () => {
    await using rotated = await openRotated({ secret: SECRET })
    const { it, first, second } = rotated
    const forged = forgeRefresh(it.dataDir, second, { jti: claimsOf(first)['jti'] })
    await expectRefused(it, forged, 'Token is invalid')
    await next(it, second)
  })

  test('honest refreshes of the same batch succeed', async () => {
    await using it = await openTestAuthority({ secret: SECRET })
    const pairs: Pair[] = []
    for (let n = 0; n < 8; n += 1) pairs.push(await it.login())
    const tokens = pairs.flatMap(({ refresh: token }, n) =>
      n % 2 === 0 ? [token] : [forgeRefresh(it.dataDir, token, { jti: '0'.repeat(32) }), token],
    )
    const answers = await Promise.all(tokens.map((token) => refresh(it, token)))
    expect(answers.map(({ status }) => status)).toEqual(
      pairs.flatMap((_, n) => (n % 2 === 0 ? [200] : [401, 200])),
    )
    const generations = query(it.dataDir, 'SELECT generation FROM sessions')
    expect(generations.map((row) => row['generation'])).toEqual(Array(8).fill(1))
  })
})

describe('one batch', () => {
  test('decides the same session in order', async () => {
    await using it = await openTestAuthority()
    const { refresh: first } = await it.login()
    const answers = await Promise.all([1, 2, 3].map(() => refresh(it, first)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(answers.map((each) => each.refresh)).size).toBe(1)
    expect(sessionRow(it)).toMatchObject({ generation: 1 })
  })

  test('accepts the successor that an earlier attempt of the batch made', async () => {
    await using rotated = await openRotated()
    const { it, first, second } = rotated
    const answers = await Promise.all([refresh(it, second), refresh(it, first)])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(new Set(answers.map((each) => each.refresh)).size).toBe(1)
    expect(sessionRow(it)).toMatchObject({ generation: 2, ended_at: null })
  })
})

// The property that compares the SQL with the function

const GRACE_MS = 10_000
const IDLE_MS = 100_000
const CONDITIONS: RotationConditions = {
  now: NOW,
  graceMs: GRACE_MS,
  startedAt: 0,
  healing: 'accept',
}

function attemptOf({ session }: SessionState): RefreshAttempt {
  return { sessionId: session.id, generation: session.generation, jti: '', ...HERE }
}

/** A distance from `NOW`: near the edges that count, or anywhere. */
const distanceMs = fc.oneof(
  fc.constantFrom(-GRACE_MS, -GRACE_MS + 1, GRACE_MS - 1, GRACE_MS, -1, 0, 1),
  fc.integer({ min: -2 * GRACE_MS, max: 2 * GRACE_MS }),
)
const address = fc.constantFrom('192.0.2.1', '192.0.2.2')
const userAgent = fc.constantFrom('one', 'two')
/** True once in `n`, so that most rows are live and most attempts are honest. */
const oneIn = (n: number): fc.Arbitrary<boolean> =>
  fc.integer({ min: 1, max: n }).map((value) => value === n)

const graceArbitrary = fc.record({
  generation: fc.constantFrom(0, 1, 2),
  beganAt: distanceMs.map((ms) => NOW + ms),
  priorGeneration: fc.constantFrom(0, 1, 2),
  priorRotatedAt: distanceMs.map((ms) => NOW + ms),
})
const rowArbitrary = fc.record({
  rotatedAt: distanceMs.map((ms) => NOW + ms),
  grace: graceArbitrary,
  expiresAt: fc.oneof(
    { arbitrary: fc.constant(NOW + IDLE_MS), weight: 4 },
    { arbitrary: distanceMs.map((ms) => NOW + ms), weight: 1 },
  ),
  endsIn: fc.constantFrom(0, 1, IDLE_MS - 1, IDLE_MS, 10 * IDLE_MS),
  endedAt: oneIn(6).map((isEnded) => (isEnded ? NOW - 5 : undefined)),
  signedInPosition: fc.constantFrom(1, 2, 2, 2),
  survivedPosition: fc.constantFrom(0, 0, 1, 2),
  address,
  userAgent,
})
const accountArbitrary = fc.record({
  disabled: oneIn(6),
  hardPosition: fc.constantFrom(0, 1, 2),
})
const attemptsArbitrary = fc.array(
  fc.record({
    // The row begins at 3.
    generation: fc.constantFrom(0, 1, 1, 2, 2, 3, 3, 4, 4, 5),
    address,
    userAgent,
    forged: oneIn(6),
    unknown: oneIn(9),
  }),
  { minLength: 1, maxLength: 4 },
)
const conditionsArbitrary = fc.record({
  rotates: oneIn(4).map((isOff) => !isOff),
  healing: fc.constantFrom('accept' as const, 'refuse' as const),
  startedAt: fc.oneof(
    fc.constant(0),
    distanceMs.map((ms) => NOW + ms),
  ),
})

/** Applies the table to one attempt. Returns the answer and the row afterwards. */
function applyTable(
  state: SessionState,
  attempt: RefreshAttempt,
  conditions: RotationConditions & { readonly rotates: boolean },
): { readonly kind: string; readonly code?: string; readonly session: Session } {
  const { session } = state
  const decision = decideRotation(state, attempt, conditions)
  const moved: Session = {
    ...session,
    generation: attempt.generation + (conditions.rotates ? 1 : 0),
    rotatedAt: NOW,
    grace: nextGrace(session, NOW, GRACE_MS),
    expiresAt: Math.min(NOW + IDLE_MS, session.endsAt),
    refreshKid: 'new-kid',
    address: attempt.address,
    userAgent: attempt.userAgent,
  }
  switch (decision.kind) {
    case 'rotate':
      return conditions.rotates ? { kind: 'rotated', session: moved } : { kind: 'kept', session }
    case 'heal':
      return { kind: 'healed', session: moved }
    case 'repeat':
      return { kind: 'repeated', session }
    case 'refuse':
      return { kind: 'refused', code: decision.code, session }
    case 'end':
      return { kind: 'ending', code: decision.code, session }
  }
}

function summary(outcome: RefreshOutcome): { readonly kind: string; readonly code?: string } {
  return 'code' in outcome ? { kind: outcome.kind, code: outcome.code } : { kind: outcome.kind }
}

test('the SQL fast path and the function agree on every row, and order within a batch counts', async () => {
  await using it = await openTestSessions()
  const random = createSystemRandom()
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      rowArbitrary,
      accountArbitrary,
      attemptsArbitrary,
      conditionsArbitrary,
      async ({ endsIn, ...row }, account, wanted, chosen) => {
        const id = randomId(random)
        const accountId = `acct_${randomId(random)}`
        const before: SessionState = {
          ...liveState(),
          session: {
            ...liveState().session,
            ...row,
            id,
            accountId,
            seed: Uint8Array.from(random.bytes(16)),
            endsAt: Math.max(row.expiresAt, NOW + endsIn),
          },
          account: withoutTenant({ id: accountId, userId: accountId, roles: ['reader'] }),
          accountDisabled: account.disabled,
          accountHardPosition: account.hardPosition,
        }
        insertState(it.dataDir, before)
        const conditions = { ...CONDITIONS, ...chosen }
        const attempts = wanted.map(({ forged, unknown, ...attempt }) => ({
          ...attempt,
          sessionId: unknown ? 'nobody' : id,
          jti: forged ? 'forged' : refreshJti(before.session, attempt.generation),
        }))
        const rules: RefreshRules = {
          idleMs: IDLE_MS,
          graceMs: GRACE_MS,
          refreshKid: 'new-kid',
          rotates: conditions.rotates,
          startedAt: conditions.startedAt,
          healing: conditions.healing,
        }
        // They arrive together, so they share a batch.
        const outcomes = await Promise.all(
          attempts.map((attempt) => it.store.sessions.refresh(attempt, rules)),
        )

        let { session } = before
        const expected = attempts.map((attempt) => {
          if (attempt.sessionId !== id) return { kind: 'refused', code: 'session_unknown' }
          if (attempt.jti === 'forged') return { kind: 'refused', code: 'token_invalid' }
          const applied = applyTable({ ...before, session }, attempt, conditions)
          ;({ session } = applied)
          return applied.code === undefined
            ? { kind: applied.kind }
            : { kind: applied.kind, code: applied.code }
        })
        for (const { kind } of expected) seen.set(kind, (seen.get(kind) ?? 0) + 1)

        expect(outcomes.map(summary)).toEqual(expected)
        const after = (await it.store.sessions.state(id))!.session
        expect({ ...after, seed: Uint8Array.from(after.seed) }).toEqual(session)
        const last = outcomes.findLast((outcome) => 'session' in outcome)
        if (last !== undefined && 'session' in last) {
          expect(last.account).toEqual(before.account)
          expect(last.session.generation).toBe(session.generation)
        }
      },
    ),
    { numRuns: 400 },
  )
  // A generator that reaches only refusals would prove nothing.
  const kinds = ['rotated', 'healed', 'repeated', 'kept', 'refused', 'ending']
  expect(kinds.filter((kind) => (seen.get(kind) ?? 0) < 5)).toEqual([])
})
