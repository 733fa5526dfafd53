import fc from 'fast-check'
import { expect, test } from 'vitest'

import { createSystemRandom, randomId } from '../src/base/random.ts'
import { refreshJti } from '../src/store/refresh-jti.ts'
import { whyOver } from '../src/store/standing.ts'
import type { SessionState } from '../src/store/refresh.ts'
import { withDatabase } from './support/database.ts'
import { HERE, insertState, liveState, NOW } from './support/session-rows.ts'
import { openTestSessions } from './support/sessions.ts'

const position = fc.integer({ min: 0, max: 3 })
const tenantArbitrary = fc.option(
  fc.record({
    kind: fc.constantFrom('enabled', 'enabled', 'disabled', 'deleted'),
    hardPosition: position,
  }),
  { nil: undefined },
)
const rowArbitrary = fc.record({
  ended: fc.constantFrom(false, false, true),
  accountDisabled: fc.constantFrom(false, false, true),
  accountHardPosition: position,
  signedInPosition: position,
  survivedPosition: fc.constantFrom(0, 0, 1, 2, 3),
  tenant: tenantArbitrary,
  refreshKeyKilled: fc.constantFrom(false, false, true),
  expiresIn: fc.constantFrom(1, 1, 0, -1),
})
type GeneratedRow = typeof rowArbitrary extends fc.Arbitrary<infer Row> ? Row : never

/** The state for `whyOver`, computed from the generated row and not from what the store reads. */
function stateOf(row: GeneratedRow, id: string): SessionState {
  const base = liveState()
  return {
    ...base,
    session: {
      ...base.session,
      id: `session-${id}`,
      accountId: `acct_${id}`,
      refreshKid: `key-${id}`,
      tenantId: row.tenant === undefined ? undefined : `ten_${id}`,
      endedAt: row.ended ? NOW : undefined,
      signedInPosition: row.signedInPosition,
      survivedPosition: row.survivedPosition,
      expiresAt: NOW + row.expiresIn,
      endsAt: NOW + 1_000,
    },
    accountDisabled: row.accountDisabled,
    accountHardPosition: row.accountHardPosition,
    // A session in a tenant that was deleted is over, as in one that is disabled.
    tenantDisabled: row.tenant !== undefined && row.tenant.kind !== 'enabled',
    tenantHardPosition:
      row.tenant === undefined || row.tenant.kind === 'deleted' ? 0 : row.tenant.hardPosition,
    refreshKeyKilled: row.refreshKeyKilled,
  }
}

/** Writes the other rows directly, without the rules of the store. */
function insertAround(
  dataDir: string,
  { tenant, refreshKeyKilled }: GeneratedRow,
  id: string,
): void {
  withDatabase(dataDir, (db) => {
    db.exec('PRAGMA synchronous = OFF')
    db.prepare('UPDATE accounts SET password_hash = ? WHERE id = ?').run('old', `acct_${id}`)
    if (tenant !== undefined && tenant.kind !== 'deleted') {
      db.prepare('INSERT INTO tenants VALUES (?, ?, ?, ?, 0)').run(
        `ten_${id}`,
        `ten-${id}`,
        tenant.kind === 'disabled' ? NOW : null,
        tenant.hardPosition,
      )
    }
    db.prepare(
      `INSERT INTO keys (kid, alg, use, state, sealed, created_at) VALUES (?, 'HS256', 'refresh', ?, x'00', 0)`,
    ).run(`key-${id}`, refreshKeyKilled ? 'revoked' : 'retiring')
  })
}

test('the expression of SQL and whyOver agree on whether a session stands, wherever it is used', async () => {
  await using it = await openTestSessions()
  const random = createSystemRandom()
  const { sessions, accounts } = it.store
  const seen = { stands: 0, over: 0 }
  await fc.assert(
    fc.asyncProperty(rowArbitrary, async (row) => {
      const id = randomId(random)
      const expected = stateOf(row, id)
      const { session } = expected
      insertState(it.dataDir, expected)
      insertAround(it.dataDir, row, id)
      const stands = whyOver(expected) === undefined
      seen[stands ? 'stands' : 'over'] += 1

      // The row that the store reads and the generated row have the same result.
      expect(whyOver((await sessions.state(session.id))!)).toBe(whyOver(expected))

      // The listing.
      const [summary] = await sessions.list({ accountId: session.accountId, limit: 1 })
      expect(summary?.live).toBe(stands && row.expiresIn > 0)
      const live = await sessions.list({ accountId: session.accountId, limit: 1, live: true })
      expect(live).toHaveLength(stands && row.expiresIn > 0 ? 1 : 0)

      // A refresh.
      const { generation } = session
      const jti = refreshJti(session, generation)
      const outcome = await sessions.refresh(
        { sessionId: session.id, generation, jti, ...HERE },
        {
          idleMs: 500,
          graceMs: 0,
          refreshKid: session.refreshKid,
          rotates: true,
          startedAt: 0,
          healing: 'accept',
        },
      )
      expect(outcome.kind).toBe(stands && row.expiresIn > 0 ? 'rotated' : 'refused')

      // A change of password by this session.
      const by = { at: NOW, actor: 'test' }
      const hashes = { from: 'old', to: 'new' }
      const change = await accounts.changePassword(session.accountId, hashes, session.id, by)
      expect(change).toBe(stands ? 'changed' : 'unchanged')

      // The session that survives what it revokes itself.
      await accounts.endSessions(session.accountId, session.id, by)
      expect(whyOver((await sessions.state(session.id))!) === undefined).toBe(stands)
    }),
    { numRuns: 300 },
  )
  expect(Math.min(seen.stands, seen.over)).toBeGreaterThan(0)
})
