import { generateKeyPairSync } from 'node:crypto'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { createGuard, type Guard, type GuardOptions } from '../src/index.ts'
import { createTestKey, TestIssuer } from './support/issuer.ts'

let issuer: TestIssuer
let guard: Guard
let notices: string[]
const nowSec = Math.floor(Date.now() / 1000)

/** Starts a guard with the clock of this machine, and drops the notice that it has no feed. */
async function start(options: Partial<GuardOptions> = {}): Promise<void> {
  guard = createGuard({ issuer: issuer.url, onNotice: (text) => notices.push(text), ...options })
  await guard.ready()
  expect(notices.shift()).toMatch(/^This guard has no revocation feed/)
}

function token(claims: object = {}, key = issuer.key): string {
  return issuer.token({ iat: nowSec, exp: nowSec + 300, ...claims }, {}, key)
}

beforeEach(async () => {
  issuer = await new TestIssuer().start()
  notices = []
})

afterEach(async () => {
  guard.close()
  await issuer.stop()
})

test('a guard that is set up correctly has nothing to report', async () => {
  await start()
  expect(guard.verify(token())).toMatchObject({ ok: true })
  expect(guard.verify(token({ aud: 'another' }))).toMatchObject({ reason: 'audience_mismatch' })
  expect(notices).toEqual([])
})

test('a slash too many in issuer is reported once', async () => {
  await start({ issuer: `${issuer.url}/`, audience: issuer.url })
  for (let count = 0; count < 3; count++) {
    expect(guard.verify(token())).toMatchObject({ reason: 'issuer_mismatch' })
  }
  expect(notices).toEqual([
    expect.stringMatching(/issuer of this guard is ".*\/", .* only in the slash at the end/),
  ])
})

test('a wrong audience is reported once, with both values', async () => {
  await start({ audience: 'https://api.example.com' })
  for (let count = 0; count < 3; count++) {
    expect(guard.verify(token())).toMatchObject({ reason: 'audience_mismatch' })
  }
  expect(notices).toEqual([
    expect.stringContaining(
      `is "https://api.example.com", but the authority's tokens have the audience "${issuer.url}"`,
    ),
  ])
})

test('a token that the authority has not signed causes no notice', async () => {
  await start({ audience: 'https://api.example.com' })
  const forged = token({ aud: 'chosen by a stranger' }, { ...createTestKey(), kid: issuer.key.kid })
  expect(guard.verify(forged)).toMatchObject({ reason: 'signature_invalid' })
  expect(notices).toEqual([])
})

test('a listener of notices that throws changes no answer', async () => {
  guard = createGuard({
    issuer: issuer.url,
    audience: 'other',
    onNotice: (text) => {
      if (!text.startsWith('This guard has no')) throw new Error('of the application')
    },
  })
  await guard.ready()
  expect(guard.verify(token())).toMatchObject({ reason: 'audience_mismatch' })
})

test.each([
  [3_600_000, '3600 s ahead of'],
  [-3_600_000, '3600 s behind'],
])('a clock that is %i ms wrong is reported without the feed too', async (ms, how) => {
  await start({ clock: () => Date.now() + ms })
  expect(notices).toEqual([
    expect.stringMatching(
      new RegExp(`^The clock of this service is (${how}|3\\d{3} s .*) the clock`),
    ),
  ])
})

describe('keys of the key set that cannot be used', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }
  const published: ReadonlyArray<readonly [key: object, expected: string]> = [
    [{ ...jwk, kid: 'a+b/c=' }, '"a+b/c=": its kid is not 1 to 64 characters'],
    [{ ...jwk, kid: 'https://keys.example/1' }, '"https://keys.example/1": its kid is not'],
    [{ ...jwk, kid: 'k'.repeat(200) }, `"${'k'.repeat(80)}": its kid is not`],
    [{ ...jwk, kid: 'k1', alg: undefined }, '"k1": it has no alg'],
    [{ ...jwk, kid: 'k2', alg: 'ES256K' }, '"k2": its alg is not supported'],
    [{ ...jwk, kid: undefined }, 'a key: it has no kid'],
    [{ ...jwk, kid: 'k3', d: 'AAAA' }, '"k3": it is a secret or private key'],
    [{ ...jwk, kid: 'k4', crv: 'P-384' }, '"k4": '],
  ]

  test.each(published)('are named, with the reason: %j', async (key, expected) => {
    issuer.answer = (_request, response) =>
      response.end(JSON.stringify({ keys: [issuer.key.jwk, key] }))
    await start()
    expect(notices).toEqual([expect.stringContaining(expected)])
    expect(guard.verify(token())).toMatchObject({ ok: true })
  })

  test('two different keys with the same kid are named, and one key twice is not', async () => {
    const { jwk: first } = issuer.key
    issuer.answer = (_request, response) =>
      response.end(JSON.stringify({ keys: [first, { ...first }, { ...jwk, kid: issuer.key.kid }] }))
    await start()
    expect(notices).toEqual([expect.stringContaining('another key before it has the same kid')])
  })

  test('that are not for signatures are not named', async () => {
    issuer.answer = (_request, response) =>
      response.end(JSON.stringify({ keys: [issuer.key.jwk, { ...jwk, kid: 'e', use: 'enc' }] }))
    await start()
    expect(notices).toEqual([])
  })

  test('are the reason in the fault if no key is left', async () => {
    issuer.answer = (_request, response) =>
      response.end(JSON.stringify({ keys: [{ ...jwk, kid: 'k1', alg: undefined }] }))
    guard = createGuard({ issuer: issuer.url, onNotice: (text) => notices.push(text) })
    await expect(guard.ready()).rejects.toThrow('"k1": it has no alg')
  })
})
