import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterEach, expect, test } from 'vitest'

import { toNodeHandler } from '../src/http/node-handler.ts'

type Handler = (incoming: IncomingMessage, outgoing: ServerResponse) => void

const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]()
})

/** The answer of Node's own server to a POST of `body`. */
async function post(handler: Handler, path: string, body: string): Promise<Response> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  open.push({
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  })
  const { port } = server.address() as AddressInfo
  const headers = { connection: 'close' }
  return fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body })
}

const handler = toNodeHandler(async (request, { address }) =>
  Response.json({ path: new URL(request.url).pathname, body: await request.text(), address }),
)

test('passes on path, body and address', async () => {
  const answer = await post(handler, '/api/token/?x', 'hello')
  expect(await answer.json()).toEqual({ path: '/api/token/', body: 'hello', address: '127.0.0.1' })
})

test.each(['/api//token/', '/api/%74oken/', '/auth/..%2f'])(
  'knows no path like %s',
  async (path) => {
    expect((await post(handler, path, 'hello')).status).toBe(404)
  },
)

test('throws at once if the body was already read', async () => {
  const late: Handler = (incoming, outgoing) => {
    incoming.resume().once('end', () => {
      try {
        handler(incoming, outgoing)
      } catch (error) {
        outgoing.writeHead(500).end(String(error))
      }
    })
  }
  const answer = await post(late, '/api/token/', 'hello')
  expect(answer.status).toBe(500)
  expect(await answer.text()).toContain('Mount the authority before body parsers')
})
