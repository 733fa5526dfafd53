import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { startServerProcess } from './support/server-process.ts'

const CLIENTS = 12
const REQUESTS = 40

/** One request. Returns its `Connection` header, or the code of the error. */
function ask(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    request(`${url}/healthz`, { agent }, (response) => {
      response.resume().once('end', () => resolve(String(response.headers.connection)))
    })
      .once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
      .end()
  })
}

test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const)(
  '%s drops no request of clients that keep their connections alive',
  async (signal) => {
    await using server = await startServerProcess()
    const before: string[] = []
    const after: string[] = []
    let isStopping = false
    const clients = Array.from({ length: CLIENTS }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      for (let n = 0; n < REQUESTS; n += 1) {
        const answers = isStopping ? after : before
        answers.push(await ask(server.url, agent))
        await sleep(n % 5)
      }
      agent.destroy()
    })
    while (before.length < (CLIENTS * REQUESTS) / 4) await sleep(1)
    const stopped = server.stop(signal)
    isStopping = true
    await Promise.all(clients)
    expect(await stopped).toBe(0)
    expect(before.length + after.length).toBe(CLIENTS * REQUESTS)
    // A client that connects after the server has stopped is refused, and has sent nothing.
    const fine = new Set(['keep-alive', 'close', 'ECONNREFUSED'])
    expect([...before, ...after].filter((each) => !fine.has(each))).toEqual([])
    expect(after).toContain('close')
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
