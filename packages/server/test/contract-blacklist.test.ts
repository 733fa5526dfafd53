import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { openTestAuthority, type Pair, type TestAuthority } from './support/authority.ts'
import { ask, askJson, expectAnswer, FORM_TYPE, said } from './support/contract.ts'
import { claimsOf, openForge, type Forge } from './support/forge.ts'
import { countStored } from './support/rows.ts'

const PATH = '/api/token/blacklist/'

let it: TestAuthority
let forge: Forge
let pair: Pair
beforeAll(async () => {
  it = await openTestAuthority()
  forge = await openForge(it.dataDir)
})
afterAll(() => it[Symbol.asyncDispose]())
beforeEach(async () => {
  pair = await it.login()
})

async function refuses(refresh: string, body: string): Promise<void> {
  const before = countStored(it.dataDir)
  expectAnswer(await askJson(it, PATH, { refresh }), 401, body)
  expect(countStored(it.dataDir)).toEqual(before)
}

test('logs out once', async () => {
  expectAnswer(await askJson(it, PATH, { refresh: pair.refresh }), 200, '{}')
  await refuses(pair.refresh, said.blacklisted)
})

test('needs no access token, and ignores an access token in the header', async () => {
  const body = JSON.stringify({ refresh: pair.refresh })
  const headers = { authorization: 'Bearer x.y.z' }
  expectAnswer(await ask(it, PATH, { headers, body }), 200, '{}')
})

test('accepts a form, white space and the path without a slash', async () => {
  const body = new URLSearchParams({ refresh: `\n${pair.refresh} ` }).toString()
  expectAnswer(await ask(it, '/api/token/blacklist', { type: FORM_TYPE, body }), 200, '{}')
})

test('accepts an older token of the session', async () => {
  const rotated = await it.post('/api/token/refresh/', { refresh: pair.refresh })
  const next = (await rotated.json()) as Pair
  it.clock.advanceMs(60_000)
  expectAnswer(await askJson(it, PATH, { refresh: pair.refresh }), 200, '{}')
  const answer = await askJson(it, '/api/token/refresh/', { refresh: next.refresh })
  expectAnswer(answer, 401, said.blacklisted)
})

test('ends this session and no other', async () => {
  const other = await it.login()
  await askJson(it, PATH, { refresh: pair.refresh })
  expect((await it.post('/api/token/refresh/', { refresh: other.refresh })).status).toBe(200)
})

describe('refuses and changes nothing', () => {
  test('an access token', () => refuses(pair.access, said.wrongType))
  test.each(['x', 'a.b.c', 'eyJhbGciOiJub25lIn0.e30.'])('garbage: %s', (garbage) =>
    refuses(garbage, said.invalid),
  )
  test('a changed token', () => refuses(pair.refresh.slice(0, -2), said.invalid))
  test('a forged jti', () =>
    refuses(forge.refresh({ ...claimsOf(pair.refresh), jti: '0'.repeat(32) }), said.invalid))
  test('an unknown session', () =>
    refuses(forge.refresh({ ...claimsOf(pair.refresh), sid: 'A'.repeat(22) }), said.invalid))
  test('a token without exp, jti or token_type', async () => {
    const claims = claimsOf(pair.refresh)
    await refuses(forge.refresh({ ...claims, exp: undefined }), said.noExp)
    await refuses(forge.refresh({ ...claims, jti: undefined }), said.noId)
    await refuses(forge.refresh({ ...claims, token_type: undefined }), said.noType)
  })
  test('an expired token', async () => {
    it.clock.advanceMs(14 * 86_400_000)
    await refuses(pair.refresh, said.expired)
  })
  test('an expired access token', async () => {
    it.clock.advanceMs(300_000)
    await refuses(pair.access, said.expired)
  })
})
