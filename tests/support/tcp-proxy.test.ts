import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { TcpProxy } from './tcp-proxy.ts'

let echo: Server
beforeAll(async () => {
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
  await once(echo, 'listening')
})
afterAll(() => echo.close())

function startProxy(): Promise<TcpProxy> {
  return TcpProxy.start((echo.address() as AddressInfo).port)
}

async function dial({ port }: TcpProxy): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function say(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const [heard] = (await once(socket, 'data')) as [Buffer]
  socket.pause() // Otherwise it drops what comes before somebody listens again.
  return heard.toString()
}

test('forwards both directions and their ends, and counts', async () => {
  await using proxy = await startProxy()
  const socket = await dial(proxy)
  expect(await say(socket, 'hello')).toBe('hello')
  expect([proxy.open, proxy.accepted]).toEqual([1, 1])
  const megabytes = Buffer.alloc(5_000_000, 'x')
  socket.end(megabytes)
  expect((await buffer(socket)).equals(megabytes)).toBe(true)
  expect(proxy.bytes).toEqual({ fromClients: 5_000_005, fromServer: 5_000_005 })
  await expect.poll(() => proxy.open).toBe(0)
})

test('a cut that refuses resets connections and refuses new ones until it is restored', async () => {
  await using proxy = await startProxy()
  const socket = await dial(proxy)
  await say(socket, 'a')
  const failed = once(socket, 'close').catch((error: unknown) => error)
  await proxy.cut('refuse')
  expect(await failed).toMatchObject({ code: 'ECONNRESET' })
  await expect(dial(proxy)).rejects.toThrow('ECONNREFUSED')
  await proxy.restore()
  expect(await say(await dial(proxy), 'b')).toBe('b')
})

test('a silent cut keeps connections open, and nothing passes until it is restored', async () => {
  await using proxy = await startProxy()
  const sockets = [await dial(proxy)]
  await say(sockets[0]!, 'a')
  await proxy.cut('silence')
  sockets.push(await dial(proxy))
  const heard: unknown[] = []
  const closed = sockets.map((socket) => {
    socket.on('data', (data) => heard.push(data))
    socket.write('b')
    return once(socket, 'close').catch(() => {})
  })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(heard).toEqual([])
  expect(sockets.map(({ readyState }) => readyState)).toEqual(['open', 'open'])
  await proxy.restore()
  await Promise.all(closed)
  expect(heard).toEqual([])
  expect(await say(await dial(proxy), 'c')).toBe('c')
})

test('slows both directions and keeps the order', async () => {
  await using proxy = await startProxy()
  const socket = await dial(proxy)
  proxy.slow(30)
  const began = performance.now()
  expect(await say(socket, 'a')).toBe('a')
  // Two ways. Timers of Node may fire a millisecond early.
  expect(performance.now() - began).toBeGreaterThan(57)
  socket.write('1')
  await expect.poll(() => proxy.bytes.fromClients).toBe(2)
  proxy.slow(0)
  socket.end('2')
  expect((await buffer(socket)).toString()).toBe('12')
})
