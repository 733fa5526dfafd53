import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect as connectSecurely } from 'node:tls'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { makeCertificate } from '../../../tests/support/certificate.ts'
import { openTestAuthority, PASSWORD, USERNAME, type TestAuthority } from './support/authority.ts'
import { exchange } from './support/raw.ts'

/** It answers a POST with its body. */
const app: RequestListener = (request, response) => {
  if (request.method === 'POST') request.pipe(response)
  else response.end(`the application at ${request.url}`)
}

let it: TestAuthority
let server: Server
let url: string

async function listen(opened: Server | SecureServer): Promise<void> {
  server = opened
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

beforeEach(async () => {
  it = await openTestAuthority()
})
afterEach(async () => {
  it.authority.feed.close()
  server.closeAllConnections()
  server.close()
  await it[Symbol.asyncDispose]()
})

async function logIn(): Promise<number> {
  const response = await fetch(`${url}/api/token/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: USERNAME, password: PASSWORD }),
  })
  await response.arrayBuffer()
  return response.status
}

const textAt = async (path: string): Promise<string> => (await fetch(url + path)).text()

test('the authority answers its paths, and the application answers all others', async () => {
  await listen(createServer(app))
  it.authority.attach(server)
  expect(await logIn()).toBe(200)
  expect(await textAt('/.well-known/jwks.json')).toContain('"keys"')
  expect((await fetch(`${url}/auth/me`)).status).toBe(401)
  expect((await fetch(`${url}/auth/sessions/x`, { method: 'DELETE' })).status).toBe(401)
  for (const path of [
    '/',
    '/healthz',
    '/auth',
    '/auth/x',
    '/docs',
    '/revocations/',
    '/api/token/x',
  ]) {
    expect(await textAt(path)).toBe(`the application at ${path}`)
  }
})

test('listeners that are added later do not get the requests of the authority', async () => {
  await listen(createServer())
  it.authority.attach(server)
  server.on('request', app)
  expect(await logIn()).toBe(200)
  expect(await textAt('/x?y')).toBe('the application at /x?y')
})

test('a second authority on the same server is refused', async () => {
  await listen(createServer(app))
  it.authority.attach(server)
  expect(() => it.authority.attach(server)).toThrow(TypeError)
})

test('the feed accepts guards, and wants their credentials', async () => {
  await listen(createServer(app))
  it.authority.attach(server)
  const text = `GET /revocations/feed?guard=a-guard-of-somebody HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`
  expect((await exchange(url, [text])).statuses).toEqual([401])
})

test('a TLS server answers over HTTP/1.1 too', async () => {
  const certificate = makeCertificate()
  await listen(createSecureServer(certificate, app))
  it.authority.attach(server)
  const { port } = server.address() as AddressInfo
  const socket = connectSecurely({
    port,
    host: '127.0.0.1',
    ca: certificate.cert,
    servername: 'localhost',
  })
  socket.write('GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')
  expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /)
  socket.destroy()
})

describe.each(['attach', 'the upgrade event'] as const)('with %s, another protocol', (way) => {
  const offer = (method: string, more = '', body = ''): string =>
    `${method} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n${more}\r\n${body}`

  beforeEach(async () => {
    await listen(createServer(app))
    if (way === 'attach') it.authority.attach(server)
    else server.on('upgrade', it.authority.feed.upgrade)
  })

  test('is ignored, and the request is answered over HTTP/1.1, on a connection that stays open', async () => {
    const second = 'GET /second HTTP/1.1\r\nHost: x\r\n\r\n'
    const { text, statuses, closedByServer } = await exchange(url, [offer('GET /first') + second])
    expect({ statuses, closedByServer }).toEqual({ statuses: [200, 200], closedByServer: false })
    expect(text).toMatch(/at \/first[^]*at \/second/)
  })

  test('is ignored with a body in several pieces', async () => {
    const parts = [offer('POST /echo', 'Content-Length: 12\r\n', 'hello '), 'world!']
    expect((await exchange(url, parts)).text).toMatch(/\r\n6\r\nhello \r\n6\r\nworld!|hello world!/)
  })

  test.each(['TLS/1.0', 'websocket', 'foo'])(
    '%s on a path of the application',
    async (protocol) => {
      const request = offer('GET /chat').replace('h2c', protocol)
      const { statuses, text } = await exchange(url, [request])
      expect(statuses).toEqual([200])
      expect(text).toContain('the application at /chat')
    },
  )

  test('h2c is also ignored beside another listener', async () => {
    server.on('upgrade', () => {})
    expect((await exchange(url, [offer('GET /first')])).statuses).toEqual([200])
  })
})
