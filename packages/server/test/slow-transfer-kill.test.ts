import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { systemClock } from '../src/base/clock.ts'
import { openStore } from '../src/store/open.ts'
import { sharedPostgres, type Database } from '../../../tests/support/postgres.ts'
import { launcher } from './support/command-line.ts'
import { contentsOf, fillSessions, toPostgres } from './support/transfer.ts'

const SECRET = 'the-secret-of-all-nodes-of-a-test-0123456789'
const SESSIONS = 30_000
const KILLS = 10

let folder: string
let source: string
let database: Database
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-transfer-'))
  source = join(folder, 'source')
  mkdirSync(source, { mode: 0o700 })
  const store = await openStore({ dataDir: source }, { exclusive: true, clock: systemClock })
  await store.close()
  fillSessions(source, SESSIONS)
  database = await (await sharedPostgres()).createDatabase()
})
afterEach(async () => {
  await database[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

interface Run {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  readonly output: () => string
}

function run(words: readonly string[], dataDir: string): Run {
  const [program, script] = launcher
  const child = spawn(program, [script, ...words], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      COUNTERSIGN_DATA_DIR: dataDir,
      COUNTERSIGN_SECRET: SECRET,
      DATABASE_URL: database.url,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { child, ended, output: () => output }
}

/** The rows that the target of an import has, or undefined before it has begun and after its end. */
type Copied = () => Promise<number | undefined>

/** Kills the command ten times, each time when it has copied some more rows. */
async function killOften(words: readonly string[], dataDir: string, copied: Copied): Promise<void> {
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = (await copied()) ?? 0
    const { child, ended, output } = run(words, dataDir)
    while (child.exitCode === null && ((await copied()) ?? 0) <= before) await sleep(1)
    await sleep(Math.random() * 30)
    child.kill('SIGKILL')
    if ((await ended) === null) continue
    expect(output()).toContain('both databases are the same')
    throw new Error(`The copy ended before kill ${kill + 1}: use more rows.`)
  }
}

test('a copy to PostgreSQL that is killed ten times continues, and has every row once', async () => {
  const copied: Copied = async () => {
    try {
      const [row] = await database.query<{ n: string }>(
        'SELECT row_count AS n FROM countersign_import',
      )
      return Number(row?.n ?? 0)
    } catch {
      return undefined
    }
  }
  await killOften(['migrate', 'sqlite-to-postgres'], source, copied)
  expect(await copied()).toBeGreaterThan(0)
  const last = run(['migrate', 'sqlite-to-postgres'], source)
  expect(await last.ended).toBe(0)
  expect(last.output()).toContain('The interrupted copy continues')
  const [row] = await database.query<{ n: string }>('SELECT count(*) AS n FROM sessions')
  expect(Number(row?.n)).toBe(SESSIONS)
})

test('a copy from PostgreSQL that is killed ten times continues, and has every row once', async () => {
  await toPostgres(source, database.url)
  const target = join(folder, 'target')
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const copied: Copied = async () => {
    const file = join(target, 'countersign.db.importing')
    if (!existsSync(file)) return undefined
    const db = new DatabaseSync(file)
    try {
      db.exec('PRAGMA busy_timeout = 5000')
      return Number(db.prepare('SELECT row_count AS n FROM countersign_import').get()?.['n'])
    } catch {
      return undefined
    } finally {
      db.close()
    }
  }
  await killOften(['migrate', 'postgres-to-sqlite'], target, copied)
  const last = run(['migrate', 'postgres-to-sqlite'], target)
  expect(await last.ended).toBe(0)
  expect(last.output()).toContain('The interrupted copy continues')
  expect(contentsOf(target)).toEqual(contentsOf(source))
})
