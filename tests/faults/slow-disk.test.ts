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

  test('while the disk is frozen, keys and health answer, writes fail at once, and nothing is lost', async () => {
    using disk = TestDisk.create(64)
    await using server = await startServerProcess({ dataDir: disk.path })
    const load = new HonestLoad(server.url)
    await load.start()
    await load.untilMore({ rotations: 50 })

    const slowestMs = await whileFrozen(disk, async () => {
      const probe = new Probe(server.url, MUST_ANSWER)
      // Not those of the load: all of its clients may wait for the one commit that the disk holds.
      let refused = 0
      const write = async (): Promise<number> => {
        const body = new URLSearchParams({ username: 'admin', password: 'wrong' })
        const { status } = await fetch(`${server.url}/api/token/`, { method: 'POST', body })
        if (status === 503) refused += 1
        return refused
      }
      await expect.poll(write, { timeout: 30_000 }).toBeGreaterThan(20)
      // Waits for all answers. The disk is still frozen, so none of them waited for the disk.
      const answers = await probe.stop()
      for (const { statuses } of answers) expect(Object.keys(statuses)).toEqual(['200'])
      expect((await fetch(`${server.url}/readyz`)).status).toBe(503)
      return Math.max(...answers.map(({ worstMs }) => worstMs))
    })

    const from = performance.now()
    await load.untilMore({ rotations: 50, logOuts: 1 })
    const backMs = Math.round(performance.now() - from)
    await load.stop()
    load.expectNothingLost(disk.path)
    await load.expectAnswersTrue()
    load.close()
    recordFault('disk-frozen', {
      fault: 'disk frozen under load, then thawed',
      outcome: `health and keys in at most ${slowestMs} ms, writes got 503, and worked again after ${backMs} ms; nothing lost`,
    })
  })
})

/** A process cannot be killed while it waits for a frozen disk, so the disk is thawed whatever happens. */
async function whileFrozen<T>(disk: TestDisk, work: () => Promise<T>): Promise<T> {
  disk.freeze()
  try {
    return await work()
  } finally {
    disk.thaw()
  }
}
