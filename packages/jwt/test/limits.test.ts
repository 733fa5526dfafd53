import { describe, expect, test } from 'vitest'
import { decodeUnverified, signJws, verifyingKeyOf, verifyJws } from '../src/index.ts'
import {
  encodePart,
  hsHeader,
  signEncoded,
  signingKeyFor,
  signParts,
  validClaims,
  verifierFor,
} from './tokens.ts'

// Each limit, with the last value within it and the first value beyond it.

const key = signingKeyFor('HS256')
const verifier = verifierFor(key)

function answerTo(token: string): string {
  const result = verifier.verify(token)
  return result.ok ? 'accepted' : result.code
}

/** Makes claims whose encoding has exactly this many characters. */
function encodedClaims(length: number): string {
  const bytes = Math.floor((length * 3) / 4)
  const bare = JSON.stringify(validClaims({ pad: '' })).length
  return encodePart(validClaims({ pad: 'x'.repeat(bytes - bare) }))
}

describe('a token', () => {
  const header = encodePart(hsHeader)
  // Two dots and an HMAC of 32 bytes.
  const rest = header.length + 2 + 43

  test('of 8,192 characters is read, a longer one is refused', () => {
    const longest = signEncoded(header, encodedClaims(8192 - rest))
    const tooLong = signEncoded(header, encodedClaims(8193 - rest))
    expect([longest.length, tooLong.length]).toEqual([8192, 8193])
    expect(answerTo(longest)).toBe('accepted')
    expect(answerTo(tooLong)).toBe('token_too_large')
    expect(decodeUnverified(longest).ok).toBe(true)
    expect(decodeUnverified(tooLong)).toEqual({ ok: false, code: 'token_too_large' })
    expect(answerTo(longest.slice(0, -1))).toBe('signature_invalid')
    expect(answerTo(`${longest}A`)).toBe('token_too_large')
  })

  test('of as many bytes as the caller allows is read, a longer one is refused', () => {
    const jws = signJws(Buffer.from('x'), key)
    const keys = verifyingKeyOf(key)
    expect(verifyJws(jws, keys, { tokenBytesMax: jws.length }).ok).toBe(true)
    expect(verifyJws(jws, keys, { tokenBytesMax: jws.length - 1 })).toEqual({
      ok: false,
      code: 'token_too_large',
    })
  })

  test('has a header of up to 1,024 bytes', () => {
    const headerOf = (bytes: number) => {
      const bare = JSON.stringify({ ...hsHeader, pad: '' }).length
      return { ...hsHeader, pad: 'x'.repeat(bytes - bare) }
    }
    expect(answerTo(signParts(headerOf(1024), validClaims()))).toBe('accepted')
    expect(answerTo(signParts(headerOf(1025), validClaims()))).toBe('header_invalid')
  })

  test('has three parts that are not empty', () => {
    for (const token of ['.a.a', 'a..a', 'a.a.', '..', '.', 'a', 'a.a', 'a.a.a.a', 'a.a..', '']) {
      expect(answerTo(token)).toBe('token_malformed')
      expect(decodeUnverified(token)).toEqual({ ok: false, code: 'token_malformed' })
    }
    // The shortest possible parts.
    expect(decodeUnverified('e30.e30.AA')).toEqual({
      ok: true,
      header: {},
      claims: {},
      signatureBytes: 1,
    })
    expect(decodeUnverified('a.e30.AA')).toEqual({ ok: false, code: 'header_invalid' })
    expect(decodeUnverified('e30.a.AA')).toEqual({ ok: false, code: 'payload_invalid' })
    expect(decodeUnverified('e30.e30.A')).toEqual({ ok: false, code: 'token_malformed' })
  })

  test('must be ASCII, for decodeUnverified too', () => {
    for (const token of [
      'e30\u0141.e30.AA',
      'e30.e30\u0141.AA',
      'e30.e30.AAé',
      'e30.e30.\u0141A',
    ]) {
      expect(decodeUnverified(token)).toEqual({ ok: false, code: 'token_malformed' })
    }
  })
})

describe('typ', () => {
  const answerToTyp = (typ: string, expected: string) =>
    verifierFor(key, { typ: expected }).verify(signParts({ ...hsHeader, typ }, validClaims())).ok

  test.each([
    ['x'.repeat(127), 'X'.repeat(127), true],
    ['x'.repeat(128), 'x'.repeat(127), false],
    ['application/a', 'a', true],
    ['a', 'APPLICATION/A', true],
    ['text/a', 'text/A', true],
    ['text/a', 'a', false],
    ['application/text/a', 'text/a', false],
    ['application/', 'application/', true],
    ['application/', 'a', false],
    ['aapplication/b', 'b', false],
    ['a\n', 'a', false],
    ['\na', 'a', false],
  ])('%j for %j: %s', (typ, expected, isAccepted) => {
    expect(answerToTyp(typ, expected)).toBe(isAccepted)
  })
})

test('a kid has 1 to 64 characters', () => {
  const kid = 'k'.repeat(64)
  expect(decodeUnverified(signParts({ ...hsHeader, kid }, {})).ok).toBe(true)
  expect(answerTo(signParts({ ...hsHeader, kid }, validClaims()))).toBe('key_unknown')
  expect(answerTo(signParts({ ...hsHeader, kid: `${kid}k` }, validClaims()))).toBe('header_invalid')
})

test('the returned header contains only the interpreted parameters', () => {
  const headers = [
    { alg: 'HS256' },
    { alg: 'HS256', typ: 'x' },
    { alg: 'HS256', kid: 'shared' },
    { alg: 'HS256', cty: 'x' },
    { alg: 'HS256', typ: 'x', kid: 'shared', cty: 'y' },
  ]
  for (const header of headers) {
    const result = verifyJws(signParts({ ...header, jku: 'x', x: 1 }, {}), verifyingKeyOf(key))
    expect(result).toMatchObject({ ok: true })
    expect(result.ok && Object.entries(result.header)).toEqual(Object.entries(header))
  }
})
