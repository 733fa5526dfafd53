import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { startServerProcess } from './support/server-process.ts'

const CLIENTS = 12
const REQUESTS = 40

interface Outcome {
  /** The `Connection` header of the answer, or the code of the error. */
  readonly text: string
  /** Whether the connection had carried an answer before. */
  readonly isReused: boolean
  readonly sentAtMs: number
}

function ask(url: string, agent: Agent): Promise<Outcome> {
  return new Promise((resolve) => {
    const sentAtMs = performance.now()
    const asked = request(`${url}/healthz`, { agent }, (response) => {
      response.resume().once('end', () => done(String(response.headers.connection)))
    })
    const done = (text: string): void => resolve({ text, isReused: asked.reusedSocket, sentAtMs })
    asked.once('error', (error: NodeJS.ErrnoException) => done(String(error.code))).end()
  })
}

test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const)(
  '%s drops no request of clients that keep their connections alive',
  async (signal) => {
    await using server = await startServerProcess()
    const outcomes: Outcome[] = []
    const clients = Array.from({ length: CLIENTS }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      for (let n = 0; n < REQUESTS; n += 1) {
        outcomes.push(await ask(server.url, agent))
        await sleep(n % 5)
      }
      agent.destroy()
    })
    while (outcomes.length < (CLIENTS * REQUESTS) / 4) await sleep(1)
    const stoppedAtMs = performance.now()
    const stopped = server.stop(signal)
    await Promise.all(clients)
    expect(await stopped).toBe(0)
    expect(outcomes).toHaveLength(CLIENTS * REQUESTS)
    // For a second, every request is answered. Later, clients that still open new connections are refused.
    const owed = outcomes.filter(
      ({ isReused, sentAtMs }) => isReused || sentAtMs < stoppedAtMs + 800,
    )
    expect(owed.filter(({ text }) => text !== 'keep-alive' && text !== 'close')).toEqual([])
    expect(owed.map(({ text }) => text)).toContain('close')
  },
)

test('a connection that was idle at the signal may be used once more', async () => {
  await using server = await startServerProcess()
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1').setEncoding('latin1')
  let text = ''
  socket.on('data', (data: string) => (text += data))
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  await expect.poll(() => text).toContain('ok')
  const stopped = server.stop()
  await expect.poll(() => server.output()).toContain('"event":"stopping"')
  text = ''
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  await expect.poll(() => text).toMatch(/^HTTP\/1\.1 200 [^]*connection: close/i)
  expect(await stopped).toBe(0)
})

test('SIGUSR1 opens no debugger in production', async () => {
  await using server = await startServerProcess({
    env: {
      NODE_ENV: 'production',
      COUNTERSIGN_SECRET: 'a-secret-for-tests-0123456789-abcdefghij',
      COUNTERSIGN_PUBLIC_URL: 'https://auth.example.com',
    },
  })
  server.child.kill('SIGUSR1')
  await sleep(500)
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  expect(server.output()).not.toContain('Debugger listening')
  expect(await server.stop()).toBe(0)
})
