import { connect, type Socket } from 'node:net'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { post, startHostileTarget, type HostileTarget } from './support/hostile-target.ts'

// Many clients at once that begin a request and never finish it. Node's time limits cut them off. Until
// then they must not hinder other clients.

const CLIENTS = 200
/** The time limit for a whole request, with the interval at which Node checks it. */
const CUT_OFF_MS_MAX = 25_000

let server: HostileTarget
beforeAll(async () => {
  server = await startHostileTarget()
})
afterAll(() => server.end())

interface Held {
  readonly text: string
  readonly afterMs: number
}

/** Sends the beginning, then one byte at a time, until the server closes the connection. */
function hold(beginning: string, drip: string): Promise<Held> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(server.url)
    const start = performance.now()
    let text = ''
    const socket: Socket = connect(Number(port), hostname, () => socket.write(beginning))
    const dripping = setInterval(() => socket.write(drip), 1_000)
    socket.setEncoding('latin1')
    socket.on('data', (data: string) => (text += data))
    socket.on('error', () => {})
    socket.once('close', () => {
      clearInterval(dripping)
      resolve({ text, afterMs: performance.now() - start })
    })
  })
}

describe('two hundred clients that never finish', () => {
  // Concurrent, because each test waits for the same limits.
  test.concurrent.each([
    ['of their headers', 'POST /api/token/ HTTP/1.1\r\nHost: x\r\n', 'X-A: a\r\n'],
    ['of one header', 'POST /api/token/ HTTP/1.1\r\nHost: x\r\nX-A: ', 'a'],
    ['of the request line', 'POST /api/tok', 'e'],
    ['of a body of known length', post(['Content-Length: 10000'], '{"username":"'), 'a'],
    [
      'of a body in chunks',
      post(['Transfer-Encoding: chunked'], 'd\r\n{"username":"\r\n'),
      '1\r\na\r\n',
    ],
  ])('%s are cut off, and others are served meanwhile', async (_, beginning, drip) => {
    const held = Promise.all(Array.from({ length: CLIENTS }, () => hold(beginning, drip)))
    for (let n = 0; n < 5; n += 1) {
      const body = JSON.stringify({ token: server.pair.refresh })
      expect((await server.ask({ path: '/api/token/verify/', body })).status).toBe(200)
    }
    for (const { text, afterMs } of await held) {
      expect(text).toMatch(/^(?:HTTP\/1\.1 4(?:00|08|13|31) [^]*)?$/)
      expect(afterMs).toBeLessThan(CUT_OFF_MS_MAX)
    }
    server.expectUnharmed()
  })
})
