import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { runCommand, type CommandResult } from '../../packages/server/test/support/command-line.ts'
import { execute, query } from '../../packages/server/test/support/database.ts'
import { HttpClient } from '../../packages/server/test/support/http-client.ts'
import { freePort, startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { copyDatabase, runAuthority, type Pair } from './support.ts'

const AT_STEP = new URL('../../packages/server/test/support/at-step.ts', import.meta.url).href

/** The files of a server that was killed: alice logged out and bob was created after the backup. */
let killed: string
let backup: string
let folder: string
let alice: Pair
let url: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-restore-'))
  killed = join(folder, 'killed')
  backup = join(folder, 'backup.db')
  mkdirSync(killed)
  await using it = await runAuthority()
  ;({ url } = it)
  alice = await it.login('alice')
  copyFileSync(copyDatabase(it), backup)
  await it.post('/api/token/blacklist/', { refresh: alice.refresh })
  await it.login('bob')
  for (const name of ['countersign.db', 'countersign.db-wal', 'secret']) {
    cpSync(join(it.dataDir, name), join(killed, name))
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
function newDataDir(): string {
  const dataDir = join(folder, `data-${(count += 1)}`)
  cpSync(killed, dataDir, { recursive: true })
  return dataDir
}

function restore(
  dataDir: string,
  file = backup,
  steps: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const env = { COUNTERSIGN_PUBLIC_URL: url, NODE_OPTIONS: `--import=${AT_STEP}`, ...steps }
  return runCommand(['restore', file], { dataDir, env })
}

/** Says which database is in place: the one from before, or the complete new one. Throws for any other. */
function stateOf(dataDir: string): 'old' | 'new' {
  expect(existsSync(join(dataDir, 'countersign.db'))).toBe(true)
  expect(query(dataDir, 'PRAGMA quick_check')).toEqual([{ quick_check: 'ok' }])
  const names = query(dataDir, 'SELECT username FROM accounts ORDER BY username')
  const [head] = query(dataDir, 'SELECT started_over_at AS at FROM revocation_head')
  const open = query(
    dataDir,
    `SELECT 1 FROM sessions JOIN accounts ON accounts.id = account_id
      WHERE username = 'alice' AND ended_at IS NULL AND signed_in_position >= hard_position`,
  )
  expect(open).toEqual([])
  const isNew = names.length === 1
  expect(Number(head?.['at']) > 0).toBe(isNew)
  expect(names.map(({ username }) => username)).toEqual(isNew ? ['alice'] : ['alice', 'bob'])
  return isNew ? 'new' : 'old'
}

test('a restore that is killed at any step leaves the old database or the complete new one', async () => {
  const snapshots = join(folder, 'snapshots')
  mkdirSync(snapshots)
  expect(await restore(newDataDir(), backup, { SNAPSHOTS: snapshots })).toMatchObject({ code: 0 })
  const steps = readdirSync(snapshots).length
  expect(steps).toBeGreaterThan(30)
  const states: string[] = []
  let linked: string | undefined
  for (let step = 1; step <= steps; step += 1) {
    const dataDir = join(snapshots, String(step))
    const isLinked = statSync(join(dataDir, 'countersign.db')).nlink > 1
    states.push(stateOf(dataDir))
    if (isLinked) linked = dataDir
  }
  // First old, then new, and never old again.
  expect(new Set(states)).toEqual(new Set(['old', 'new']))
  expect(states).toEqual(states.toSorted().toReversed())
  // Run again, it succeeds. Nothing of the interrupted one remains, also when the old file already had a second name.
  expect(await restore(linked ?? '')).toMatchObject({ code: 0 })
  expect(stateOf(linked ?? '')).toBe('new')
  const kept = readdirSync(linked ?? '').filter((name) => /restoring|before-/.test(name))
  expect(kept).toEqual([expect.stringContaining('before-')])
  expect(statSync(join(linked ?? '', kept[0] ?? '')).nlink).toBe(1)

  for (const step of [3, Math.floor(steps / 2), steps - 2]) {
    const dataDir = newDataDir()
    const killAt = { KILL_AT_STEP: String(step) }
    expect(await restore(dataDir, backup, killAt)).toMatchObject({ code: null })
    expect(stateOf(dataDir)).toBe(states[step - 1])
  }
})

/** Runs a restore that waits before its last rename, and calls `work` at that time. */
async function duringRestore(
  dataDir: string,
  file: string,
  work: (release: () => void) => Promise<void>,
): Promise<CommandResult> {
  const held = join(folder, `held-${(count += 1)}`)
  writeFileSync(held, '')
  const release = (): void => rmSync(held, { force: true })
  const restoring = restore(dataDir, file, { HELD_BY: held })
  const isReady = (): boolean => readdirSync(dataDir).some((name) => name.includes('before-'))
  await expect.poll(isReady, { timeout: 60_000, interval: 5 }).toBe(true)
  await work(release)
  release()
  return restoring
}

test('a supervisor that restarts the server cannot start it during a restore', async () => {
  const dataDir = newDataDir()
  const env = { PORT: String(await freePort()), COUNTERSIGN_PUBLIC_URL: url }
  const restored = await duringRestore(dataDir, backup, async (release) => {
    for (const _ of [1, 2]) {
      const { code, stdout, stderr } = await runCommand(['start'], { dataDir, env })
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain('A restore of the database in ')
    }
    expect((await restore(dataDir)).stderr).toContain('A restore of the database in ')
    // A command waits for the restore, and sees the new database.
    const listing = runCommand(['accounts', 'list'], { dataDir })
    release()
    const { code, stdout } = await listing
    expect(code).toBe(0)
    expect(stdout).not.toContain('bob')
  })
  expect(restored).toMatchObject({ code: 0 })
})

test('after a restore beside a log-out, the server that starts rejects the logged-out session', async () => {
  const dataDir = newDataDir()
  expect(await restore(dataDir)).toMatchObject({ code: 0, stderr: '' })
  await using server = await startServerProcess({ dataDir, env: { COUNTERSIGN_PUBLIC_URL: url } })
  const http = new HttpClient(server.url)
  expect((await http.post('/api/token/refresh/', { refresh: alice.refresh })).status).toBe(401)
  http.close()
})

test('a restore fails while another program has the database open', async () => {
  const dataDir = newDataDir()
  const other = new DatabaseSync(join(dataDir, 'countersign.db'))
  other.exec('BEGIN; SELECT count(*) FROM accounts')
  const { code, stderr } = await restore(dataDir)
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/cannot be replaced: database is locked.* Stop every program/),
  })
  other.exec('COMMIT')
  other.close()
  expect(stateOf(dataDir)).toBe('old')
  expect(readdirSync(dataDir).filter((name) => /restoring|before/.test(name))).toEqual([])
})

describe('where only files of a restore are left', () => {
  test.each(['countersign.db.restoring', 'countersign.db.before-2026-01-01T000000.000Z'])(
    'the server does not start with an empty database: %s',
    async (name) => {
      const dataDir = join(folder, `remains-${name}`)
      mkdirSync(dataDir)
      copyFileSync(backup, join(dataDir, name))
      for (const words of [['start'], ['accounts', 'create', 'carol']]) {
        const env = { PORT: String(await freePort()) }
        const result = await runCommand(words, { dataDir, env, input: 'a password for carol\n' })
        expect(result).toMatchObject({ code: 1 })
        expect(result.stderr).toContain(`it has left ${name}. Run it again: countersign restore`)
      }
      expect(existsSync(join(dataDir, 'countersign.db'))).toBe(false)
      expect(existsSync(join(dataDir, 'secret'))).toBe(false)
      expect(await restore(dataDir)).toMatchObject({ code: 0 })
      expect(stateOf(dataDir)).toBe('new')
    },
  )
})

test('no user can read the prepared file of a backup that everybody can read', async () => {
  const dataDir = newDataDir()
  const open = join(folder, 'open.db')
  copyFileSync(backup, open)
  chmodSync(open, 0o644)
  const restored = await duringRestore(dataDir, open, async () => {
    expect(statSync(join(dataDir, 'countersign.db.restoring')).mode & 0o077).toBe(0)
  })
  expect(restored).toMatchObject({ code: 0 })
  for (const name of readdirSync(dataDir).filter((each) => each.startsWith('countersign.db'))) {
    expect(statSync(join(dataDir, name)).mode & 0o077).toBe(0)
  }
})

const REVIVE = `BEGIN UPDATE sessions SET ended_at = NULL; END`
const NO_UPDATE = `BEFORE UPDATE ON audit BEGIN SELECT 1; END`

describe('a backup whose schema is not ours is rejected', () => {
  test.each([
    ['a trigger', `CREATE TRIGGER revive AFTER INSERT ON audit ${REVIVE}`, 'trigger "revive"'],
    ['a view', 'CREATE VIEW everybody AS SELECT * FROM accounts', 'view "everybody"'],
    ['a table', 'CREATE TABLE notes (text)', 'table "notes"'],
    ['an index', 'CREATE UNIQUE INDEX one ON sessions (client_id)', 'index "one"'],
    ['a virtual table', 'CREATE VIRTUAL TABLE words USING fts5(word)', 'table "words"'],
    ['a missing trigger', 'DROP TRIGGER audit_no_update', 'does not contain the trigger'],
    ['a missing index', 'DROP INDEX sessions_by_end', 'does not contain the index'],
    [
      'a trigger with other SQL',
      `DROP TRIGGER audit_no_update; CREATE TRIGGER audit_no_update ${NO_UPDATE}`,
      'trigger "audit_no_update", which is not part of this schema',
    ],
    ['a column', 'ALTER TABLE accounts ADD COLUMN note TEXT', 'table "accounts", which is not'],
    ['no version', 'PRAGMA user_version = 0', 'no schema version'],
    ['another version', 'PRAGMA user_version = 3', 'is not part of this schema'],
  ])('%s', async (_, sql, says) => {
    const dataDir = newDataDir()
    const file = join(folder, 'other.db')
    copyFileSync(backup, file)
    const db = new DatabaseSync(file)
    db.exec(sql)
    db.close()
    const { code, stderr } = await restore(dataDir, file)
    expect(code).toBe(1)
    expect(stderr).toContain(`${file} is not a backup of a Countersign database: `)
    expect(stderr).toContain(says)
    expect(stateOf(dataDir)).toBe('old')
    expect(readdirSync(dataDir).filter((name) => name.includes('restoring'))).toEqual([])
  })

  test('also one that was copied over the database by hand', async () => {
    const dataDir = join(folder, 'by-hand')
    mkdirSync(dataDir)
    copyFileSync(backup, join(dataDir, 'countersign.db'))
    execute(dataDir, `CREATE TRIGGER revive AFTER INSERT ON audit ${REVIVE}`)
    const { code, stderr } = await runCommand(['restore'], { dataDir })
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('"revive"') })
  })

  test('a backup whose schema has other comments and blanks is accepted, other text is not', async () => {
    const dataDir = newDataDir()
    const file = join(folder, 'comments.db')
    const rewrite = (from: string, to: string): void => {
      // The types of Node do not know this option yet.
      const defenceless: object = { defensive: false }
      const db = new DatabaseSync(file, defenceless)
      db.exec('PRAGMA writable_schema = ON')
      const { changes } = db
        .prepare('UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE sql LIKE ?')
        .run(from, to, `%${from}%`)
      expect(Number(changes)).toBeGreaterThan(0)
      db.close()
    }
    copyFileSync(backup, file)
    rewrite('the audit is append-only', 'the  audit is append-only')
    expect(await restore(dataDir, file)).toMatchObject({ code: 1 })
    copyFileSync(backup, file)
    rewrite('CREATE TABLE accounts (', 'CREATE TABLE accounts (  -- "of" people\n /* all */')
    expect(await restore(dataDir, file)).toMatchObject({ code: 0 })
  })

  test('statistics of ANALYZE are accepted, a damaged page is not', async () => {
    const dataDir = newDataDir()
    const file = join(folder, 'analyzed.db')
    copyFileSync(backup, file)
    const db = new DatabaseSync(file)
    db.exec('ANALYZE')
    db.close()
    expect(await restore(dataDir, file)).toMatchObject({ code: 0 })
    expect(stateOf(dataDir)).toBe('new')
    const bytes = readFileSync(backup)
    bytes.fill(0xff, 4_096 * 3, 4_096 * 6)
    writeFileSync(file, bytes)
    const { code, stderr } = await restore(newDataDir(), file)
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(
        /is not a backup of a Countersign database: .*(damaged|malformed)/,
      ),
    })
  })
})
