import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { StoreFault } from '../src/base/faults.ts'
import { limits } from '../src/base/limits.ts'
import { SqliteDatabase } from '../src/store/sqlite/database.ts'
import { Batches } from '../src/store/sql/group-commit.ts'
import { appendRevocation, readHead } from '../src/store/sql/revocations.ts'

// Called directly, because a client cannot choose which requests share a commit.
let directory: string
let db: SqliteDatabase
let together: Batches
let commits = 0
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'countersign-together-'))
  db = SqliteDatabase.open(join(directory, 'test.db'), { busyTimeoutMs: 100 })
  together = new Batches(db)
  commits = 0
  db.watch(() => (commits += 1))
})
afterEach(async () => {
  await db.close()
  rmSync(directory, { recursive: true, force: true })
})

function insert(name: string): number {
  return db.run('INSERT INTO roles (name, permissions) VALUES (?, ?)', name, '[]')
}

function define(name: string): Promise<number> {
  return together.run(async () => insert(name))
}

function names(): unknown[] {
  return db.all('SELECT name FROM roles ORDER BY name').map(({ name }) => name)
}

test('work of one turn shares one commit, in the order of its calls', async () => {
  const order: string[] = []
  await Promise.all(['b', 'a', 'c'].map((name) => define(name).then(() => order.push(name))))
  expect(names()).toEqual(['a', 'b', 'c'])
  expect(order).toEqual(['b', 'a', 'c'])
  expect(commits).toBe(1)
  await define('d')
  expect(commits).toBe(2)
})

test('a batch has a limit, and other events run between two batches', async () => {
  const turns: string[] = []
  const all = Array.from({ length: limits.refreshBatchMax + 1 }, (_, n) => define(`role-${n}`))
  all[0]?.then(
    () => setImmediate(() => turns.push('other')),
    () => {},
  )
  all.at(-1)?.then(
    () => turns.push('last'),
    () => {},
  )
  await Promise.all(all)
  expect(commits).toBe(2)
  expect(names()).toHaveLength(limits.refreshBatchMax + 1)
  await new Promise((resolve) => setImmediate(resolve))
  expect(turns).toContain('other')
})

test('the queue is full at its limit, and empty afterwards', async () => {
  const all = Array.from({ length: limits.refreshQueueMax - 1 }, () => together.run(async () => 0))
  expect(together.isFull).toBe(false)
  all.push(together.run(async () => 0))
  expect(together.isFull).toBe(true)
  await Promise.all(all)
  expect(together.isFull).toBe(false)
})

test('work that throws undoes only its own changes', async () => {
  const results = await Promise.allSettled([
    define('a'),
    define('a'),
    together.run(async () => {
      insert('x')
      throw new Error('no')
    }),
    define('b'),
  ])
  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'fulfilled',
  ])
  expect(results[1]).toMatchObject({ reason: expect.any(StoreFault) })
  expect(results[2]).toMatchObject({ reason: new Error('no') })
  expect(names()).toEqual(['a', 'b'])
})

test('log entries of work that throws are undone with it', async () => {
  const append = (subject: string): Promise<number> =>
    appendRevocation(db, 'session', subject, 'hard', 1)
  const results = await Promise.allSettled([
    together.run(() => append('a')),
    together.run(async () => {
      await append('undone')
      throw new Error('no')
    }),
    together.run(() => append('b')),
  ])
  expect(results).toMatchObject([{ value: 1 }, { status: 'rejected' }, { value: 2 }])
  const entries = db.all('SELECT subject FROM revocations ORDER BY position')
  expect(entries.map(({ subject }) => subject)).toEqual(['a', 'b'])
  expect((await readHead(db)).position).toBe(2)
})

test('an entry outside a write transaction throws', async () => {
  const entry = appendRevocation(db, 'session', 'a', 'hard', 1)
  await expect(entry).rejects.toThrow(/write transaction/)
})

test('if the commit fails, every promise rejects', async () => {
  const both = [define('a'), define('b')]
  await db.close()
  for (const each of await Promise.allSettled(both)) {
    expect(each).toMatchObject({ status: 'rejected', reason: expect.any(StoreFault) })
  }
})
