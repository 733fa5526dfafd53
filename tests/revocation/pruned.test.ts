import { expect, test } from 'vitest'

import { openStore } from '../../packages/server/src/store/open.ts'
import { query } from '../../packages/server/test/support/database.ts'
import { decide, headOf, refreshes, runAuthority, until } from './support.ts'

const DAY_MS = 86_400_000

test('a guard that reconnects below the pruned part gets a snapshot, and nobody has to log in again', async () => {
  await using it = await runAuthority()
  const guard = await it.guard()
  const honest = await it.login('alice')
  const gone = await it.login('bob')
  await it.post('/api/token/blacklist/', { refresh: gone.refresh })
  await until('session_ended', () => decide(guard, gone.access))
  await it.stop()

  // The log continues and is pruned while the guard is away. The guard has position 1, which is no longer in
  // the log.
  const clock = { nowMs: () => Date.now() + 100 * DAY_MS }
  const store = await openStore(it, { exclusive: false, clock })
  const by = { at: Date.now(), actor: 'test' }
  for (const jti of ['a', 'b', 'c', 'd']) await store.revocations.revokeToken(jti, 'acct_x', by)
  const before = await store.revocations.head()
  expect(await store.revocations.prune(90 * DAY_MS, 100)).toBe(before.position - 1)
  await store.close()

  await it.start()
  await expect.poll(() => guard.metrics().feed?.position).toBe(before.position)
  expect(await headOf(it)).toMatchObject({ position: before.position })
  const repairs = `SELECT event FROM audit WHERE event IN ('log_repaired', 'log_started_over', 'key_killed')`
  expect(query(it.dataDir, repairs)).toEqual([])

  // Below the floor a token is stale, and its session continues. Revoked tokens stay revoked.
  expect(decide(guard, honest.access)).toBe('token_stale')
  expect(decide(guard, gone.access)).not.toBe('ok')
  expect(await refreshes(it, gone.refresh)).toBe(401)
  expect(await refreshes(it, honest.refresh)).toBe(200)
  const fresh = await it.login('alice')
  await until('ok', () => decide(guard, fresh.access))
  await it.post('/api/token/blacklist/', { refresh: fresh.refresh })
  await until('session_ended', () => decide(guard, fresh.access))
})
