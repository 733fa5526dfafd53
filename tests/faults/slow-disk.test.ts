import { setTimeout as sleep } from 'node:timers/promises'

import { describe, expect, test } from 'vitest'

import { startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { TestDisk, whyNoDisk } from './disk.ts'
import { HonestLoad } from './honest-load.ts'
import { Probe } from './probe.ts'
import { recordFault } from './record.ts'

const MUST_ANSWER = ['/healthz', '/.well-known/jwks.json']

const why = whyNoDisk()
describe.skipIf(why !== undefined)(`disk${why === undefined ? '' : ` (NOT RUN: ${why})`}`, () => {
  test('while the disk is full, reads go on; when there is space again, writes do, without a restart', async () => {
    using disk = TestDisk.create(64)
    await using server = await startServerProcess({ dataDir: disk.path })
    const load = new HonestLoad(server.url)
    await load.start()
    await load.untilMore({ rotations: 50 })

    disk.fill()
    const { busy } = load.failed
    await expect.poll(() => load.failed.busy, { timeout: 60_000 }).toBeGreaterThan(busy + 20)
    const probe = new Probe(server.url, MUST_ANSWER)
    await sleep(500)
    for (const { statuses } of await probe.stop()) expect(Object.keys(statuses)).toEqual(['200'])

    disk.free()
    const from = performance.now()
    await load.untilMore({ rotations: 50, logOuts: 1 })
    const backMs = Math.round(performance.now() - from)
    await load.stop()
    load.expectNothingLost(disk.path)
    await load.expectAnswersTrue()
    load.close()
    recordFault('disk-full', {
      fault: 'disk full under load, then freed',
      outcome: `writes got 503, and worked again ${backMs} ms after there was space; nothing lost`,
    })
  })
})
