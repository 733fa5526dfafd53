import { copyFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { expect, test } from 'vitest'

import { query } from '../../packages/server/test/support/database.ts'
import {
  copyDatabase,
  countersign,
  decide,
  fallBack,
  headOf,
  kidOf,
  refreshes,
  runAuthority,
  until,
  type Pair,
} from './support.ts'

test('guards return the entries that the store has lost: ended sessions stay ended, and no other session ends', async () => {
  await using it = await runAuthority()
  const guard = await it.guard()
  const gone = await it.login('alice')
  const banned = await it.login('bob')
  const honest = await it.login('carol')
  const copy = copyDatabase(it)

  await it.post('/api/token/blacklist/', { refresh: gone.refresh })
  await it.authority.accounts.disable('bob', 'test')
  await until('session_ended', () => decide(guard, banned.access))
  await fallBack(it, copy)

  await expect.poll(() => guard.metrics().feed?.position ?? 0).toBeGreaterThan(1_000_000)
  expect(decide(guard, gone.access)).toBe('session_ended')
  expect(decide(guard, banned.access)).toBe('session_ended')
  expect(decide(guard, honest.access)).toBe('ok')
  expect(await refreshes(it, gone.refresh)).toBe(401)
  expect(await refreshes(it, banned.refresh)).toBe(401)
  expect(await refreshes(it, honest.refresh)).toBe(200)
  const audited = query(it.dataDir, `SELECT detail FROM audit WHERE event = 'log_repaired'`)
  expect(audited).toHaveLength(1)

  // A second guard with the same batches changes nothing.
  const { position } = await headOf(it)
  const late = await it.guard()
  expect(decide(late, gone.access)).toBe('session_ended')
  expect((await headOf(it)).position).toBe(position)
})

test('countersign restore restores a backup, and all sessions end', async () => {
  await using it = await runAuthority()
  const guard = await it.guard()
  const before = await it.login('alice')
  const copy = copyDatabase(it)
  await it.post('/api/token/blacklist/', { refresh: before.refresh })
  await until('session_ended', () => decide(guard, before.access))
  const restore = (): Promise<string> => countersign(it, ['restore', copy])
  await expect(restore()).rejects.toThrow('Another server is running')
  await it.stop()
  expect(await restore()).toContain('Everybody must log in again')
  await it.start()

  expect(await refreshes(it, before.refresh)).toBe(401)
  await expect.poll(() => guard.metrics().feed?.position ?? 0).toBeGreaterThan(1_000_000)
  expect(decide(guard, before.access)).toBe('token_stale')
  const again = await it.login('alice')
  await until('ok', () => decide(guard, again.access))
  expect(await refreshes(it, again.refresh)).toBe(200)
})

test('countersign restore from a shell with another URL revokes the tokens that the server signed', async () => {
  await using it = await runAuthority()
  const guard = await it.guard()
  const { access } = await it.login('alice')
  const copy = copyDatabase(it)
  await it.stop()
  await countersign(it, ['restore', copy], {})
  await it.start()
  await until('token_stale', () => decide(guard, access))
  const again = await it.login('alice')
  await until('ok', () => decide(guard, again.access))
  // This happens only once. Another start changes nothing.
  const { position } = await headOf(it)
  await it.stop()
  await it.start()
  expect((await headOf(it)).position).toBe(position)
})

test('countersign restore keeps revoked keys revoked, replaces a broken database, and rejects files that are not backups', async () => {
  await using it = await runAuthority()
  const guard = await it.guard()
  const { access } = await it.login('alice')
  const copy = copyDatabase(it)
  await it.stop()
  const killed = kidOf(access)
  await countersign(it, ['keys', 'kill', killed])
  await countersign(it, ['restore', copy])
  await it.start()
  const { keys } = (await (await fetch(`${it.url}/.well-known/jwks.json`)).json()) as {
    keys: { kid: string }[]
  }
  expect(keys.map(({ kid }) => kid)).not.toContain(killed)
  const again = await it.login('alice')
  expect(kidOf(again.access)).not.toBe(killed)
  await until('ok', () => decide(guard, again.access))

  await it.stop()
  const other = join(it.dataDir, 'other.db')
  copyFileSync(copy, other)
  const db = new DatabaseSync(other)
  db.exec('PRAGMA user_version = 9000')
  db.close()
  await expect(countersign(it, ['restore', other])).rejects.toThrow('newer version')
  const database = join(it.dataDir, 'countersign.db')
  for (const suffix of ['-wal', '-shm']) rmSync(`${database}${suffix}`, { force: true })
  writeFileSync(database, 'broken')
  expect(await countersign(it, ['restore', copy])).toContain(
    'The replaced database cannot be read. If you killed keys of refresh tokens',
  )
  await it.start()
  expect((await it.post('/api/token/', {})).status).toBe(400)
})

test('no earlier token or key becomes valid again, after any number of restores', async () => {
  await using it = await runAuthority()
  const guard = await it.guard()
  const stolen = kidOf((await it.login('alice')).access)
  const copy = copyDatabase(it)
  await it.stop()
  await countersign(it, ['keys', 'kill', stolen])
  // Restores the same backup twice: tokens that were issued in between have positions that the log reaches
  // again after the second restore.
  const positions: number[] = []
  const between: Pair[] = []
  for (let times = 0; times < 2; times++) {
    await countersign(it, ['restore', copy])
    await it.start()
    positions.push((await headOf(it)).position)
    const pair = await it.login('alice')
    await until('ok', () => decide(guard, pair.access))
    between.push(pair)
    await it.stop()
  }
  expect(positions[1]).toBeGreaterThan(positions[0] ?? Infinity)
  // Replaces the file by hand, and runs the command afterwards.
  for (const suffix of ['-wal', '-shm']) {
    rmSync(join(it.dataDir, `countersign.db${suffix}`), { force: true })
  }
  copyFileSync(copy, join(it.dataDir, 'countersign.db'))
  expect(await countersign(it, ['restore'])).toContain('is not known')
  await it.start()
  const late = await it.guard({ policy: 'strict' })
  const again = await it.login('alice')
  expect(kidOf(again.access)).not.toBe(stolen)
  for (const each of [guard, late]) {
    await until('ok', () => decide(each, again.access))
    for (const { access } of between) expect(decide(each, access)).not.toBe('ok')
  }
  for (const { refresh } of between) expect(await refreshes(it, refresh)).toBe(401)
})

test('countersign restore reads the write-ahead log of a backup, and rejects the database itself', async () => {
  await using it = await runAuthority()
  const database = join(it.dataDir, 'countersign.db')
  const copy = join(it.dataDir, 'copy.db')
  // The newest writes are in the write-ahead log, because the server is running.
  await it.login('bob')
  await it.authority.accounts.disable('bob', 'test')
  for (const suffix of ['', '-wal']) copyFileSync(database + suffix, copy + suffix)
  await it.stop()
  await expect(countersign(it, ['restore', database])).rejects.toThrow(
    'is the live database itself',
  )
  // Files of an interrupted restore, or of a database that was deleted, do not belong to the backup.
  copyFileSync(`${copy}-wal`, `${database}.restoring-wal`)
  const left = `${database}.restoring`
  copyFileSync(copy, left)
  await expect(countersign(it, ['restore', left])).rejects.toThrow('interrupted restore')
  const whole = join(it.dataDir, 'whole.db')
  copyFileSync(database, whole)
  rmSync(database)
  copyFileSync(`${copy}-wal`, `${database}-wal`)
  await countersign(it, ['restore', whole])
  expect(query(it.dataDir, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
  expect(readdirSync(it.dataDir).filter((name) => /before-.*-wal$/.test(name))).toHaveLength(1)
  await countersign(it, ['restore', copy])
  expect(query(it.dataDir, `SELECT 1 FROM accounts WHERE disabled_at IS NOT NULL`)).toHaveLength(1)
  expect(readdirSync(it.dataDir).filter((name) => name.includes('restoring'))).toEqual([])
})

test('after a guard returns a lost key revocation, there is an active key', async () => {
  await using it = await runAuthority()
  const guard = await it.guard()
  const { access, refresh } = await it.login('alice')
  const killed = kidOf(access)
  const copy = copyDatabase(it)
  await countersign(it, ['keys', 'kill', killed])
  await until('token_stale', () => decide(guard, access))
  await fallBack(it, copy)
  await expect.poll(() => guard.metrics().feed?.position ?? 0).toBeGreaterThan(1_000_000)
  const answer = await it.post('/api/token/refresh/', { refresh })
  const next = (await answer.json()) as Pair
  expect(kidOf(next.access)).not.toBe(killed)
  await until('ok', () => decide(guard, next.access))
  const [row] = query(
    it.dataDir,
    `SELECT length(sealed) AS bytes FROM keys WHERE kid = '${killed}'`,
  )
  expect(row).toMatchObject({ bytes: 0 })
})
