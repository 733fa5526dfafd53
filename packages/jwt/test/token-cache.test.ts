import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSigner, createVerifier, verifyingKeyOf, type VerifierOptions } from '../src/index.ts'
import { createTokenCache } from '../src/jwt/token-cache.ts'
import { algorithms, NOW_MS, NOW_SEC, signingKeyFor, validClaims, verifierFor } from './tokens.ts'

const key = signingKeyFor('HS256')
const signer = createSigner(key, { typ: 'at+jwt' })

/** Copies a text into a new string, as each request has its own. */
function fresh(text: string): string {
  return Buffer.from(text).toString('utf8')
}

/** Makes a caching verifier with a clock that the test sets. */
function cachingVerifier(more: Partial<VerifierOptions> = {}) {
  const time = { nowMs: NOW_MS }
  const verifier = verifierFor(key, { cacheEntriesMax: 64, clock: () => time.nowMs, ...more })
  return { time, verifier }
}

function accepted(verifier: { verify(token: string): unknown }, token: string) {
  const result = verifier.verify(fresh(token))
  // The callers pass only valid tokens.
  return result as { ok: true; claims: Record<string, unknown>; mark?: number | undefined }
}

test('a token that is used again gets the same result object', () => {
  const { verifier } = cachingVerifier()
  const token = signer.sign(validClaims({ roles: ['editor'] }))
  const first = verifier.verify(fresh(token))
  expect(first).toMatchObject({ ok: true, claims: validClaims({ roles: ['editor'] }) })
  expect(verifier.verify(fresh(token))).toBe(first)
})

test('claims that are null are remembered too', () => {
  const { verifier } = cachingVerifier()
  const token = signer.sign(validClaims({ locale: null, list: [null] }))
  expect(accepted(verifier, token).claims).toEqual(validClaims({ locale: null, list: [null] }))
  expect(verifier.verify(fresh(token))).toBe(verifier.verify(fresh(token)))
})

test('a caller cannot change the result of the next caller', () => {
  const { verifier } = cachingVerifier()
  const token = signer.sign(validClaims({ roles: ['reader'], deep: { list: [{ admin: false }] } }))
  const { claims, ...rest } = accepted(verifier, token)
  const result = accepted(verifier, token)
  const { roles, deep } = claims as { roles: string[]; deep: { list: { admin: boolean }[] } }
  const attempts = [
    () => roles.push('admin'),
    () => Object.assign(claims, { sub: 'root' }),
    () => Object.assign(deep.list[0] ?? {}, { admin: true }),
    () => delete claims['exp'],
    () => Object.setPrototypeOf(claims, { admin: true }),
    () => Object.assign(result, { claims: { sub: 'root' } }),
    () => Object.assign(result, { admin: true }),
    () => Object.defineProperty(result, 'claims', { value: {} }),
    () => Reflect.deleteProperty(result, 'ok') || fail(),
  ]
  for (const attempt of attempts) expect(attempt).toThrow()
  expect(accepted(verifier, token)).toEqual({ ...rest, claims })
  expect(accepted(verifier, token).claims).toEqual(
    validClaims({ roles: ['reader'], deep: { list: [{ admin: false }] } }),
  )
})

function fail(): never {
  throw new TypeError('It stayed.')
}

describe('the mark', () => {
  const token = signer.sign(validClaims())

  test('belongs to one token', () => {
    const { verifier } = cachingVerifier()
    const first = accepted(verifier, token)
    expect(first.mark).toBeUndefined()
    first.mark = 7
    expect(accepted(verifier, token).mark).toBe(7)
    expect(accepted(verifier, signer.sign(validClaims({ sub: 'other' }))).mark).toBeUndefined()
    expect(accepted(cachingVerifier().verifier, token).mark).toBeUndefined()
  })

  test('has no effect without a cache', () => {
    const verifier = verifierFor(key)
    accepted(verifier, token).mark = 7
    expect(accepted(verifier, token).mark).toBeUndefined()
  })

  test('is lost when the token is evicted, so that it is checked again', () => {
    const { verifier } = cachingVerifier({ cacheEntriesMax: 8 })
    accepted(verifier, token).mark = 7
    for (let at = 0; at < 8; at++) accepted(verifier, signer.sign(validClaims({ at })))
    expect(accepted(verifier, token).mark).toBeUndefined()
  })
})

describe('times are checked at every use', () => {
  test.each([
    ['exp', { exp: NOW_SEC + 10 }, {}, 10_000, 'token_expired'],
    ['exp with a tolerance', { exp: NOW_SEC + 10 }, { toleranceSec: 5 }, 15_000, 'token_expired'],
    ['exp with a fraction', { exp: NOW_SEC + 0.5 }, {}, 500, 'token_expired'],
    ['maxAgeSec', {}, { maxAgeSec: 60 }, 60_000, 'token_too_old'],
    ['maxAgeSec, tolerance', {}, { maxAgeSec: 60, toleranceSec: 5 }, 65_000, 'token_too_old'],
  ])('%s', (_name, claims, options, endMs, code) => {
    const { time, verifier } = cachingVerifier(options)
    const token = signer.sign(validClaims(claims))
    const first = verifier.verify(token)
    time.nowMs = NOW_MS + endMs - 1
    expect(verifier.verify(fresh(token))).toBe(first)
    time.nowMs = NOW_MS + endMs
    expect(verifier.verify(fresh(token))).toEqual({ ok: false, code })
    time.nowMs = NOW_MS
    expect(verifier.verify(fresh(token))).toBe(first)
  })

  test.each([
    ['nbf', { nbf: NOW_SEC - 10, iat: undefined }, 0, -10_000, 'token_not_yet_valid'],
    ['nbf, tolerance', { nbf: NOW_SEC - 1, iat: undefined }, 5, -6000, 'token_not_yet_valid'],
    ['iat', { iat: NOW_SEC - 1 }, 0, -1000, 'token_issued_in_future'],
    ['iat, tolerance', { iat: NOW_SEC }, 5, -5000, 'token_issued_in_future'],
  ])('%s, when the clock steps back', (_name, claims, toleranceSec, startMs, code) => {
    const { time, verifier } = cachingVerifier({ toleranceSec })
    const token = signer.sign(validClaims(claims))
    const first = verifier.verify(token)
    time.nowMs = NOW_MS + startMs
    expect(verifier.verify(fresh(token))).toBe(first)
    time.nowMs = NOW_MS + startMs - 1
    expect(verifier.verify(fresh(token))).toEqual({ ok: false, code })
  })

  test('a clock that returns NaN throws for a cached token too', () => {
    const { time, verifier } = cachingVerifier()
    const token = signer.sign(validClaims())
    verifier.verify(token)
    time.nowMs = Number.NaN
    expect(() => verifier.verify(fresh(token))).toThrow(TypeError)
  })
})

test('a refusal is not remembered: a token passes once it is valid', () => {
  const { time, verifier } = cachingVerifier()
  const token = signer.sign(validClaims({ nbf: NOW_SEC + 1 }))
  expect(verifier.verify(fresh(token))).toEqual({ ok: false, code: 'token_not_yet_valid' })
  time.nowMs += 1000
  expect(verifier.verify(fresh(token)).ok).toBe(true)
})

test('two verifiers share nothing, with another audience or another key with the same kid', () => {
  const token = signer.sign(validClaims())
  const { verifier } = cachingVerifier()
  expect(verifier.verify(token).ok).toBe(true)
  const others = {
    audience_mismatch: cachingVerifier({ audience: 'B' }).verifier,
    issuer_mismatch: cachingVerifier({ issuer: 'J' }).verifier,
    typ_mismatch: cachingVerifier({ typ: 'rt+jwt' }).verifier,
    key_unknown: cachingVerifier({ keys: verifyingKeyOf(signingKeyFor('ES256')) }).verifier,
  }
  for (const [code, other] of Object.entries(others)) {
    expect(other.verify(fresh(token))).toMatchObject({ ok: false, code })
  }
  expect(cachingVerifier().verifier.verify(fresh(token))).not.toBe(verifier.verify(fresh(token)))
})

describe.each(algorithms)('%s', (alg) => {
  const signingKey = signingKeyFor(alg)
  const token = createSigner(signingKey, { typ: 'at+jwt' }).sign(validClaims())
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

  test('a flood of other spellings does not pass and evicts nothing', () => {
    const verifier = verifierFor(signingKey, { cacheEntriesMax: 8 })
    const first = verifier.verify(fresh(token))
    expect(first.ok).toBe(true)
    const spellings = [...alphabet].map((last) => token.slice(0, -1) + last)
    for (const tail of ['=', '==', '\n', ' ', '\0', '.', 'A']) spellings.push(token + tail)
    for (let at = 0; at < token.length; at += 5) {
      const alias = String.fromCharCode(token.charCodeAt(at) + 256)
      spellings.push(token.slice(0, at) + alias + token.slice(at + 1))
    }
    for (const spelling of spellings) {
      if (spelling !== token) expect(verifier.verify(spelling).ok).toBe(false)
    }
    expect(verifier.verify(fresh(token))).toBe(first)
  })
})

test('a payload or header with the signature of another, cached token is refused', () => {
  const { verifier } = cachingVerifier()
  const [header, , signature] = signer.sign(validClaims()).split('.')
  const [, payload] = signer.sign(validClaims({ sub: 'admin' })).split('.')
  verifier.verify(signer.sign(validClaims()))
  expect(verifier.verify(`${header}.${payload}.${signature}`)).toEqual({
    ok: false,
    code: 'signature_invalid',
  })
})

test('cached and uncached verifiers return the same results, for any tokens in any order', () => {
  const tokens = [-100, 0, 5, 60].flatMap((offset) => [
    signer.sign(validClaims({ exp: NOW_SEC + offset })),
    signer.sign(validClaims({ nbf: NOW_SEC + offset, iat: undefined })),
    signer.sign(validClaims({ iat: NOW_SEC + offset, aud: offset > 0 ? 'B' : 'A' })),
  ])
  const step = fc.record({
    index: fc.nat(tokens.length - 1),
    stepMs: fc.integer({ min: -70_000, max: 70_000 }),
    change: fc.option(fc.record({ at: fc.nat(400), code: fc.nat(0x17f) }), { freq: 2 }),
  })
  const options = fc.record({
    toleranceSec: fc.constantFrom(0, 5, 60),
    cacheEntriesMax: fc.constantFrom(8, 9, 32),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), options, (steps, chosen) => {
      const { time, verifier } = cachingVerifier(chosen)
      const plain = cachingVerifier({ ...chosen, cacheEntriesMax: 0 })
      for (const { index, stepMs, change } of steps) {
        time.nowMs = NOW_MS + stepMs
        plain.time.nowMs = NOW_MS + stepMs
        const token = alter(tokens[index] ?? '', change)
        const { mark: _mark, ...answer } = { mark: undefined, ...verifier.verify(fresh(token)) }
        expect(answer).toEqual(plain.verifier.verify(token))
      }
    }),
    { numRuns: 200 },
  )
})

function alter(token: string, change: { at: number; code: number } | null): string {
  if (change === null) return token
  return token.slice(0, change.at) + String.fromCharCode(change.code) + token.slice(change.at + 1)
}

test('a value that is not a token is refused, and nothing is thrown', () => {
  const { verifier } = cachingVerifier()
  for (const token of [undefined, null, 1, {}, [], '', 'a', '.', 'a.b.c', 'x'.repeat(100_000)]) {
    expect(verifier.verify(token as string).ok).toBe(false)
  }
})

test.each([-8, 1, 7, 8.5, Number.NaN, Infinity, '64', null, 1_048_577])(
  'cacheEntriesMax %j causes a TypeError',
  (cacheEntriesMax) => {
    const valid = { keys: verifyingKeyOf(key), typ: 'at+jwt', issuer: 'I', audience: 'A' }
    expect(() => createVerifier({ ...valid, cacheEntriesMax } as never)).toThrow(TypeError)
  },
)

describe('the table', () => {
  const entry = { ok: true } as const
  const forever = { fromMs: -Infinity, untilMs: Infinity }

  test.each([
    [8, 8],
    [15, 8],
    [16, 16],
    [100, 64],
  ])('for at most %i entries holds %i and not one more', (entriesMax, size) => {
    const cache = createTokenCache<{ ok: true; at: number }>(entriesMax)
    const tokens = Array.from({ length: 1000 }, (_, at) => signer.sign({ at }))
    for (const [at, token] of tokens.entries()) {
      const each = { ok: true, at } as const
      cache.add(token, each, forever, NOW_MS)
      expect(cache.find(fresh(token))).toBe(each)
      expect(cache.timely(fresh(token), NOW_MS)).toBe(each)
    }
    expect(tokens.filter((token) => cache.find(token) !== undefined)).toHaveLength(size)
  })

  test('evicts an expired token before a valid one, and then the oldest', () => {
    const cache = createTokenCache<{ ok: true }>(8)
    const ended = { fromMs: -Infinity, untilMs: NOW_MS }
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
      cache.add(name, entry, name === 'c' ? ended : forever, NOW_MS - 1)
    }
    cache.add('i', entry, forever, NOW_MS)
    const held = () => [...'abcdefghijk'].filter((name) => cache.find(name) !== undefined).join('')
    expect(held()).toBe('abdefghi')
    cache.add('j', entry, forever, NOW_MS)
    expect(held()).toBe('bdefghij')
    cache.add('k', entry, forever, NOW_MS)
    expect(held()).toBe('defghijk')
  })

  test('compares the whole token if the hash is equal', () => {
    const cache = createTokenCache<{ ok: true }>(8)
    cache.add('header.payload.AAAAAAAAAA', entry, forever, NOW_MS)
    expect(cache.timely('header.payload.AAAAAAAAAA', NOW_MS)).toBe(entry)
    for (const other of [
      'header.payloaD.AAAAAAAAAA',
      'header.payload.BAAAAAAAAA',
      'header.payload.AAAAAAAAAB',
      'payload.AAAAAAAAAA',
    ]) {
      expect(cache.timely(other, NOW_MS)).toBeUndefined()
      expect(cache.find(other)).toBeUndefined()
    }
  })
})
