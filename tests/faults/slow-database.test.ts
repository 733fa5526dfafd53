import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { sized } from '../../packages/server/test/support/long.ts'
import { startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { HonestLoad } from './honest-load.ts'
import { Probe, worstOf } from './probe.ts'
import { recordFault } from './record.ts'

/** Shorter than the grace of rotation, in which a client can repeat a refresh whose answer was lost. */
const LASTS_MS = sized(2_000, 8_000)
const MUST_ANSWER = ['/healthz', '/.well-known/jwks.json']

interface Fault {
  readonly name: string
  readonly fault: string
  /** Breaks the database. Returns the function that mends it. */
  readonly break: (dataDir: string) => () => void
}

const faults: readonly Fault[] = [
  {
    name: 'database-locked',
    fault: `database locked by another process for ${LASTS_MS / 1000} s`,
    break: (dataDir) => {
      const db = new DatabaseSync(join(dataDir, 'countersign.db'))
      db.exec('PRAGMA busy_timeout = 5000')
      db.exec('BEGIN IMMEDIATE')
      return () => {
        db.exec('ROLLBACK')
        db.close()
      }
    },
  },
  {
    name: 'database-moved',
    fault: `database moved away for ${LASTS_MS / 1000} s`,
    break: (dataDir) => {
      const path = join(dataDir, 'countersign.db')
      renameSync(path, `${path}.away`)
      return () => renameSync(`${path}.away`, path)
    },
  },
  {
    name: 'database-replaced',
    fault: `database replaced by an empty file for ${LASTS_MS / 1000} s`,
    break: (dataDir) => {
      const path = join(dataDir, 'countersign.db')
      renameSync(path, `${path}.away`)
      writeFileSync(path, '')
      return () => {
        rmSync(path)
        renameSync(`${path}.away`, path)
      }
    },
  },
]

test.each(faults)('$fault: no write is acknowledged and lost, and keys answer', async (it) => {
  await using server = await startServerProcess()
  const load = new HonestLoad(server.url)
  await load.start()
  await load.untilMore({ rotations: 50 })

  const mend = it.break(server.dataDir)
  const { busy } = load.failed
  await expect.poll(() => load.failed.busy).toBeGreaterThan(busy)
  const before = load.acknowledged.rotations
  const probe = new Probe(server.url, MUST_ANSWER)
  await sleep(LASTS_MS)
  const answers = await probe.stop()
  expect(load.acknowledged.rotations).toBe(before)
  mend()
  await load.untilMore({ rotations: 50, logOuts: 1 })
  await load.stop()

  for (const { statuses } of answers) expect(Object.keys(statuses)).toEqual(['200'])
  expect(load.failed.unanswered).toBe(0)
  load.expectNothingLost(server.dataDir)
  await load.expectAnswersTrue()
  load.close()
  recordFault(it.name, {
    fault: it.fault,
    outcome: `health checks and keys within ${worstOf(answers)} ms; ${load.failed.busy} writes got 503; nothing lost`,
  })
})
