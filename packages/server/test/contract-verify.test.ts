import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { openTestAuthority, PASSWORD, type Pair, type TestAuthority } from './support/authority.ts'
import { ask, askJson, expectAnswer, FORM_TYPE, said } from './support/contract.ts'
import { claimsOf, openForge, type Forge } from './support/forge.ts'
import { countStored } from './support/rows.ts'

const PATH = '/api/token/verify/'
const DAY_MS = 86_400_000

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

async function verifies(token: string): Promise<void> {
  expectAnswer(await askJson(it, PATH, { token }), 200, '{}')
}

async function refuses(token: string, body: string): Promise<void> {
  expectAnswer(await askJson(it, PATH, { token }), 401, body)
}

test('accepts an access token and a refresh token', async () => {
  await verifies(pair.access)
  await verifies(pair.refresh)
})

test('accepts a form, white space and the path without a slash', async () => {
  const body = new URLSearchParams({ token: ` ${pair.access} ` }).toString()
  expectAnswer(await ask(it, '/api/token/verify', { type: FORM_TYPE, body }), 200, '{}')
})

describe('says that the token is', () => {
  test.each(['x', 'a.b.c', 'eyJhbGciOiJub25lIn0.e30.'])('invalid: %s', (garbage) =>
    refuses(garbage, said.invalid),
  )
  test('invalid, when it was changed', async () => {
    await refuses(pair.access.slice(0, -2), said.invalid)
    await refuses(pair.refresh.slice(0, -2), said.invalid)
  })
  test('invalid, for another issuer or audience', async () => {
    const claims = claimsOf(pair.access)
    await refuses(forge.access({ ...claims, iss: 'http://evil.test' }), said.invalid)
    await refuses(forge.access({ ...claims, aud: 'billing' }), said.invalid)
  })
  test('expired: an access token after 5 minutes, a refresh token after 14 days', async () => {
    it.clock.advanceMs(300_000 - 1)
    await verifies(pair.access)
    it.clock.advanceMs(1)
    await refuses(pair.access, said.expired)
    await verifies(pair.refresh)
    it.clock.advanceMs(14 * DAY_MS - 300_000)
    await refuses(pair.refresh, said.expired)
  })
  test('without exp', async () => {
    await refuses(forge.refresh({ ...claimsOf(pair.refresh), exp: undefined }), said.noExp)
    await refuses(forge.access({ ...claimsOf(pair.access), exp: undefined }), said.noExp)
  })
  test('without an id', async () => {
    await refuses(forge.refresh({ ...claimsOf(pair.refresh), jti: undefined }), said.noId)
    await refuses(forge.access({ ...claimsOf(pair.access), jti: undefined }), said.noId)
  })
  test('without a type, if it is a refresh token, because a refresh would refuse it', async () => {
    await refuses(forge.refresh({ ...claimsOf(pair.refresh), token_type: undefined }), said.noType)
    await verifies(forge.access({ ...claimsOf(pair.access), token_type: undefined }))
  })
  test('unknown: its session is not in the store', async () => {
    const sid = 'A'.repeat(22)
    await refuses(forge.access({ ...claimsOf(pair.access), sid }), said.invalid)
    await refuses(forge.refresh({ ...claimsOf(pair.refresh), sid }), said.invalid)
  })
  test("another account's", () =>
    refuses(forge.access({ ...claimsOf(pair.access), sub: 'acct_other' }), said.invalid))
})

describe('says with 400 that the token is blacklisted', () => {
  const blacklists = async (token: string): Promise<void> =>
    expectAnswer(await askJson(it, PATH, { token }), 400, said.blacklistedField)

  test('after a logout', async () => {
    await askJson(it, '/api/token/blacklist/', { refresh: pair.refresh })
    await blacklists(pair.refresh)
    await blacklists(pair.access)
  })
  test('after the password was changed', async () => {
    await it.authority.accounts.setPassword('alice', PASSWORD, 'test')
    await blacklists(pair.refresh)
    await blacklists(pair.access)
  })
  test('when it was rotated 10 seconds ago', async () => {
    await askJson(it, '/api/token/refresh/', { refresh: pair.refresh })
    await verifies(pair.refresh)
    it.clock.advanceMs(10_000)
    await blacklists(pair.refresh)
  })
})

test('finds no active account for the tokens of a disabled account', async () => {
  await it.authority.accounts.disable('alice', 'test')
  await refuses(pair.access, said.noAccount)
  await refuses(pair.refresh, said.noAccount)
  await it.authority.accounts.enable('alice', 'test')
})

test('changes nothing: a copied refresh token ends no session here', async () => {
  const next = await (await it.post('/api/token/refresh/', { refresh: pair.refresh })).json()
  it.clock.advanceMs(60_000)
  const before = countStored(it.dataDir)
  for (const token of [pair.refresh, pair.access, 'x']) await askJson(it, PATH, { token })
  expect(countStored(it.dataDir)).toEqual(before)
  expect((await it.post('/api/token/refresh/', next)).status).toBe(200)
})
