import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { expectWholeLog, readChainStart } from '../../packages/server/test/support/chain.ts'
import { query } from '../../packages/server/test/support/database.ts'
import { sized } from '../../packages/server/test/support/long.ts'
import { freePort, startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { HonestLoad } from './honest-load.ts'
import { recordFault } from './record.ts'

const ROUNDS = sized(20, 50)
/**
 * How much the server acknowledges in a round before it is killed: the first rounds end at once, the last one at these
 * numbers. Counting answers and not time gives slow machines the same load as fast ones.
 */
const ROTATIONS_MAX = 200
const LOG_OUTS_MAX = 3
/** The kill comes up to this much later, so that it can hit any step of a request. */
const JITTER_MS_MAX = 10

test(`${ROUNDS} kills under load lose nothing that was answered`, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-kill-'))
  const port = await freePort()
  const load = new HonestLoad(`http://127.0.0.1:${port}`)
  let chainStart: Buffer | undefined
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      await using server = await startServerProcess({ dataDir, port })
      chainStart ??= readChainStart(dataDir)
      load.expectNothingLost(dataDir)
      expectWholeLog(dataDir, chainStart)
      await load.expectAnswersTrue()
      load.forgetEnded()

      await load.start(server.url)
      const share = round / (ROUNDS - 1)
      await load.untilMore({ rotations: share * ROTATIONS_MAX, logOuts: share * LOG_OUTS_MAX })
      await sleep(Math.random() * JITTER_MS_MAX)
      await server.stop('SIGKILL')
      await load.stop()
    }
    await using server = await startServerProcess({ dataDir, port })
    load.expectNothingLost(dataDir)
    expect(expectWholeLog(dataDir, chainStart!)).toBeGreaterThanOrEqual(load.acknowledged.logOuts)
    expect(query(dataDir, `SELECT * FROM audit WHERE event LIKE 'refresh_%'`)).toEqual([])
    await load.expectAnswersTrue()
    expect(server.output()).not.toMatch(/"level":(?:50|60)/)
  } finally {
    load.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
  const { rotations, logOuts } = load.acknowledged
  // Without enough load the test would prove nothing.
  expect(rotations).toBeGreaterThan(10 * ROUNDS)
  expect(logOuts).toBeGreaterThan(ROUNDS)
  recordFault('kill', {
    fault: `killed ${ROUNDS} times under load`,
    outcome: `${rotations} refreshes and ${logOuts} log-outs acknowledged, none lost`,
  })
})
