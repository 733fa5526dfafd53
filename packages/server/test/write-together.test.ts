import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { StoreFault } from '../src/base/faults.ts'
import { SqliteDatabase } from '../src/store/sqlite/database.ts'

// Which requests share a commit cannot be chosen from outside.
let directory: string
let db: SqliteDatabase
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'countersign-together-'))
  db = SqliteDatabase.open(join(directory, 'test.db'), { busyTimeoutMs: 100 })
})
afterEach(() => {
  db.close()
  rmSync(directory, { recursive: true, force: true })
})

function define(name: string): Promise<number> {
  return db.writeTogether(() =>
    db.run('INSERT INTO roles (name, permissions) VALUES (?, ?)', name, '[]'),
  )
}

function names(): unknown[] {
  return db.all('SELECT name FROM roles ORDER BY name').map(({ name }) => name)
}

test('work of one turn shares one commit, in its order', async () => {
  let commits = 0
  db.watch(() => (commits += 1))
  const order: string[] = []
  await Promise.all(['b', 'a', 'c'].map((name) => define(name).then(() => order.push(name))))
  expect(names()).toEqual(['a', 'b', 'c'])
  expect(order).toEqual(['b', 'a', 'c'])
  expect(commits).toBe(1)
  await define('d')
  expect(commits).toBe(2)
})

test('work that throws undoes itself alone', async () => {
  const results = await Promise.allSettled([
    define('a'),
    define('a'),
    db.writeTogether(() => {
      db.run('INSERT INTO roles (name, permissions) VALUES (?, ?)', 'x', '[]')
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

test('where the commit fails, everybody is told', async () => {
  const both = [define('a'), define('b')]
  db.close()
  for (const each of await Promise.allSettled(both)) {
    expect(each).toMatchObject({ status: 'rejected', reason: expect.any(StoreFault) })
  }
})
