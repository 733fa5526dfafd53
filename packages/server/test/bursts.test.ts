import { expect, test } from 'vitest'

import { openTestAuthority } from './support/authority.ts'
import { runBursts } from './support/bursts.ts'
import { query } from './support/database.ts'

// The long form, with 200 bursts, is slow-bursts.test.ts.

test.each(['naive', 'queueing'] as const)(
  'five tabs with four calls each, through a %s interceptor: nobody is logged out',
  async (interceptor) => {
    await using it = await openTestAuthority()
    const { failures, chained } = await runBursts(it, { interceptor, count: 15, seed: 1 })
    expect(failures).toEqual([])
    expect(chained).toBeGreaterThanOrEqual(15 / 3)
    expect(query(it.dataDir, `SELECT event FROM audit WHERE event LIKE 'refresh%'`)).toEqual([])
  },
)
