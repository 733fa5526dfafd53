import { afterAll, beforeAll, expect, test } from 'vitest'

import { decide, refreshes, runAuthority, type RunningAuthority } from './support.ts'

interface Effective {
  readonly effective: {
    readonly position: number
    readonly ms: number
    readonly guards: number
    readonly confirmed: number
    readonly expired: number
  }
}

/** Connects a guard and then cuts its network: no message passes in either direction, not even a goodbye. */
async function guardCutOff(own: RunningAuthority): Promise<void> {
  let isCut = false
  const { feed } = own.authority
  await own.guard({
    feed: {
      connect(guardId, { message, ended }) {
        const line = feed.connect(guardId, {
          message: (text) => {
            if (!isCut) message(text)
          },
          ended,
        })
        return {
          send: (text) => {
            if (!isCut) line.send(text)
          },
          close: () => {
            if (!isCut) line.close()
          },
        }
      },
    },
  })
  isCut = true
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
  // Far below the 30 s after which the lease of a silent guard has expired.
  expect(effective.ms).toBeLessThan(20_000)
})

test('a polling guard does not delay a logout right after another', async () => {
  await it.guard({ feed: { ...it.feed, transport: 'polling' } })
  const took: number[] = []
  // A busy machine may delay some of them. A logout that waits for the next poll is late each time.
  while (took.length < 10 && Math.min(...took) >= 700) {
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

  // The session has already ended, so the second request revokes nothing and does not wait.
  const again = await it.login('carol')
  const gone = await it.login('carol')
  const { sid } = JSON.parse(
    Buffer.from(gone.access.split('.')[1] ?? '', 'base64url').toString(),
  ) as { sid: string }
  const end = (): Promise<Response> =>
    fetch(`${it.url}/auth/sessions/${sid}?wait=effective`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${again.access}`, connection: 'close' },
    })
  expect((await end()).status).toBe(200)
  expect((await end()).status).toBe(204)
})

// `?wait=effective` of these would hold a connection for as long as a cut-off guard has its lease.
test('a request that revokes nothing is answered at once, and shows no number of guards', async () => {
  await using own = await runAuthority()
  const asked: string[] = []
  const { feed } = own.authority
  const guard = await own.guard({
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
  await guardCutOff(own)
  const { refresh } = await own.login('frank')
  // Somebody else's entry, which the closed guard never confirms.
  await own.post('/api/token/blacklist/', { refresh })

  const basic = Buffer.from(`${own.feed.clientId}:${own.feed.clientSecret}`).toString('base64')
  const send = (path: string, headers: Record<string, string>, body?: URLSearchParams) =>
    fetch(`${own.url}${path}?wait=effective`, {
      method: 'POST',
      headers: { connection: 'close', ...headers },
      ...(body === undefined ? {} : { body }),
    })
  const fromPage = { 'sec-fetch-site': 'same-origin' }
  const startedAt = performance.now()
  const noSession = await send('/auth/logout', fromPage)
  const badCookie = await send('/auth/logout', { ...fromPage, cookie: 'countersign_refresh=x' })
  for (const answer of [noSession, badCookie]) {
    expect([answer.status, await answer.text()]).toEqual([204, ''])
  }
  for (const token of ['nothing', refresh]) {
    const body = new URLSearchParams({ token })
    const answer = await send('/oauth2/revoke', { authorization: `Basic ${basic}` }, body)
    expect([answer.status, await answer.text()]).toEqual([200, ''])
  }
  expect((await send('/auth/sessions/end-all', {})).status).toBe(401)
  expect(performance.now() - startedAt).toBeLessThan(25_000)
  expect(asked).toEqual([])
  expect(guard.isFresh('strict')).toBe(true)
})

test.each(['cut off', 'of the previous process'])(
  'a server that stops does not claim that a revocation is in force at a guard %s',
  async (which) => {
    await using own = await runAuthority()
    if (which === 'cut off') {
      await guardCutOff(own)
    } else {
      await own.guard()
      await own.stop()
      await own.start()
    }
    const { refresh } = await own.login('grace')
    const asking = own.post('/api/token/blacklist/?wait=effective', { refresh })
    // The logout is stored, and its answer waits.
    await expect.poll(() => refreshes(own, refresh)).toBe(401)
    await own.stop()
    const answer = await asking
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
    const body: unknown = await answer.json()
    expect(body).toMatchObject({ code: 'wait_interrupted' })
    expect(body).not.toHaveProperty('effective')
    await own.start()
  },
)

test('a refused logout does not wait', async () => {
  const response = await it.post('/api/token/blacklist/?wait=effective', { refresh: 'none' })
  expect(response.status).toBe(401)
})

// Both wait for half a minute, so they run together, each with its own authority.
test.concurrent('a wait includes a disconnected guard until its lease has expired', async () => {
  await using own = await runAuthority()
  await guardCutOff(own)
  const { refresh } = await own.login('bob')
  const response = await own.post('/api/token/blacklist/?wait=effective', { refresh })
  const { effective } = (await response.json()) as Effective
  expect(effective.expired).toBe(1)
  expect(effective.ms).toBeGreaterThan(25_000)
})

test.concurrent('after a restart a wait includes the unknown guards of the previous process', async () => {
  await using own = await runAuthority()
  await own.guard()
  await own.stop()
  await own.start()
  const { refresh } = await own.login('erin')
  const response = await own.post('/api/token/blacklist/?wait=effective', { refresh })
  const { effective } = (await response.json()) as Effective
  expect(effective.ms).toBeGreaterThan(20_000)
})
