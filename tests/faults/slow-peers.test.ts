import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { sized } from '../../packages/server/test/support/long.ts'
import { startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { HonestLoad } from './honest-load.ts'
import { Probe } from './probe.ts'
import { recordFault } from './record.ts'

const IDLE = sized(300, 1_500)
const SLOW = sized(100, 500)
const LASTS_MS = sized(3_000, 20_000)

/** Opens connections that say nothing. Their errors are ignored, because the server may end them. */
async function openConnections(port: number, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1'))
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise((resolve) => socket.on('error', () => undefined).once('connect', resolve)),
    ),
  )
  return sockets
}

test(`${IDLE} silent and ${SLOW} slow clients delay nobody`, async () => {
  await using server = await startServerProcess()
  const port = Number(new URL(server.url).port)
  const load = new HonestLoad(server.url)
  await load.start()
  const idle = await openConnections(port, IDLE)
  const slow = await openConnections(port, SLOW)
  for (const socket of slow) socket.write('POST /api/token/ HTTP/1.1\r\nHost: a\r\n')
  const dripping = setInterval(() => {
    for (const socket of slow) socket.write('X-More: 1\r\n')
  }, 500)

  const probe = new Probe(server.url, ['/healthz'])
  await sleep(LASTS_MS)
  await load.untilMore({ rotations: 100, logOuts: 1 })
  const [seen] = await probe.stop()
  await load.stop()
  clearInterval(dripping)
  for (const socket of [...idle, ...slow]) socket.destroy()

  expect(Object.keys(seen?.statuses ?? {})).toEqual(['200'])
  expect(load.failed).toEqual({ busy: 0, unanswered: 0 })
  load.expectNothingLost(server.dataDir)
  await load.expectAnswersTrue()
  load.close()
  recordFault('peers-slow', {
    fault: `${IDLE} silent connections and ${SLOW} that send a header line each half second`,
    outcome: `health checks within ${seen?.worstMs} ms under load; no request failed`,
  })
})
