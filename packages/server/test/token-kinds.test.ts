import { createPublicKey, generateKeyPairSync, sign, type JsonWebKey } from 'node:crypto'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { openTestAuthority, PASSWORD, type Pair, type TestAuthority } from './support/authority.ts'
import { askToken, askWithSecret, newClient, tokenOf } from './support/clients.ts'
import { ask, askJson, said } from './support/contract.ts'
import { claimsOf, compact, headerOf, openForge, signHs256, type Forge } from './support/forge.ts'

/** The answer of each endpoint to one kind of token, in the order of `answersTo`. */
type Outcomes = readonly [refresh: string, verify: string, blacklist: string, me: string]

const nothing = [said.invalid, said.invalid, said.invalid, 'token_invalid'] as const
const OK = 'ok'

const kinds: Record<string, Outcomes> = {
  'an access token': [said.wrongType, OK, said.wrongType, OK],
  'a refresh token': [OK, OK, OK, 'token_invalid'],
  'an expired access token': [said.expired, said.expired, said.expired, 'token_expired'],
  'an expired refresh token': [said.expired, said.expired, said.expired, 'token_invalid'],
  'an access token of an ended session': [
    said.wrongType,
    said.blacklistedField,
    said.wrongType,
    'session_ended',
  ],
  'a refresh token of an ended session': [
    said.blacklisted,
    said.blacklistedField,
    said.blacklisted,
    'token_invalid',
  ],
  'an access token of a disabled account': [
    said.wrongType,
    said.noAccount,
    said.wrongType,
    'account_disabled',
  ],
  'an access token of an account whose password changed': [
    said.wrongType,
    said.blacklistedField,
    said.wrongType,
    'session_ended',
  ],
  'a service account access token': [said.wrongType, OK, said.wrongType, 'person_required'],
  'an access token of a disabled service account': [
    said.wrongType,
    said.noAccount,
    said.wrongType,
    'person_required',
  ],
  // Tokens of another kind that are signed with the right key.
  'an access token of typ JWT': nothing,
  'an access token of typ rt+jwt': nothing,
  'an access token of typ logout+jwt': nothing,
  'an access token of typ secevent+jwt': nothing,
  'an access token without typ': nothing,
  'a refresh token of typ at+jwt': nothing,
  'a refresh token of typ JWT': nothing,
  'a refresh token without typ': nothing,
  'the claims of an access token under the refresh key': nothing,
  'the claims of an access token as a refresh token': nothing,
  'the claims of a refresh token under the access key': nothing,
  'the claims of a refresh token as an access token': nothing,
  // Classic confusions.
  'an access token with HS256 over the public key': nothing,
  'an access token with alg none': nothing,
  'an access token with the signature of another': nothing,
  'an access token that brings its key along': nothing,
  'a token of another authority': nothing,
  garbage: nothing,
  'an access token without rvp': nothing,
  'an access token without sid': nothing,
  'an access token without sid at the client of a service account': nothing,
  'an access token with a text as rvp': nothing,
  'an access token for an unknown session': [
    said.wrongType,
    said.invalid,
    said.wrongType,
    'session_unknown',
  ],
}

let it: TestAuthority
let tokens: Record<string, string>
beforeAll(async () => {
  it = await openTestAuthority()
  tokens = await makeTokens(it, await openForge(it.dataDir))
})
afterAll(() => it[Symbol.asyncDispose]())

test('each kind has a token', () => {
  expect(Object.keys(tokens).toSorted()).toEqual(Object.keys(kinds).toSorted())
})

describe.each(Object.entries(kinds))('%s', (kind, [refresh, verify, blacklist, me]) => {
  // These run first, because the last two endpoints may end the session.
  test('at /api/token/verify/', async () => {
    expect(await contractSays('/api/token/verify/', { token: tokens[kind] })).toBe(verify)
  })
  test('at /auth/me', async () => {
    const headers = { authorization: `Bearer ${tokens[kind]}` }
    const answer = await ask(it, '/auth/me', { method: 'GET', type: null, headers })
    const { code = OK }: { code?: string } = JSON.parse(answer.text)
    const refusedWith = me === 'person_required' ? 403 : 401
    const status = me === OK ? 200 : refusedWith
    expect({ code, status: answer.status }).toEqual({ code: me, status })
  })
  test('at /api/token/', async () => {
    const body = { username: tokens[kind], password: tokens[kind] }
    expect(await contractSays('/api/token/', body)).toBe(said.wrongCredentials)
  })
  test('at /api/token/refresh/', async () => {
    expect(await contractSays('/api/token/refresh/', { refresh: tokens[kind] })).toBe(refresh)
  })
  test('at /api/token/blacklist/', async () => {
    expect(await contractSays('/api/token/blacklist/', { refresh: tokens[kind] })).toBe(blacklist)
  })
  test('at /oauth2/token', async () => {
    const token = tokens[kind] ?? ''
    const id = String(claimsOfAny(token)['client_id'])
    expect((await askToken(it, { client_id: id, client_secret: token })).status).toBe(401)
    const headers = { authorization: `Bearer ${token}` }
    expect((await askToken(it, {}, { headers })).status).toBe(401)
  })
})

function claimsOfAny(token: string): Record<string, unknown> {
  return token === 'not.a.token' ? {} : claimsOf(token)
}

async function contractSays(path: string, body: unknown): Promise<string> {
  const { status, text } = await askJson(it, path, body)
  if (status === 200) return OK
  expect(status).toBe(text === said.blacklistedField ? 400 : 401)
  return text
}

async function makeTokens(own: TestAuthority, forge: Forge): Promise<Record<string, string>> {
  const old = await own.login()
  own.clock.advanceMs(15 * 86_400_000)
  const ended = await own.login()
  await own.post('/api/token/blacklist/', { refresh: ended.refresh })
  const disabled = await loginAs(own, 'carol')
  await own.authority.accounts.disable('carol', 'test')
  const changed = await loginAs(own, 'dave')
  await own.authority.accounts.setPassword('dave', `${PASSWORD} 2`, 'test')
  const service = tokenOf(await askWithSecret(own, await newClient(own)))
  const disabledService = tokenOf(await askWithSecret(own, await newClient(own, 'old')))
  await own.authority.clients.disable('old', 'test')
  await using other = await openTestAuthority()
  other.clock.advanceMs(15 * 86_400_000)
  const foreign = await other.login()

  const live = await own.login()
  const access = claimsOf(live.access)
  const refresh = claimsOf(live.refresh)
  return {
    'an access token': live.access,
    'a refresh token': live.refresh,
    'an expired access token': old.access,
    'an expired refresh token': old.refresh,
    'an access token of an ended session': ended.access,
    'a refresh token of an ended session': ended.refresh,
    'an access token of a disabled account': disabled.access,
    'an access token of an account whose password changed': changed.access,
    'a service account access token': service,
    'an access token of a disabled service account': disabledService,
    'an access token of typ JWT': forge.access(access, { typ: 'JWT' }),
    'an access token of typ rt+jwt': forge.access(access, { typ: 'rt+jwt' }),
    'an access token of typ logout+jwt': forge.access(access, { typ: 'logout+jwt' }),
    'an access token of typ secevent+jwt': forge.access(access, { typ: 'secevent+jwt' }),
    'an access token without typ': forge.access(access, { typ: undefined }),
    'a refresh token of typ at+jwt': forge.refresh(refresh, { typ: 'at+jwt' }),
    'a refresh token of typ JWT': forge.refresh(refresh, { typ: 'JWT' }),
    'a refresh token without typ': forge.refresh(refresh, { typ: undefined }),
    'the claims of an access token under the refresh key': forge.refresh(access, { typ: 'at+jwt' }),
    'the claims of an access token as a refresh token': forge.refresh(access),
    'the claims of a refresh token under the access key': forge.access(refresh, { typ: 'rt+jwt' }),
    'the claims of a refresh token as an access token': forge.access(refresh),
    'an access token with HS256 over the public key': await confuse(live.access),
    'an access token with alg none': compact(
      { ...headerOf(live.access), alg: 'none' },
      access,
      () => new Uint8Array(),
    ),
    'an access token with the signature of another': mix(live.access, ended.access),
    'an access token that brings its key along': bringKey(live.access),
    'a token of another authority': foreign.access,
    garbage: 'not.a.token',
    'an access token without sid': forge.access({ ...access, sid: undefined }),
    'an access token without sid at the client of a service account': forge.access({
      ...access,
      sid: undefined,
      client_id: claimsOf(service)['sub'],
    }),
    'an access token without rvp': forge.access({ ...access, rvp: undefined }),
    'an access token with a text as rvp': forge.access({ ...access, rvp: '0' }),
    'an access token for an unknown session': forge.access({ ...access, sid: 'A'.repeat(22) }),
  }
}

async function loginAs(own: TestAuthority, username: string): Promise<Pair> {
  await own.authority.accounts.create({ username, password: PASSWORD }, 'test')
  return (await (await own.post('/api/token/', { username, password: PASSWORD })).json()) as Pair
}

/** CVE-2015-9235: the public key, which everybody has, is used as the secret of an HMAC. */
async function confuse(token: string): Promise<string> {
  const answer = await ask(it, '/.well-known/jwks.json', { method: 'GET', type: null })
  const { keys }: { keys: [JsonWebKey] } = JSON.parse(answer.text)
  const pem = createPublicKey({ key: keys[0], format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  })
  const header = { ...headerOf(token), alg: 'HS256' }
  return compact(header, claimsOf(token), (input) => signHs256(input, pem.toString()))
}

/** CVE-2018-0114: signed with the attacker's own key, which the header contains. */
function bringKey(token: string): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const header = { ...headerOf(token), jwk: publicKey.export({ format: 'jwk' }) }
  return compact(header, claimsOf(token), (input) =>
    sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  )
}

function mix(token: string, other: string): string {
  return [...token.split('.').slice(0, 2), other.split('.')[2]].join('.')
}
