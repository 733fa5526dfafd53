import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { decide, runAuthority, type RunningAuthority } from './support.ts'

let it: RunningAuthority
beforeAll(async () => {
  it = await runAuthority()
})
afterAll(() => it[Symbol.asyncDispose]())

test.each(['websocket', 'polling', 'inside'] as const)(
  'after guard.close() nobody waits for the lease of that guard, which accepts no more tokens: %s',
  async (transport) => {
    const feed = transport === 'inside' ? it.authority.feed : { ...it.feed, transport }
    const guard = await it.guard({ feed })
    const { access, refresh } = await it.login()
    expect(decide(guard, access)).toBe('ok')
    guard.close()
    for (const policy of ['strict', 'bounded', 'open'] as const) {
      expect(guard.verify(access, { policy })).toMatchObject({ code: 'revocations_unavailable' })
    }
    expect(guard.isFresh('open')).toBe(false)
    // The goodbye of a poll is a request of its own, so the logout may overtake it. It does not wait 30 s.
    const answer = await it.post('/api/token/blacklist/?wait=effective', { refresh })
    expect(Number(answer.headers.get('countersign-effective-ms') ?? 0)).toBeLessThan(10_000)
    await expect
      .poll(async () => {
        const next = await it.login()
        const from = performance.now()
        await it.post('/api/token/blacklist/?wait=effective', { refresh: next.refresh })
        return performance.now() - from
      })
      .toBeLessThan(5_000)
  },
  20_000,
)

test('guard.close() ends the connection to a peer that has vanished', async () => {
  const toGuard: Socket[] = []
  const proxy = createServer((socket) => {
    const upstream = connect(Number(new URL(it.url).port), '127.0.0.1')
    socket.on('error', () => upstream.destroy())
    upstream.on('error', () => socket.destroy())
    socket.pipe(upstream).pipe(socket)
    toGuard.push(socket)
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const guard = await it.guard({ feed: { ...it.feed, url, transport: 'websocket' } })
  const [socket] = toGuard
  if (socket === undefined) throw new Error('the guard did not use the proxy')
  // The peer is gone: it answers nothing, not even the end of the WebSocket.
  socket.unpipe()
  socket.resume()
  const ended = once(socket, 'close')
  guard.close()
  await ended
  proxy.close()
})
