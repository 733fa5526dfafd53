import { createServer } from 'node:http'

import { describe, expect, test } from 'vitest'

import {
  applySetCookies,
  cookiesNamed,
  parseSetCookie,
  readCookie,
} from '../../packages/client/src/bindings/next/cookie-header.ts'
import { findDueToken, isExpiring } from '../../packages/client/src/bindings/next/due.ts'
import { refreshSession } from '../../packages/client/src/bindings/next/refresh.ts'
import { readSettings } from '../../packages/client/src/bindings/next/settings.ts'
import { shareRefreshes } from '../../packages/client/src/bindings/next/shared-refreshes.ts'
import { portOf } from '../browser/proxy.ts'
import { ALICE, startAuthority, type ListeningAuthority } from './world.ts'

// The whole binding runs in long-next.test.ts, because Next.js takes minutes to install and build.

const settings = readSettings({ authority: 'http://localhost:8000' })
const NOW = Date.UTC(2026, 10, 23, 12)

/** An access token that nobody has signed, as the binding reads it. */
function tokenWith(iat: number, exp: number): string {
  const claims = { sub: 'acct_1', sid: 's', roles: [], iat, exp, auth_time: iat }
  return `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`
}

function tokenOfLife(lifeSec: number): string {
  return tokenWith(NOW / 1000, NOW / 1000 + lifeSec)
}

describe('cookies', () => {
  test('new ones replace old ones, removed ones disappear, and all others stay as they are', () => {
    const changes = ['a=2; Path=/; Max-Age=9', 'b=; Path=/; Max-Age=0'].map(parseSetCookie)
    expect(applySetCookies('x="1 %20"; a=1; b=1;a=3; y', changes)).toBe('x="1 %20"; y; a=2')
    expect(applySetCookies(null, changes)).toBe('a=2')
  })

  test('a cookie that was sent twice is not read', () => {
    expect(readCookie('a=1; b=2', 'a')).toBe('1')
    expect(readCookie('a=1; b=2; a=3', 'a')).toBeUndefined()
    expect(cookiesNamed('a=1; aa=2; =a; a', 'a')).toEqual(['1'])
  })

  test.each([
    ['https://a.example', false, '__Host-cs_access'],
    ['https://a.example', true, '__Secure-cs_access'],
    ['http://localhost:8000', true, 'cs_access'],
  ])(
    'of %s, with a cookie domain %s, are named like those of the authority',
    (authority, cookieDomain, name) => {
      expect(readSettings({ authority, cookieDomain }).names.access).toBe(name)
    },
  )

  test.each(['', 'localhost:8000', 'ftp://a.example', '/auth'])(
    '%j is no authority',
    (authority) => {
      expect(() => readSettings({ authority })).toThrow('authority must be an http or https URL')
    },
  )
})

describe('a refresh is due', () => {
  const due = (headers: Record<string, string>): string | undefined =>
    findDueToken(new Headers(headers), settings.names, NOW)
  const expired = tokenWith(NOW / 1000 - 300, NOW / 1000)

  test('without an access token or with one that expires soon, if there is a refresh token', () => {
    expect(due({ cookie: 'cs_refresh=r' })).toBe('r')
    expect(due({ cookie: `cs_refresh=r; cs_access=${expired}` })).toBe('r')
    expect(due({ cookie: `cs_refresh=r; cs_access=${tokenOfLife(300)}` })).toBeUndefined()
    expect(due({ cookie: `cs_access=${expired}` })).toBeUndefined()
    expect(due({})).toBeUndefined()
  })

  test.each([
    ['document', 'r'],
    ['empty', 'r'],
    ['iframe', 'r'],
    ['image', undefined],
    ['script', undefined],
    ['style', undefined],
    ['font', undefined],
  ])('for a request of the kind %s: %s', (kind, token) => {
    expect(due({ cookie: 'cs_refresh=r', 'sec-fetch-dest': kind })).toBe(token)
  })

  test.each([
    ['sec-purpose', 'prefetch;prerender'],
    ['purpose', 'prefetch'],
    ['next-router-prefetch', '1'],
  ])('never for a prefetched page (%s: %s)', (name, value) => {
    expect(due({ cookie: 'cs_refresh=r', [name]: value })).toBeUndefined()
  })

  test('not if a cookie was sent twice: the authority refuses that anyway', () => {
    expect(due({ cookie: 'cs_refresh=r; cs_refresh=q' })).toBeUndefined()
    expect(due({ cookie: 'cs_refresh=r; cs_access=a; cs_access=b' })).toBeUndefined()
  })

  test.each([
    [tokenOfLife(300), 269_999, false],
    [tokenOfLife(300), 270_000, true],
    [tokenOfLife(20), 14_999, false],
    [tokenOfLife(20), 15_000, true],
    ['not a token', 0, true],
    ['h.bm8.s', 0, true],
  ])('%s after %i ms: %s', (token, afterMs, expected) => {
    expect(isExpiring(token, NOW + afterMs)).toBe(expected)
  })
})

describe('a refresh for a browser', () => {
  const browser = new Headers({ 'user-agent': 'a browser', 'x-forwarded-for': '203.0.113.9' })

  async function logIn({ url }: ListeningAuthority): Promise<string> {
    const csrf = await fetch(`${url}/auth/csrf`)
    const { csrf_token: token } = (await csrf.json()) as { csrf_token: string }
    const answer = await fetch(`${url}/auth/login`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-csrf-token': token,
        origin: 'http://localhost:8000',
        cookie: csrf.headers.getSetCookie()[0]!.split(';')[0]!,
      },
      body: JSON.stringify(ALICE),
    })
    const lines = answer.headers.getSetCookie().map(parseSetCookie)
    return lines.find(({ name }) => name === 'cs_refresh')!.value!
  }

  const valuesOf = (changes: Awaited<ReturnType<typeof refreshSession>>) =>
    Object.fromEntries(changes.map(({ name, value }) => [name, value]))

  test('gives both new cookies; a second one gets the same refresh token', async () => {
    await using authority = await startAuthority('http://localhost:8000')
    const refreshToken = await logIn(authority)
    const here = { ...settings, url: authority.url }
    const first = valuesOf(await refreshSession(here, { refreshToken, browser }))
    expect(first).toEqual({ cs_access: expect.any(String), cs_refresh: expect.any(String) })
    expect(first['cs_refresh']).not.toBe(refreshToken)
    const second = valuesOf(await refreshSession(here, { refreshToken, browser }))
    expect(second['cs_refresh']).toBe(first['cs_refresh'])
  })

  test('removes the cookies if the refresh token is not valid', async () => {
    await using authority = await startAuthority('http://localhost:8000')
    const request = { refreshToken: 'nonsense', browser }
    const changes = await refreshSession({ ...settings, url: authority.url }, request)
    expect(valuesOf(changes)).toEqual({
      cs_access: undefined,
      cs_refresh: undefined,
      cs_csrf: undefined,
    })
  })

  test.each([
    ['503', 503, '{"code":"unavailable"}'],
    ['429', 429, '{"code":"throttled"}'],
    ['a page of a proxy', 401, '<h1>Log in to the hotel</h1>'],
    ['a redirect', 302, ''],
    ['nonsense', 200, 'null'],
  ])('changes no cookie after %s', async (_, status, body) => {
    const server = createServer((_request, response) => {
      response.writeHead(status, { location: '/', 'set-cookie': 'lb=1' }).end(body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const url = `http://127.0.0.1:${portOf(server)}`
      expect(await refreshSession({ ...settings, url }, { refreshToken: 'r', browser })).toEqual([])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  test('changes no cookie if nobody answers', async () => {
    const request = { refreshToken: 'r', browser }
    expect(await refreshSession({ ...settings, url: 'http://127.0.0.1:1' }, request)).toEqual([])
  })

  test('is shared by the requests of one browser, and not with another device', async () => {
    let count = 0
    const share = shareRefreshes(async () => [parseSetCookie(`cs_refresh=${(count += 1)}`)])
    const other = new Headers({ 'user-agent': 'a thief', 'x-forwarded-for': '203.0.113.9' })
    const ask = async (refreshToken: string, from: Headers): Promise<string | undefined> =>
      (await share({ refreshToken, browser: from }))[0]?.value
    const together = await Promise.all([ask('r', browser), ask('r', browser), ask('r', browser)])
    expect(together).toEqual(['1', '1', '1'])
    expect(await ask('r', browser)).toBe('1')
    expect(await ask('r', other)).toBe('2')
    expect(await ask('q', browser)).toBe('3')
  })
})
