import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { expect, test } from 'vitest'

import { openStore } from '../src/store/open.ts'
import { migrations } from '../src/store/sqlite/migrations.ts'
import { TestClock } from './support/authority.ts'
import { execute, queryOne } from './support/database.ts'

/**
 * The schema before sessions said how the person signed in, shadows had a column, ids could be consumed,
 * tables could be pruned, and sessions kept their windows of rotations.
 */
const BEFORE = 7

/** Writes a database of an older version, with rows of that version. */
function writeOld(dataDir: string): void {
  const db = new DatabaseSync(join(dataDir, 'countersign.db'))
  for (const migration of migrations.slice(0, BEFORE)) db.exec(migration)
  db.exec(`PRAGMA user_version = ${BEFORE}`)
  const account = db.prepare(
    `INSERT INTO accounts (id, username, username_key, roles, hard_position, created_at)
     VALUES (?, ?, ?, '[]', 0, 0)`,
  )
  account.run('acct_1', 'alice', 'alice')
  account.run('acct_2', 'zoë', 'zoë')
  // The key of an own account may be any text, also an empty text. The key of a shadow begins with U+0001.
  account.run('acct_3', 'odd', '')
  account.run('theirs', 'alice', '\u0001theirs')
  for (const position of [1, 2]) {
    db.exec(`INSERT INTO revocations VALUES (${position}, 'token', 't', 0, 0, randomblob(32))`)
    db.exec(
      `UPDATE revocation_head SET position = ${position},
         chain = (SELECT chain FROM revocations WHERE position = ${position})`,
    )
  }
  db.exec(
    `INSERT INTO sessions (id, account_id, client_id, seed, generation, created_at, rotated_at, expires_at,
                           ends_at, signed_in_position, refresh_kid, address, user_agent)
     VALUES ('s1', 'acct_1', 'first-party', randomblob(16), 3, 1000, 2000, 3000, 4000, 0, 'kid', '', '')`,
  )
  db.exec(`INSERT INTO audit (at, actor, event, outcome) VALUES (0, 'system', 'login', 'ok')`)
  db.close()
}

test('an older database is brought up to date with its rows', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-upgrade-'))
  try {
    writeOld(dataDir)
    const origin = queryOne(dataDir, 'SELECT origin FROM revocation_head')['origin']
    const clock = new TestClock()
    const store = await openStore({ dataDir }, { exclusive: true, clock })
    // Shadows are now marked by their column.
    expect((await store.accounts.list()).map(({ id }) => id)).toEqual([
      'acct_3',
      'acct_1',
      'acct_2',
    ])
    expect(await store.accounts.count()).toBe(3)
    // Its sessions were opened with a password, when they were created.
    expect((await store.sessions.state('s1'))?.session).toMatchObject({
      authenticatedAt: 1000,
      amr: ['pwd'],
      acr: undefined,
    })
    // The row knows its last rotation, and no predecessor before that.
    expect((await store.sessions.state('s1'))?.session.grace).toEqual({
      generation: 2,
      beganAt: 2000,
      priorGeneration: 2,
      priorRotatedAt: 0,
    })
    // The whole log is kept, and begins where it began.
    expect((await store.revocations.tail(0, -1)).entries).toHaveLength(2)
    expect(await store.revocations.chainAt(0)).toEqual(origin)
    // Logouts of applications are collected from here on.
    expect(queryOne(dataDir, 'SELECT position FROM sso_collected')).toEqual({ position: 2 })
    // Both tables stay append-only until they are pruned.
    for (const table of ['audit', 'revocations']) {
      expect(() => execute(dataDir, `DELETE FROM ${table}`)).toThrow(/append-only/)
    }
    expect(await store.audit.prune(0, 10)).toBe(1)
    expect(await store.revocations.prune(0, 10)).toBe(1)
    expect(await store.consume('code', 'x', clock.nowMs() + 1)).toBe(true)
    await store.close()
    expect(queryOne(dataDir, 'PRAGMA user_version')['user_version']).toBe(migrations.length)
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
})
