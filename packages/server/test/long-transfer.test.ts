import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { systemClock } from '../src/base/clock.ts'
import { openStore } from '../src/store/open.ts'
import { sharedPostgres, type Database } from '../../../tests/support/postgres.ts'
import { runCommand } from './support/command-line.ts'
import { queryOne } from './support/database.ts'
import { fillSessions } from './support/transfer.ts'

const SECRET = 'the-secret-of-all-nodes-of-a-test-0123456789'
const SESSIONS = 200_000
/** The garbage collector leaves most of it. The rows themselves would take 500 MB more. */
const MEMORY_MB_MAX = 400

let folder: string
let source: string
let peak: string
let database: Database
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-transfer-'))
  source = mkdtempSync(join(folder, 'source-'))
  const store = await openStore({ dataDir: source }, { exclusive: true, clock: systemClock })
  await store.close()
  fillSessions(source, SESSIONS)
  peak = join(folder, 'peak.cjs')
  writeFileSync(
    peak,
    `process.on('exit', () => process.stderr.write('peak ' + process.resourceUsage().maxRSS))`,
  )
  database = await (await sharedPostgres()).createDatabase()
})
afterAll(async () => {
  await database[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a copy, prints its rate, and returns its largest memory in MB. */
async function measure(name: string, dataDir: string): Promise<number> {
  const begunAt = performance.now()
  const env = {
    COUNTERSIGN_SECRET: SECRET,
    DATABASE_URL: database.url,
    NODE_OPTIONS: `--require=${peak}`,
  }
  const { code, stdout, stderr } = await runCommand(['migrate', name], {
    dataDir,
    env,
    timeoutMs: 280_000,
  })
  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(stdout).toContain('both databases are the same')
  const seconds = (performance.now() - begunAt) / 1_000
  const memoryMb = Number(/peak (\d+)/.exec(stderr)?.[1]) / 1_024
  const rate = Math.round(SESSIONS / seconds).toLocaleString('en')
  process.stdout.write(
    `${name}: ${SESSIONS} sessions copied and compared in ${seconds.toFixed(1)} s (${rate}/s), ${memoryMb.toFixed(0)} MB\n`,
  )
  return memoryMb
}

test('a large database is copied in both directions, with memory that does not grow with it', async () => {
  expect(await measure('sqlite-to-postgres', source)).toBeLessThan(MEMORY_MB_MAX)
  const target = mkdtempSync(join(folder, 'target-'))
  expect(await measure('postgres-to-sqlite', target)).toBeLessThan(MEMORY_MB_MAX)
  expect(queryOne(target, 'SELECT count(*) AS n FROM sessions')).toEqual({ n: SESSIONS })
}, 600_000)
