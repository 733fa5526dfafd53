import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { once } from 'node:events'

import { afterEach, expect, test } from 'vitest'

import { limits } from '../src/base/limits.ts'
import { toNodeHandler } from '../src/http/node-handler.ts'
import { exchange } from './support/raw.ts'

const GET = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'

let server: Server
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

/** Serves with a handler that notes how many requests run at once. Returns the URL and the largest number. */
async function open(answer: () => Promise<void>): Promise<{ url: string; runs: Runs }> {
  const runs: Runs = { now: 0, most: 0, all: 0 }
  const handler = toNodeHandler(async () => {
    runs.all += 1
    runs.now += 1
    runs.most = Math.max(runs.most, runs.now)
    await answer()
    runs.now -= 1
    return new Response('ok')
  })
  server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, runs }
}

interface Runs {
  now: number
  most: number
  all: number
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('pipelined requests run one after the other, and all are answered', async () => {
  const { url, runs } = await open(turn)
  const { statuses } = await exchange(url, [GET.repeat(limits.pipelinedMax + 1)])
  expect(statuses).toEqual(Array(limits.pipelinedMax + 1).fill(200))
  expect(runs).toEqual({ now: 0, most: 1, all: limits.pipelinedMax + 1 })
})

test('a connection with too many pipelined requests is closed, and the rest of them does not run', async () => {
  const { url, runs } = await open(turn)
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  // Writing to the closed connection fails.
  socket.on('error', () => {})
  socket.resume().write(GET.repeat(3_000))
  await new Promise((resolve) => socket.once('close', resolve))
  expect(runs.all).toBeLessThanOrEqual(limits.pipelinedMax + 1)
})

test('requests after an answer that ends the connection do not run', async () => {
  const { url, runs } = await open(turn)
  const ambiguous = GET.replace('Host: x', 'Host: x\r\nHost: y')
  const { statuses, closedByServer } = await exchange(url, [GET + ambiguous + GET])
  expect({ statuses, closedByServer }).toEqual({ statuses: [200, 400], closedByServer: true })
  expect(runs.all).toBe(1)
})

test('when a client leaves, its waiting requests do not run', async () => {
  let finish = (): void => {}
  const { url, runs } = await open(() => new Promise((resolve) => (finish = resolve)))
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(GET.repeat(3))
  await expect.poll(() => runs.all).toBe(1)
  const left = once(
    server.on('connection', () => {}),
    'close',
  ).catch(() => {})
  socket.destroy()
  server.close()
  await left
  finish()
  await turn()
  expect(runs.all).toBe(1)
})
