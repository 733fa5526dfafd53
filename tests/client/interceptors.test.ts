import axios, { type AxiosInstance, type InternalAxiosRequestConfig } from 'axios'
import { createAuthRefreshInterceptor } from 'axios-auth-refresh'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { attachClient } from '../../packages/client/src/bindings/axios.ts'
import { createClient, type Client } from '../../packages/client/src/index.ts'
import { ALICE, startAuthority, type ListeningAuthority } from './world.ts'

// Its types name the CommonJS types of axios. At run time, both are the same function.
const intercept = createAuthRefreshInterceptor as unknown as (
  instance: AxiosInstance,
  refresh: () => Promise<void>,
  options: object,
) => number

let authority: ListeningAuthority
let api: AxiosInstance
/** The paths and statuses of all requests. */
let calls: string[]
beforeEach(async () => {
  authority = await startAuthority()
  api = axios.create({ baseURL: authority.url, adapter: 'http' })
  calls = []
  authority.it.clock.advanceMs(1000)
})
afterEach(() => authority[Symbol.asyncDispose]())

const untilExpired = (): void => authority.it.clock.advanceMs(400_000)
const watch = (instance: AxiosInstance): void =>
  void instance.interceptors.response.use(
    (answer) => {
      calls.push(`${answer.config.url} ${answer.status}`)
      return answer
    },
    (error: { config: InternalAxiosRequestConfig; response?: { status: number } }) => {
      calls.push(`${error.config.url} ${error.response?.status}`)
      throw error
    },
  )
const statusOf = (promise: Promise<{ status: number }>): Promise<unknown> =>
  promise.then(
    ({ status }) => status,
    (error: { response?: { status: number }; code?: string }) =>
      error.response?.status ?? error.code,
  )

describe('the axios binding', () => {
  let client: Client
  let detach: () => void
  beforeEach(async () => {
    client = createClient({ authority: authority.url, mode: 'memory' })
    watch(api)
    detach = attachClient(api, client)
    await client.login(ALICE)
  })

  test('sends the access token, and repeats calls once after one refresh', async () => {
    expect(await statusOf(api.get('/auth/me'))).toBe(200)
    untilExpired()
    calls = []
    const all = ['/auth/me', '/auth/sessions', '/auth/me', '/auth/sessions']
    expect(await Promise.all(all.map((path) => statusOf(api.get(path))))).toEqual(
      all.map(() => 200),
    )
    expect(calls.filter((call) => call.endsWith('401'))).toHaveLength(4)
    expect(calls.filter((call) => call.includes('refresh'))).toEqual([])
  })

  test('repeats a call after a step-up', async () => {
    authority.it.clock.advanceMs(11 * 60_000)
    await client.refresh()
    const demands: unknown[] = []
    client.onStepUp(async ({ maxAgeSec, password }) => {
      demands.push(maxAgeSec)
      await password(ALICE.password)
    })
    calls = []
    expect(await statusOf(api.post('/auth/factors/totp/challenge'))).toBe(200)
    expect(demands).toEqual([600])
    expect(calls).toEqual(['/auth/factors/totp/challenge 401', '/auth/factors/totp/challenge 200'])
  })

  test('repeats a call with its JSON body', async () => {
    untilExpired()
    const change = { old_password: ALICE.password, new_password: 'another long password' }
    expect(await statusOf(api.post('/auth/password', change))).toBe(200)
    expect(calls).toEqual(['/auth/password 401', '/auth/password 200'])
  })

  test('gives up when the session is over, and logs out', async () => {
    await authority.it.authority.sessions.end(client.peek()!.sid, 'test')
    expect(await statusOf(api.get('/auth/me'))).toBe(401)
    expect(calls).toEqual(['/auth/me 401'])
    expect(client.peek()).toBeNull()
  })

  test('leaves other errors, other hosts and headers of the caller alone', async () => {
    expect(await statusOf(api.get('/auth/login'))).toBe(405)
    calls = []
    const headers = { Authorization: 'Bearer bad' }
    expect(await statusOf(api.get('/auth/me', { headers }))).toBe(401)
    expect(calls).toEqual(['/auth/me 401'])
    const elsewhere = createClient({ authority: 'http://elsewhere.localhost', mode: 'memory' })
    const bare = axios.create({ baseURL: authority.url, adapter: 'http' })
    attachClient(bare, elsewhere)
    expect(await statusOf(bare.get('/auth/me'))).toBe(401)
  })

  test('does nothing after it was detached', async () => {
    detach()
    expect(await statusOf(api.get('/auth/me'))).toBe(401)
  })
})

describe('interceptors for SimpleJWT, unchanged', () => {
  /** The tokens in `localStorage`, as applications for SimpleJWT have them. */
  let tokens: { access: string; refresh: string }
  beforeEach(async () => {
    const { data } = await axios.post(`${authority.url}/api/token/`, ALICE, { adapter: 'http' })
    tokens = data as typeof tokens
    api.interceptors.request.use((config) => {
      config.headers.Authorization = `Bearer ${tokens.access}`
      return config
    })
  })

  async function renew(): Promise<void> {
    const { data } = await axios.post(
      `${authority.url}/api/token/refresh/`,
      { refresh: tokens.refresh },
      { adapter: 'http' },
    )
    tokens = { ...tokens, ...(data as object) }
  }

  // With its default, axios-auth-refresh rejects the other calls that were sent with the expired token. Without it, a
  // late 401 makes it refresh again.
  test.each([
    [1, {}],
    [10, { deduplicateRefresh: false }],
  ])(
    'axios-auth-refresh logs nobody out with %i calls at once and the options %o',
    async (count, options) => {
      let refreshes = 0
      const refresh = async (): Promise<void> => {
        refreshes += 1
        await renew()
      }
      intercept(api, refresh, options)
      for (let round = 1; round <= 3; round += 1) {
        untilExpired()
        const all = Array.from({ length: count }, () => statusOf(api.get('/auth/me')))
        expect(new Set(await Promise.all(all))).toEqual(new Set([200]))
        expect(await statusOf(api.get('/auth/me'))).toBe(200)
        expect(refreshes).toBeGreaterThanOrEqual(round)
        expect(refreshes).toBeLessThanOrEqual(round * count)
      }
    },
  )

  test('the usual interceptor of tutorials, which refreshes for each failed call', async () => {
    api.interceptors.response.use(
      (answer) => answer,
      async (error: {
        config: InternalAxiosRequestConfig & { _retry?: boolean }
        response?: { status: number }
      }) => {
        /* oxlint-disable no-underscore-dangle -- the name in the tutorials */
        const original = error.config
        if (error.response?.status !== 401 || original._retry) throw error
        original._retry = true
        await renew()
        return api(original)
      },
    )
    for (let round = 1; round <= 3; round += 1) {
      untilExpired()
      const all = Array.from({ length: 10 }, () => statusOf(api.get('/auth/me')))
      expect(new Set(await Promise.all(all))).toEqual(new Set([200]))
    }
  })
})
