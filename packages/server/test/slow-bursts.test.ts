import { expect, test } from 'vitest'

import { openTestAuthority } from './support/authority.ts'
import { runBursts } from './support/bursts.ts'
import { query, queryOne } from './support/database.ts'

const BURSTS = 200

test.each([
  ['naive', 2],
  ['queueing', 4],
] as const)(
  '200 bursts of five tabs with four calls each, through a %s interceptor (seed %s), log nobody out',
  async (interceptor, seed) => {
    await using it = await openTestAuthority()
    const { failures, chained } = await runBursts(it, { interceptor, count: BURSTS, seed })
    expect(failures).toEqual([])
    // Bursts without chains would prove nothing.
    expect(chained).toBeGreaterThanOrEqual(BURSTS / 3)
    expect(query(it.dataDir, `SELECT event FROM audit WHERE event LIKE 'refresh%'`)).toEqual([])
    expect(queryOne(it.dataDir, 'SELECT ended_at FROM sessions')).toEqual({ ended_at: null })
  },
)
