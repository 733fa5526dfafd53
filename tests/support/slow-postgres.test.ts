import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { descendantsOf, isRunning } from '../../scripts/lib/process-tree.ts'
import { sharedPostgres, startPostgres, type Postgres } from './postgres.ts'
import { describeWith } from './requirements.ts'

describeWith('postgres', 'a PostgreSQL of its own', () => {
  let postgres: Postgres
  beforeAll(async () => void (postgres = await startPostgres()))
  afterAll(() => postgres[Symbol.asyncDispose]())

  test('keeps committed rows through a kill and both ways to stop', async () => {
    await using database = await postgres.createDatabase()
    await database.query('CREATE TABLE kept (n int)')
    for (const [n, end] of [
      [1, () => postgres.kill()],
      [2, () => postgres.stop('fast')],
      [3, () => postgres.stop('immediate')],
    ] as const) {
      await database.query('INSERT INTO kept VALUES ($1)', [n])
      await end()
      await expect(database.query('SELECT')).rejects.toThrow('ECONNREFUSED')
      await postgres.start()
      expect(await database.query('SELECT max(n) FROM kept')).toEqual([{ max: n }])
    }
  })

  test('answers nothing while it is frozen', async () => {
    postgres.signal('SIGSTOP')
    let isAnswered = false
    const asked = postgres.query('SELECT 1 AS one').then((rows) => {
      isAnswered = true
      return rows
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(isAnswered).toBe(false)
    postgres.signal('SIGCONT')
    expect(await asked).toEqual([{ one: 1 }])
  })

  test('uses UTF-8 and the order of code points', async () => {
    const sorted = "SELECT array_agg(t ORDER BY t) AS t FROM unnest(ARRAY['é', 'z', 'Z']) AS t"
    expect(await postgres.query(sorted)).toEqual([{ t: ['Z', 'z', 'é'] }])
  })

  test('removes its folder at the end, also when it is frozen', async () => {
    const other = await startPostgres()
    other.signal('SIGSTOP')
    await other[Symbol.asyncDispose]()
    expect(existsSync(other.folder)).toBe(false)
  })

  test.each(['', "it.signal('SIGSTOP')"])(
    'ends with a test run that is killed, and its folder is removed %s',
    async (before) => {
      const code = `const { startPostgres } = await import('./postgres.ts')
        const it = await startPostgres(); ${before}; console.log(it.folder); setInterval(() => {}, 1000)`
      const runner = spawn(process.execPath, ['--input-type=module', '-e', code], {
        cwd: import.meta.dirname,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [printed] = (await once(runner.stdout, 'data')) as [Buffer]
      const started = descendantsOf(runner.pid!)
      expect(started.length).toBeGreaterThan(5)
      runner.kill('SIGKILL')
      await expect.poll(() => started.filter(isRunning)).toEqual([])
      expect(existsSync(printed.toString().trim())).toBe(false)
    },
  )

  test('waits for the disk only if it is durable', async () => {
    await using durable = await startPostgres({ durable: true })
    expect(await durable.query('SHOW fsync')).toEqual([{ fsync: 'on' }])
    expect(await postgres.query('SHOW fsync')).toEqual([{ fsync: 'off' }])
  })

  test('says why it does not start', async () => {
    await expect(startPostgres({ settings: { wal_level: 'none' } })).rejects.toThrow(
      'invalid value for parameter "wal_level"',
    )
  })
})

describeWith('postgres', 'the shared PostgreSQL', () => {
  test('gives each test a database of its own, which it drops', async () => {
    const postgres = await sharedPostgres()
    expect(await sharedPostgres()).toBe(postgres)
    await using template = await postgres.createDatabase()
    await template.query('CREATE TABLE things AS SELECT 7 AS n')
    const copy = await postgres.createDatabase({ template: template.name })
    expect(await copy.query('SELECT n FROM things')).toEqual([{ n: 7 }])
    await copy.query('DELETE FROM things')
    expect(await template.query('SELECT n FROM things')).toEqual([{ n: 7 }])
    await copy[Symbol.asyncDispose]()
    expect(
      await postgres.query('SELECT FROM pg_database WHERE datname = $1', [copy.name]),
    ).toHaveLength(0)
  })
})
