import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { openTestAuthority, type TestAuthority } from './support/authority.ts'

let it: TestAuthority
let server: Server
let port: number
beforeEach(async () => {
  it = await openTestAuthority()
  server = createServer((_request, response) => void response.end('here'))
  // Mounted in the server of an application, as in the documentation.
  server.on('upgrade', it.authority.feed.upgrade)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await it[Symbol.asyncDispose]()
})

/** Asks for another protocol at a path that does not support it. */
async function askForUpgrade(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const upgraded = once(server, 'upgrade')
  socket.write('GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  await upgraded
  return socket
}

test('an upgrade to another protocol that is then reset does not end the process', async () => {
  for (let times = 0; times < 5; times++) (await askForUpgrade()).resetAndDestroy()
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('here')
})

test('an upgrade beside another listener is answered over HTTP after 10 s, unless it is handled', async () => {
  let handles = false
  server.on('upgrade', (_incoming, socket) => {
    if (handles) socket.on('data', (chunk) => socket.write(chunk))
  })
  const lost = await askForUpgrade()
  const answer = once(lost, 'data')
  handles = true
  const taken = await askForUpgrade()
  expect(String(await answer)).toMatch(/^HTTP\/1\.1 200 [^]*here$/)
  await new Promise((resolve) => setTimeout(resolve, 300))
  taken.write('still here')
  expect(String(await once(taken, 'data'))).toBe('still here')
})
