import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { sized } from '../../packages/server/test/support/long.ts'
import { freePort, startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { HonestLoad } from './honest-load.ts'
import { recordFault } from './record.ts'

const ROUNDS = sized(3, 10)

test(`${ROUNDS} restarts by SIGTERM under load drop no request in flight`, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-stop-'))
  const port = await freePort()
  const load = new HonestLoad(`http://127.0.0.1:${port}`, { refreshers: 12 })
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      await using server = await startServerProcess({ dataDir, port })
      await load.start(server.url)
      await load.untilMore({ rotations: 100, logOuts: 1 })
      const stopping = server.stop('SIGTERM')
      await expect.poll(() => server.output(), { interval: 1 }).toContain('"event":"stopping"')
      // The clients finish what they have begun, and begin nothing new.
      await load.stop()
      expect(await stopping).toBe(0)
    }
    expect(load.failed).toEqual({ busy: 0, unanswered: 0 })
    await using server = await startServerProcess({ dataDir, port })
    await load.start(server.url)
    await load.stop()
    load.expectNothingLost(dataDir)
    await load.expectAnswersTrue()
  } finally {
    load.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
  recordFault('stop', {
    fault: `SIGTERM ${ROUNDS} times under load of 14 clients`,
    outcome: `${load.acknowledged.rotations} refreshes answered, no request dropped, exit code 0 each time`,
  })
})
