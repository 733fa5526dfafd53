import { afterEach, expect, test } from 'vitest'

import { startServerProcess, ADMIN } from '../../packages/server/test/support/server-process.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import { createServiceAccount, Service } from './service.ts'
import { runAuthority, type RunningAuthority } from './support.ts'

const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each[Symbol.asyncDispose]()
})

function use<T extends AsyncDisposable>(each: T): T {
  open.push(each)
  return each
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function logOut(it: RunningAuthority, refresh: string): Promise<void> {
  expect((await it.post('/api/token/blacklist/', { refresh })).status).toBe(200)
}

test('a feed that a proxy cuts: strict routes refuse after 3 s, bounded routes continue, and all recover', async () => {
  const it = use(await runAuthority())
  const proxy = use(await TcpProxy.start(Number(new URL(it.url).port)))
  const feed = { ...it.feed, url: `http://127.0.0.1:${proxy.port}` }
  const service = use(await Service.start({ issuer: it.url, feed }))
  const gone = await it.login('alice')
  const honest = await it.login('bob')
  expect(await service.verify(gone.access, 'strict')).toBe('ok')

  await proxy.cut('silence')
  await logOut(it, gone.refresh)
  await sleep(3_200)
  expect(await service.verify(gone.access, 'strict')).toBe('revocations_unavailable')
  expect(await service.verify(honest.access, 'strict')).toBe('revocations_unavailable')
  expect(await service.verify(honest.access, 'bounded')).toBe('ok')

  await proxy.restore()
  await expect.poll(() => service.verify(honest.access, 'strict')).toBe('ok')
  expect(await service.verify(gone.access, 'strict')).toBe('session_ended')
})

test('a guard that was stopped and continued refuses the tokens that were revoked in the meantime', async () => {
  const it = use(await runAuthority())
  const service = use(await Service.start({ issuer: it.url, feed: it.feed }))
  const gone = await it.login('alice')
  const honest = await it.login('bob')
  expect(await service.verify(gone.access, 'strict')).toBe('ok')
  service.signal('SIGSTOP')
  await logOut(it, gone.refresh)
  await sleep(3_500)
  // The request is the first event that it handles when it continues.
  const asked = service.verify(gone.access, 'strict')
  service.signal('SIGCONT')
  expect(['session_ended', 'revocations_unavailable']).toContain(await asked)
  await expect.poll(() => service.verify(honest.access, 'strict')).toBe('ok')
  expect(await service.verify(gone.access, 'strict')).toBe('session_ended')
})

test('revocations that the authority confirmed before it was killed are in force after its restart', async () => {
  const first = await startServerProcess()
  const port = Number(new URL(first.url).port)
  const issuer = `http://localhost:${port}`
  const feed = createServiceAccount(first.dataDir)
  const service = use(await Service.start({ issuer, feed }))
  const post = async (path: string, body: object): Promise<Record<string, string>> => {
    const response = await fetch(`${first.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify(body),
    })
    return (await response.json()) as Record<string, string>
  }
  const gone = await post('/api/token/', ADMIN)
  const honest = await post('/api/token/', ADMIN)
  expect(await service.verify(String(gone['access']), 'strict')).toBe('ok')

  await post('/api/token/blacklist/', { refresh: gone['refresh'] })
  await first.stop('SIGKILL')
  await sleep(3_200)
  expect(await service.verify(String(honest['access']), 'strict')).toBe('revocations_unavailable')
  use(await startServerProcess({ dataDir: first.dataDir, port }))
  await expect.poll(() => service.verify(String(honest['access']), 'strict')).toBe('ok')
  expect(await service.verify(String(gone['access']), 'strict')).toBe('session_ended')
})
