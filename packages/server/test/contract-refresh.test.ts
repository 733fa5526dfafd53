import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { openTestAuthority, PASSWORD, type Pair, type TestAuthority } from './support/authority.ts'
import {
  ask,
  askJson,
  expectAnswer,
  expectContractHeaders,
  FORM_TYPE,
  said,
} from './support/contract.ts'
import { claimsOf, compact, headerOf, openForge, signHs256, type Forge } from './support/forge.ts'

const PATH = '/api/token/refresh/'
const DAY_MS = 86_400_000

let it: TestAuthority
let forge: Forge
let pair: Pair
let claims: Record<string, unknown>
beforeAll(async () => {
  it = await openTestAuthority()
  forge = await openForge(it.dataDir)
})
afterAll(() => it[Symbol.asyncDispose]())
beforeEach(async () => {
  pair = await it.login()
  claims = claimsOf(pair.refresh)
})

async function refuses(refresh: string, body: string): Promise<void> {
  expectAnswer(await askJson(it, PATH, { refresh }), 401, body)
}

async function refreshes(refresh: string): Promise<Pair> {
  const answer = await askJson(it, PATH, { refresh })
  expect(answer.text).toMatch(/^\{"access":"[\w.-]+","refresh":"[\w.-]+"\}$/)
  expect(answer.status).toBe(200)
  expectContractHeaders(answer)
  const { access, refresh: next }: Partial<Pair> = JSON.parse(answer.text)
  return { access: access!, refresh: next! }
}

test('returns the next pair of tokens, the access token first', async () => {
  const next = await refreshes(pair.refresh)
  expect(claimsOf(next.refresh)).toMatchObject({
    sid: claims['sid'],
    gen: 1,
    user_id: claims['sub'],
  })
  expect(claimsOf(next.refresh)['jti']).not.toBe(claims['jti'])
  await refreshes(next.refresh)
})

describe('accepts the token', () => {
  test('as a form', async () => {
    const body = new URLSearchParams({ refresh: pair.refresh }).toString()
    expect((await ask(it, PATH, { type: FORM_TYPE, body })).status).toBe(200)
  })
  test('with white space around it', async () => {
    await refreshes(` ${pair.refresh}\r\n`)
  })
  test('without the slash at the end', async () => {
    expect((await askJson(it, '/api/token/refresh', { refresh: pair.refresh })).status).toBe(200)
  })
  test('with any Authorization header', async () => {
    const body = JSON.stringify({ refresh: pair.refresh })
    const headers = { authorization: 'Bearer x.y.z' }
    expect((await ask(it, PATH, { headers, body })).status).toBe(200)
  })
})

test('without rotation returns only an access token, and the refresh token stays valid', async () => {
  await using fixed = await openTestAuthority({ rotateRefresh: false })
  const { refresh } = await fixed.login()
  for (let times = 0; times < 3; times += 1) {
    const answer = await askJson(fixed, PATH, { refresh })
    expect(answer.status).toBe(200)
    expect(answer.text).toMatch(/^\{"access":"[\w.-]+"\}$/)
    expectContractHeaders(answer)
    fixed.clock.advanceMs(60_000)
  }
  expectAnswer(await askJson(fixed, '/api/token/blacklist/', { refresh }), 200, '{}')
  expectAnswer(await askJson(fixed, PATH, { refresh }), 401, said.blacklisted)
})

describe('says that the token is invalid', () => {
  const invalid = (make: () => string) => () => refuses(make(), said.invalid)

  test.each(['x', '.', '..', 'a.b', 'a.b.c', 'a.b.c.d', '{}', 'null', 'eyJhbGciOiJub25lIn0.e30.'])(
    'garbage: %s',
    (garbage) => refuses(garbage, said.invalid),
  )
  test('a number', async () => {
    expectAnswer(await ask(it, PATH, { body: '{"refresh":12345}' }), 401, said.invalid)
  })
  test(
    '12,000 characters',
    invalid(() => 'a'.repeat(12_000)),
  )
  test(
    'a signature cut short',
    invalid(() => pair.refresh.slice(0, -2)),
  )
  test(
    'a signature of another token',
    invalid(() => withSignature(pair.refresh, pair.access)),
  )
  test(
    'padding after the signature',
    invalid(() => `${pair.refresh}=`),
  )
  test(
    'an inner line break',
    invalid(() => pair.refresh.replace('.', '.\n')),
  )
  test.each(['none', 'None', 'NONE', 'nOnE', '', 'HS384', 'ES256', 'RS256'])(
    'alg %s without a signature',
    (alg) => {
      const bare = compact({ ...headerOf(pair.refresh), alg }, claims, () => new Uint8Array())
      return refuses(bare, said.invalid)
    },
  )
  test(
    'another algorithm over the right key',
    invalid(() => forge.refresh(claims, { alg: 'HS512' })),
  )
  test(
    'another key',
    invalid(() => resign(claims, 'another secret of some length')),
  )
  test(
    'an empty key',
    invalid(() => resign(claims, '')),
  )
  test(
    'another kid',
    invalid(() => forge.refresh(claims, { kid: 'x' })),
  )
  test(
    'no kid',
    invalid(() => forge.refresh(claims, { kid: undefined })),
  )
  test(
    'a path for a kid',
    invalid(() => forge.refresh(claims, { kid: '../../dev/null' })),
  )
  test(
    'another typ',
    invalid(() => forge.refresh(claims, { typ: 'JWT' })),
  )
  test(
    'no typ',
    invalid(() => forge.refresh(claims, { typ: undefined })),
  )
  test(
    'an extension',
    invalid(() => forge.refresh(claims, { crit: ['exp'] })),
  )
  test(
    'signed with the key for access tokens',
    invalid(() => forge.access(claims, { typ: 'rt+jwt' })),
  )
  test(
    'another issuer',
    invalid(() => forge.refresh({ ...claims, iss: 'http://evil.test' })),
  )
  test(
    'no issuer',
    invalid(() => forge.refresh({ ...claims, iss: undefined })),
  )
  test(
    'an audience',
    invalid(() => forge.refresh({ ...claims, aud: claims['iss'] })),
  )
  test(
    'iat further in the future than the tolerance for a clock that was set back',
    invalid(() => forge.refresh({ ...claims, iat: nowSec() + 61 })),
  )
  test(
    'nbf in the future',
    invalid(() => forge.refresh({ ...claims, nbf: nowSec() + 1 })),
  )
  test(
    'a text for exp',
    invalid(() => forge.refresh({ ...claims, exp: '9999999999' })),
  )
  test(
    'an infinite exp',
    invalid(() => forge.refresh({ ...claims, exp: 1e300 })),
  )
  test(
    'no session',
    invalid(() => forge.refresh({ ...claims, sid: undefined })),
  )
  test(
    'an unknown session',
    invalid(() => forge.refresh({ ...claims, sid: 'A'.repeat(22) })),
  )
  test(
    'a list for a session',
    invalid(() => forge.refresh({ ...claims, sid: [claims['sid']] })),
  )
  test.each([-1, 0.5, '0', null, 2 ** 53])('the generation %s', (gen) =>
    refuses(forge.refresh({ ...claims, gen }), said.invalid),
  )
  test(
    'a forged jti',
    invalid(() => forge.refresh({ ...claims, jti: '0'.repeat(32) })),
  )
  test(
    'the jti of another generation',
    invalid(() => forge.refresh({ ...claims, gen: 1 })),
  )

  test('and after all of these the session still works', async () => {
    await refuses(forge.refresh({ ...claims, gen: 5 }), said.invalid)
    await refreshes(pair.refresh)
  })
})

describe('tells apart', () => {
  test('a token without exp', () =>
    refuses(forge.refresh({ ...claims, exp: undefined }), said.noExp))
  test('a token without jti', () =>
    refuses(forge.refresh({ ...claims, jti: undefined }), said.noId))
  test('a token without token_type', () =>
    refuses(forge.refresh({ ...claims, token_type: undefined }), said.noType))
  test('a token with another token_type', () =>
    refuses(forge.refresh({ ...claims, token_type: 'access' }), said.wrongType))
  test('naming the first missing claim in the order exp, jti, token_type', async () => {
    const none = { ...claims, exp: undefined, jti: undefined, token_type: undefined }
    await refuses(forge.refresh(none), said.noExp)
    await refuses(forge.refresh({ ...none, exp: claims['exp'] }), said.noId)
  })
  test('an access token', () => refuses(pair.access, said.wrongType))
  test('an access token that has expired', async () => {
    it.clock.advanceMs(300_000)
    await refuses(pair.access, said.expired)
  })
  test('an access token with a wrong signature', () =>
    refuses(withSignature(pair.access, pair.refresh), said.invalid))
})

test('accepts a token without user_id or with a number as user_id', async () => {
  await refreshes(forge.refresh({ ...claims, user_id: undefined }))
  const { refresh } = await it.login()
  await refreshes(forge.refresh({ ...claimsOf(refresh), user_id: 1 }))
})

test('says that a token is expired from the second of its exp on', async () => {
  it.clock.advanceMs(14 * DAY_MS - 1)
  const other = await it.login()
  const last = await refreshes(pair.refresh)
  expect(claimsOf(last.refresh)['gen']).toBe(1)
  it.clock.advanceMs(14 * DAY_MS)
  await refuses(other.refresh, said.expired)
})

describe('says that a token is blacklisted', () => {
  test('after a logout', async () => {
    await askJson(it, '/api/token/blacklist/', { refresh: pair.refresh })
    await refuses(pair.refresh, said.blacklisted)
  })

  test('when it was used before, and then its successor too', async () => {
    const next = await refreshes(pair.refresh)
    it.clock.advanceMs(10_000)
    await refuses(pair.refresh, said.blacklisted)
    await refuses(next.refresh, said.blacklisted)
  })

  test('after the password was changed', async () => {
    await it.authority.accounts.setPassword('alice', PASSWORD, 'test')
    await refuses(pair.refresh, said.blacklisted)
  })

  test('but not after its exp, because expiry is reported first', async () => {
    await askJson(it, '/api/token/blacklist/', { refresh: pair.refresh })
    it.clock.advanceMs(14 * DAY_MS)
    await refuses(pair.refresh, said.expired)
  })
})

test('finds no active account for the token of a disabled account', async () => {
  await it.authority.accounts.disable('alice', 'test')
  await refuses(pair.refresh, said.noAccount)
  await it.authority.accounts.enable('alice', 'test')
  await refuses(pair.refresh, said.blacklisted)
})

function nowSec(): number {
  return Math.floor(it.clock.nowMs() / 1000)
}

function withSignature(token: string, other: string): string {
  return [...token.split('.').slice(0, 2), other.split('.')[2]].join('.')
}

function resign(body: object, secret: string): string {
  return compact(headerOf(pair.refresh), body, (input) => signHs256(input, secret))
}
