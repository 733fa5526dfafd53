import { afterAll, beforeAll, expect, test } from 'vitest'

import { decide, runAuthority, type RunningAuthority } from './support.ts'

interface Effective {
  readonly effective: {
    readonly position: number
    readonly ms: number
    readonly guards: number
    readonly confirmed: number
    readonly expired: number
  }
}

let it: RunningAuthority
beforeAll(async () => {
  it = await runAuthority()
  await it.guard()
})
afterAll(() => it[Symbol.asyncDispose]())

test('a logout with wait=effective is answered soon, and every guard then refuses the session', async () => {
  const guards = [
    await it.guard(),
    await it.guard({ feed: { ...it.feed, transport: 'polling' } }),
    await it.guard({ feed: it.authority.feed }),
  ]
  const { access, refresh } = await it.login('alice')
  for (const guard of guards) expect(decide(guard, access)).toBe('ok')
  const response = await it.post('/api/token/blacklist/?wait=effective', { refresh })
  // Checks at this moment, without waiting.
  for (const guard of guards) expect(decide(guard, access)).toBe('session_ended')
  const { effective } = (await response.json()) as Effective
  expect(effective).toMatchObject({ guards: 4, confirmed: 4, expired: 0 })
  expect(effective.ms).toBeLessThan(2_000)
})

test('a polling guard does not delay a logout right after another', async () => {
  await it.guard({ feed: { ...it.feed, transport: 'polling' } })
  const took: number[] = []
  for (let times = 0; times < 3; times++) {
    const [first, second] = [await it.login('dora'), await it.login('dora')]
    await it.post('/api/token/blacklist/', { refresh: first.refresh })
    const response = await it.post('/api/token/blacklist/?wait=effective', {
      refresh: second.refresh,
    })
    const { effective } = (await response.json()) as Effective
    expect(effective.expired).toBe(0)
    took.push(effective.ms)
  }
  // Each poll waits one second for news.
  expect(Math.min(...took)).toBeLessThan(700)
})

test('every operation that revokes something can wait, and its answer keeps its members', async () => {
  const guard = await it.guard()
  const login = async (): Promise<{ access: string; refresh: string }> => it.login('carol')
  const asked = async (
    path: string,
    token: string,
    init: RequestInit = {},
  ): Promise<Effective & { access?: string }> => {
    const response = await fetch(`${it.url}${path}?wait=effective`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, connection: 'close' },
      ...init,
    })
    expect(response.status).toBe(200)
    return (await response.json()) as Effective & { access?: string }
  }
  const basic = Buffer.from(`${it.feed.clientId}:${it.feed.clientSecret}`).toString('base64')
  const revoked = await login()
  const revoking = await asked('/oauth2/revoke', '', {
    headers: { authorization: `Basic ${basic}`, connection: 'close' },
    body: new URLSearchParams({ token: revoked.access }),
  })
  expect(revoking.effective.expired).toBe(0)
  expect(decide(guard, revoked.access)).toBe('token_stale')

  const [own, other] = [await login(), await login()]
  const ended = await asked('/auth/sessions/end-others', own.access)
  expect(ended.effective.expired).toBe(0)
  expect(decide(guard, other.access)).toBe('session_ended')
  expect(decide(guard, own.access)).toBe('session_ended')
  expect(decide(guard, ended.access ?? '')).toBe('ok')

  const last = await login()
  const all = await asked('/auth/sessions/end-all', ended.access ?? '')
  expect(all).toEqual({ effective: expect.objectContaining({ expired: 0 }) })
  expect(decide(guard, last.access)).toBe('session_ended')

  const leaving = await login()
  const left = await asked('/auth/logout', leaving.access)
  expect(left).toEqual({ effective: expect.objectContaining({ expired: 0 }) })
  expect(decide(guard, leaving.access)).toBe('session_ended')

  // Without a session, the request only waits for earlier revocations.
  const nobody = await fetch(`${it.url}/auth/logout?wait=effective`, {
    method: 'POST',
    headers: { 'sec-fetch-site': 'same-origin', connection: 'close' },
  })
  expect(await nobody.json()).toEqual({ effective: expect.objectContaining({ expired: 0 }) })
})

test('waiting for a position that has long been in force costs the guards nothing', async () => {
  const asked: string[] = []
  const { feed } = it.authority
  const guard = await it.guard({
    feed: {
      connect: (guardId, { message, ended }) =>
        feed.connect(guardId, {
          message: (text) => {
            if (text.includes('"confirm"')) asked.push(text)
            message(text)
          },
          ended,
        }),
    },
  })
  const ask = (): Promise<Response> =>
    fetch(`${it.url}/auth/logout?wait=effective`, {
      method: 'POST',
      headers: { 'sec-fetch-site': 'same-origin', connection: 'close' },
    })
  expect((await ask()).status).toBe(200)
  // Each guard has reported its position with its next request.
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  asked.length = 0
  for (let count = 0; count < 20; count++) expect((await ask()).status).toBe(200)
  expect(asked).toEqual([])
  expect(guard.isFresh('strict')).toBe(true)
})

test('a refused logout does not wait', async () => {
  const response = await it.post('/api/token/blacklist/?wait=effective', { refresh: 'none' })
  expect(response.status).toBe(401)
})

// Both wait for half a minute, so they run together, each with its own authority.
test.concurrent('a wait includes a disconnected guard until its lease has expired', async () => {
  await using own = await runAuthority()
  const guard = await own.guard()
  guard.close()
  const { refresh } = await own.login('bob')
  const response = await own.post('/api/token/blacklist/?wait=effective', { refresh })
  const { effective } = (await response.json()) as Effective
  expect(effective.expired).toBe(1)
  expect(effective.ms).toBeGreaterThan(25_000)
  expect(effective.ms).toBeLessThan(31_000)
}, 60_000)

test.concurrent('after a restart a wait includes the unknown guards of the previous process', async () => {
  await using own = await runAuthority()
  await own.guard()
  await own.stop()
  await own.start()
  const { refresh } = await own.login('erin')
  const response = await own.post('/api/token/blacklist/?wait=effective', { refresh })
  const { effective } = (await response.json()) as Effective
  expect(effective.ms).toBeGreaterThan(20_000)
  expect(effective.ms).toBeLessThan(31_000)
}, 60_000)
