import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  createVerifier,
  explainToken,
  verifyingKeyOf,
  type CheckReport,
  type VerifierOptions,
} from '../src/index.ts'
import {
  encodePart,
  hsHeader,
  NOW_MS,
  NOW_SEC,
  signEncoded,
  signingKeyFor,
  signParts,
  validClaims,
} from './tokens.ts'

const options: VerifierOptions = {
  keys: verifyingKeyOf(signingKeyFor('HS256')),
  typ: 'at+jwt',
  issuer: 'I',
  audience: 'A',
  requiredClaims: ['sub'],
  maxAgeSec: 3600,
  clock: () => NOW_MS,
}

/** The checks that refuse a token, with their codes. */
function failures(token: string, more: Partial<VerifierOptions> = {}): readonly string[] {
  return explainToken(token, { ...options, ...more }).flatMap(({ check, refused }) =>
    refused === undefined ? [] : `${check}: ${[refused.code, refused.claim].join(' ').trim()}`,
  )
}

test('an accepted token passes every check, in the order of the verifier', () => {
  const reports = explainToken(signParts(hsHeader, validClaims()), options)
  expect(reports.every(({ refused }) => refused === undefined)).toBe(true)
  expect(reports.map(({ check }) => check)).toEqual([
    'form',
    'header',
    'typ',
    'key',
    'signature',
    'payload',
    'exp',
    'nbf',
    'iat',
    'max_age',
    'iss',
    'aud',
    'sub',
    'jti',
    'required',
  ])
})

test('every failed check is reported, not only the first', () => {
  const claims = {
    iss: 'other',
    aud: 7,
    exp: NOW_SEC,
    nbf: NOW_SEC + 60,
    iat: NOW_SEC - 3600,
    jti: 1,
  }
  const token = signParts({ ...hsHeader, typ: 'JWT' }, claims)
  expect(failures(`${token.slice(0, -6)}AAAAAA`)).toEqual([
    'typ: typ_mismatch',
    'signature: signature_invalid',
    'exp: token_expired',
    'nbf: token_not_yet_valid',
    'max_age: token_too_old',
    'iss: issuer_mismatch',
    'aud: claim_invalid aud',
    'jti: claim_invalid jti',
    'required: claim_missing sub',
  ])
})

describe('a check that cannot run is omitted', () => {
  const checksOf = (token: string): readonly CheckReport['check'][] =>
    explainToken(token, options).map(({ check }) => check)

  test('a token without three parts has only one check', () => {
    expect(checksOf('a.b')).toEqual(['form'])
  })

  test('an unreadable header leaves the payload readable', () => {
    const token = signEncoded(encodePart('[]'), encodePart(validClaims()))
    expect(checksOf(token).slice(0, 3)).toEqual(['form', 'header', 'payload'])
    expect(failures(token)).toEqual(['header: header_invalid'])
  })

  test('an unknown key leaves the signature unchecked', () => {
    const keys = verifyingKeyOf(signingKeyFor('HS256'))
    const token = signParts({ ...hsHeader, kid: 'other' }, validClaims())
    expect(checksOf(token)).not.toContain('signature')
    expect(failures(token, { keys })).toEqual(['key: key_unknown'])
  })

  test('an unreadable payload has no claims', () => {
    const token = signEncoded(encodePart(hsHeader), encodePart('[]'))
    expect(checksOf(token).at(-1)).toBe('payload')
    expect(failures(token)).toEqual(['payload: payload_invalid'])
  })

  test('a payload that is not ASCII is unreadable', () => {
    const token = `${encodePart(hsHeader)}.é.${'A'.repeat(43)}`
    expect(failures(token)).toEqual(['signature: signature_invalid', 'payload: payload_invalid'])
  })
})

test('wrong options throw as in createVerifier', () => {
  expect(() => explainToken('', { ...options, issuer: '' })).toThrow(TypeError)
})

describe('the first failed check equals the refusal of the verifier', () => {
  const verifier = createVerifier(options)

  function expectAgreement(token: string): void {
    const result = verifier.verify(token)
    const first = explainToken(token, options).find(({ refused }) => refused !== undefined)
    expect(first?.refused).toEqual(result.ok ? undefined : result)
  }

  // Values that pass and values that fail, so that most tokens fail several checks at once.
  const times = fc.constantFrom(undefined, 'x', -1, NOW_SEC - 3600, NOW_SEC, NOW_SEC + 300)
  const texts = fc.constantFrom(undefined, 7, 'I', 'A', 's', ['A'], [7])
  const claims = fc.record({
    exp: times,
    nbf: times,
    iat: times,
    iss: texts,
    aud: texts,
    sub: texts,
    jti: texts,
  })
  const headers = fc.record({
    alg: fc.constantFrom('HS256', 'HS512', 'none', 7),
    typ: fc.constantFrom('at+jwt', 'JWT', undefined),
    kid: fc.constantFrom('shared', 'other', undefined),
    crit: fc.constantFrom(undefined, undefined, ['x']),
  })

  test('for claims', () => {
    fc.assert(
      fc.property(claims, (given) => expectAgreement(signParts(hsHeader, given))),
      { numRuns: 500 },
    )
  })

  test('for headers', () => {
    fc.assert(
      fc.property(headers, claims, (header, given) => expectAgreement(signParts(header, given))),
      { numRuns: 500 },
    )
  })

  test('for damaged text', () => {
    const token = signParts(hsHeader, validClaims())
    fc.assert(
      fc.property(fc.nat(token.length), fc.string({ maxLength: 3 }), (at, text) =>
        expectAgreement(`${token.slice(0, at)}${text}${token.slice(at + 1)}`),
      ),
      { numRuns: 500 },
    )
  })
})
