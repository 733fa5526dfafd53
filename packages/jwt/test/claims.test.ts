import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createVerifier, verifyingKeyOf, type VerifierOptions } from '../src/index.ts'
import {
  hsHeader,
  NOW_MS,
  NOW_SEC,
  signingKeyFor,
  signParts,
  validClaims,
  verifierFor,
} from './tokens.ts'

const key = signingKeyFor('HS256')

function outcome(claims: unknown, options: Partial<VerifierOptions> = {}): string {
  const result = verifierFor(key, options).verify(signParts(hsHeader, claims))
  if (result.ok) return 'accepted'
  return result.claim === undefined ? result.code : `${result.code} ${result.claim}`
}

describe('exp', () => {
  test.each([
    ['at the millisecond before', NOW_SEC, NOW_MS - 1, 0, 'accepted'],
    ['at exactly this millisecond', NOW_SEC, NOW_MS, 0, 'token_expired'],
    ['within the tolerance', NOW_SEC, NOW_MS + 4999, 5, 'accepted'],
    ['at the end of the tolerance', NOW_SEC, NOW_MS + 5000, 5, 'token_expired'],
    ['with a fraction, before it', NOW_SEC + 0.5, NOW_MS + 499, 0, 'accepted'],
    ['with a fraction, at it', NOW_SEC + 0.5, NOW_MS + 500, 0, 'token_expired'],
  ])('%s', (_name, exp, now, toleranceSec, expected) => {
    const claims = validClaims({ exp, iat: undefined })
    expect(outcome(claims, { clock: () => now, toleranceSec })).toBe(expected)
  })

  test.each([
    ['missing', undefined, 'claim_missing exp'],
    ['a numeric string', '"9999999999"', 'claim_invalid exp'],
    ['null', 'null', 'claim_invalid exp'],
    ['a list', '[9999999999]', 'claim_invalid exp'],
    ['an object', '{}', 'claim_invalid exp'],
    ['true', 'true', 'claim_invalid exp'],
    ['negative', '-1', 'claim_invalid exp'],
    ['1e400', '1e400', 'payload_invalid'],
    ['1e308', '1e308', 'claim_invalid exp'],
    ['in the year 300,000', '1e13', 'claim_invalid exp'],
    ['after the year 9999', '253402300800', 'claim_invalid exp'],
    ['at the end of the year 9999', '253402300799', 'accepted'],
    ['zero', '0', 'token_expired'],
  ])('%s', (_name, text, expected) => {
    const rest = JSON.stringify(validClaims({ exp: undefined })).slice(1)
    expect(outcome(text === undefined ? `{${rest}` : `{"exp":${text},${rest}`)).toBe(expected)
  })
})

test.each([
  [{ nbf: NOW_SEC }, 0, 'accepted'],
  [{ nbf: NOW_SEC + 0.001 }, 0, 'token_not_yet_valid'],
  [{ nbf: NOW_SEC + 5 }, 5, 'accepted'],
  [{ nbf: NOW_SEC + 6 }, 5, 'token_not_yet_valid'],
  [{ nbf: 1e17 }, 0, 'claim_invalid nbf'],
  [{ nbf: '1' }, 0, 'claim_invalid nbf'],
  [{ nbf: null }, 0, 'claim_invalid nbf'],
  [{ iat: NOW_SEC }, 0, 'accepted'],
  [{ iat: NOW_SEC + 1 }, 0, 'token_issued_in_future'],
  [{ iat: NOW_SEC + 60 }, 60, 'accepted'],
  [{ iat: NOW_SEC + 61 }, 60, 'token_issued_in_future'],
  [{ iat: NOW_SEC + 86_400 }, 0, 'token_issued_in_future'],
  [{ iat: undefined }, 0, 'accepted'],
  [{ iat: 'now' }, 0, 'claim_invalid iat'],
  // Within the tolerance, the checks of the single times pass.
  [{ iat: NOW_SEC + 3, exp: NOW_SEC + 3 }, 5, 'accepted'],
  [{ iat: NOW_SEC + 3, exp: NOW_SEC + 2 }, 5, 'claim_invalid iat'],
  [{ iat: NOW_SEC, exp: NOW_SEC - 1 }, 5, 'claim_invalid iat'],
  [{ iat: NOW_SEC, exp: NOW_SEC - 1 }, 0, 'token_expired'],
  [{ nbf: NOW_SEC + 3, exp: NOW_SEC + 2, iat: undefined }, 5, 'claim_invalid nbf'],
])('%j with a tolerance of %i s: %s', (claims, toleranceSec, expected) => {
  expect(outcome(validClaims(claims), { toleranceSec })).toBe(expected)
})

test.each([
  [{ iat: NOW_SEC - 59 }, 'accepted'],
  [{ iat: NOW_SEC - 60 }, 'token_too_old'],
  [{ iat: undefined }, 'claim_missing iat'],
])('with maxAgeSec 60, %j: %s', (claims, expected) => {
  expect(outcome(validClaims(claims), { maxAgeSec: 60 })).toBe(expected)
})

test('the tolerance is added to maxAgeSec', () => {
  const options = { maxAgeSec: 60, toleranceSec: 5 }
  expect(outcome(validClaims({ iat: NOW_SEC - 64 }), options)).toBe('accepted')
  expect(outcome(validClaims({ iat: NOW_SEC - 65 }), options)).toBe('token_too_old')
})

test.each([
  [undefined, 'claim_missing iss'],
  [null, 'claim_invalid iss'],
  [['I'], 'claim_invalid iss'],
  [{ I: 1 }, 'claim_invalid iss'],
  ['i', 'issuer_mismatch'],
  ['I/', 'issuer_mismatch'],
  ['', 'issuer_mismatch'],
  ['I', 'accepted'],
])('iss %j: %s', (iss, expected) => {
  expect(outcome(validClaims({ iss }))).toBe(expected)
})

test.each([
  [undefined, 'claim_missing aud'],
  [null, 'claim_invalid aud'],
  [1, 'claim_invalid aud'],
  [[['A']], 'claim_invalid aud'],
  [['A', 1], 'claim_invalid aud'],
  [{ A: 1 }, 'claim_invalid aud'],
  [[], 'audience_mismatch'],
  ['', 'audience_mismatch'],
  ['a', 'audience_mismatch'],
  ['AA', 'audience_mismatch'],
  ['A.evil', 'audience_mismatch'],
  [['B', 'C'], 'audience_mismatch'],
  [['B', 'A'], 'accepted'],
  ['A', 'accepted'],
])('aud %j: %s', (aud, expected) => {
  expect(outcome(validClaims({ aud }))).toBe(expected)
})

test('one match of several audiences is sufficient', () => {
  expect(outcome(validClaims({ aud: 'B' }), { audience: ['A', 'B'] })).toBe('accepted')
  expect(outcome(validClaims({ aud: 'C' }), { audience: ['A', 'B'] })).toBe('audience_mismatch')
})

test.each([
  [undefined, 'accepted'],
  ['A', 'audience_mismatch'],
  [[], 'audience_mismatch'],
  [null, 'audience_mismatch'],
])('audience null, aud %j: %s', (aud, expected) => {
  expect(outcome(validClaims({ aud }), { audience: null })).toBe(expected)
})

test.each([
  [{ sub: 1 }, 'claim_invalid sub'],
  [{ sub: null }, 'claim_invalid sub'],
  [{ jti: {} }, 'claim_invalid jti'],
])('%j: %s', (claims, expected) => {
  expect(outcome(validClaims(claims))).toBe(expected)
})

test.each(['sid', 'constructor', 'toString', '__proto__'])(
  'a required claim %s must be present',
  (name) => {
    expect(outcome(validClaims(), { requiredClaims: [name] })).toBe(`claim_missing ${name}`)
    expect(outcome(validClaims({ sid: null }), { requiredClaims: ['sid'] })).toBe(
      'claim_missing sid',
    )
    expect(outcome(validClaims({ sid: '' }), { requiredClaims: ['sid'] })).toBe('accepted')
  },
)

test('a payload of any JSON gets a result, and nothing is thrown', () => {
  const names = fc.constantFrom('iss', 'aud', 'exp', 'iat', 'nbf', 'sub', 'jti', 'x')
  fc.assert(
    fc.property(fc.dictionary(names, fc.jsonValue({ maxDepth: 3 })), (claims) => {
      expect(outcome({ ...validClaims(), ...claims })).toMatch(/^[a-z_]+( [a-z]+)?$/)
    }),
  )
})

test.each([
  [{ toleranceSec: -1 }],
  [{ toleranceSec: 61 }],
  [{ toleranceSec: Number.NaN }],
  [{ toleranceSec: '5' }],
  [{ maxAgeSec: 0 }],
  [{ maxAgeSec: Number.NaN }],
  [{ maxAgeSec: Infinity }],
  [{ issuer: '' }],
  [{ issuer: ['I'] }],
  [{ issuer: /I/ }],
  [{ audience: '' }],
  [{ audience: [] }],
  [{ audience: [''] }],
  [{ audience: /A/ }],
  [{ audience: undefined }],
  [{ typ: '' }],
  [{ typ: 'a b' }],
  [{ typ: undefined }],
  [{ requiredClaims: 'sid' }],
  [{ requiredClaims: [''] }],
  [{ clock: 1 }],
  [{ keys: undefined }],
  [{ keys: '' }],
  [{ keys: {} }],
  [{ keys: { keys: [{}] } }],
])('options %j cause a TypeError', (options) => {
  const valid = { keys: verifyingKeyOf(key), typ: 'at+jwt', issuer: 'I', audience: 'A' }
  expect(() => createVerifier({ ...valid, ...options } as never)).toThrow(TypeError)
})

test('a clock that returns NaN throws, so that no token is valid forever', () => {
  expect(() => outcome(validClaims(), { clock: () => Number.NaN })).toThrow(
    'The clock must return milliseconds since 1970.',
  )
})

test('without a clock option, the system time is used', () => {
  const verifier = createVerifier({
    keys: verifyingKeyOf(key),
    typ: 'at+jwt',
    issuer: 'I',
    audience: 'A',
  })
  const nowSec = Math.floor(Date.now() / 1000)
  const signed = (exp: number) => signParts(hsHeader, validClaims({ iat: nowSec - 100, exp }))
  expect(verifier.verify(signed(nowSec + 60)).ok).toBe(true)
  expect(verifier.verify(signed(nowSec - 1)).ok).toBe(false)
})
