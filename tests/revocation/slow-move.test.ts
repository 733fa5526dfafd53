import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { query } from '../../packages/server/test/support/database.ts'
import { toPostgres, toSqlite } from '../../packages/server/test/support/transfer.ts'
import { sharedPostgres } from '../support/postgres.ts'
import { decide, refreshes, runAuthority, until } from './support.ts'

test('guards keep their position and their revocations when the data moves to PostgreSQL and back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-move-'))
  await using database = await (await sharedPostgres()).createDatabase()
  const settings: Record<string, unknown> = {
    secret: 'the-secret-of-all-nodes-of-a-test-0123456789',
  }
  await using it = await runAuthority(settings)
  try {
    const guard = await it.guard()
    const position = (): number => guard.metrics().feed?.position ?? 0
    const gone = await it.login('alice')
    const honest = await it.login('bob')
    await it.post('/api/token/blacklist/', { refresh: gone.refresh })
    await until('session_ended', () => decide(guard, gone.access))
    const before = position()
    expect(before).toBeGreaterThan(0)

    const expectContinued = async (username: string): Promise<void> => {
      const at = position()
      const other = await it.login(username)
      await it.post('/api/token/blacklist/', { refresh: other.refresh })
      await until('session_ended', () => decide(guard, other.access))
      // A log that had lost entries would go on a million positions later.
      expect(position()).toBeLessThan(at + 10)
      expect(decide(guard, gone.access)).toBe('session_ended')
      await until('ok', () => decide(guard, honest.access))
      expect(await refreshes(it, gone.refresh)).toBe(401)
    }

    await it.stop()
    await toPostgres(it.dataDir, database.url)
    settings['databaseUrl'] = database.url
    await it.start()
    await expectContinued('carol')

    await it.stop()
    const dataDir = join(folder, 'back')
    await toSqlite(database.url, dataDir)
    Object.assign(settings, { databaseUrl: undefined, dataDir })
    await it.start()
    await expectContinued('dave')
    expect(await refreshes(it, honest.refresh)).toBe(200)
    expect(query(dataDir, `SELECT * FROM audit WHERE event = 'log_repaired'`)).toEqual([])
  } finally {
    await it.stop()
    rmSync(folder, { recursive: true, force: true })
  }
})
