import { describe, expect, test } from 'vitest'
import {
  createSigner,
  createVerifier,
  signJws,
  verifyingKeyOf,
  verifyJws,
  type VerifierOptions,
} from '../src/index.ts'
import { hsHeader, NOW_MS, NOW_SEC, signingKeyFor, signParts, validClaims } from './tokens.ts'

const key = signingKeyFor('HS256')
const valid = { keys: verifyingKeyOf(key), typ: 'at+jwt', issuer: 'I', audience: 'A' }

function createWith(more: object): () => unknown {
  return () => createVerifier({ ...valid, ...more } as VerifierOptions)
}

describe('the message names a wrong option', () => {
  test.each<[name: string, message: string, wrong: readonly unknown[]]>([
    ['typ', 'The option typ must be a media type.', ['', 'a b', 7, undefined, 'x'.repeat(128)]],
    [
      'issuer',
      'The option issuer must be a string that is not empty.',
      ['', ['I'], null, undefined],
    ],
    [
      'audience',
      'The option audience must be null, a string or an array of strings.',
      ['', [], [''], ['A', 7], {}, 7, undefined, new Set(['A'])],
    ],
    [
      'requiredClaims',
      'The option requiredClaims must be an array of names.',
      ['sid', [''], ['sid', 7], {}, null, new Set(['sid'])],
    ],
    [
      'maxAgeSec',
      'The option maxAgeSec must be a positive number.',
      [0, -1, Infinity, Number.NaN, '60', null],
    ],
    [
      'toleranceSec',
      'The option toleranceSec must be 0 to 60.',
      [-1, -0.001, 60.001, Infinity, Number.NaN, '5', null],
    ],
    ['clock', 'The option clock must be a function.', [0, null, new Date(0)]],
    [
      'cacheEntriesMax',
      'The option cacheEntriesMax must be 0 or 8 to 1048576.',
      [-8, -1, 1, 7, 8.5, 1_048_577, Infinity, '8', null],
    ],
  ])('%s', (name, message, wrong) => {
    for (const value of wrong) {
      expect(createWith({ [name]: value })).toThrow(new TypeError(message))
    }
  })

  test('typ, for a signer and for JWS too', () => {
    const message = 'The option typ must be a media type.'
    expect(() => createSigner(key, { typ: 'a b' })).toThrow(message)
    expect(() => signJws(Buffer.from('x'), key, { typ: '' })).toThrow(message)
    expect(() => verifyJws('a.b.c', valid.keys, { typ: '' })).toThrow(message)
  })
})

test.each([
  { typ: 'x'.repeat(127) },
  { typ: 'a!#$&^_.+-/b' },
  { audience: null },
  { audience: ['A'] },
  { requiredClaims: [] },
  { requiredClaims: undefined },
  { maxAgeSec: 0.001 },
  { maxAgeSec: undefined },
  { toleranceSec: 0 },
  { toleranceSec: 60 },
  { clock: undefined },
  { cacheEntriesMax: 0 },
  { cacheEntriesMax: 8 },
  { cacheEntriesMax: 1_048_576 },
])('the options %j are allowed', (more) => {
  expect(createWith(more)).not.toThrow()
})

test('an option that is an array is read once, at creation', () => {
  const requiredClaims = ['sid']
  const audience = ['A']
  const verifier = createVerifier({ ...valid, requiredClaims, audience, clock: () => NOW_MS })
  requiredClaims.length = 0
  audience[0] = 'B'
  expect(verifier.verify(signParts(hsHeader, validClaims({ sid: 's' }))).ok).toBe(true)
  expect(verifier.verify(signParts(hsHeader, validClaims()))).toEqual({
    ok: false,
    code: 'claim_missing',
    claim: 'sid',
  })
})

describe('a signer', () => {
  const signer = createSigner(key, { typ: 'at+jwt' })

  test.each(['exp', 'nbf', 'iat'])('refuses to sign a %s that is not a NumericDate', (name) => {
    for (const wrong of [Number.NaN, Infinity, -1, '1', null, true, 253_402_300_800, NOW_MS]) {
      expect(() => signer.sign({ [name]: wrong })).toThrow(
        'The claims exp, nbf and iat must be seconds since 1970.',
      )
    }
    for (const right of [0, 0.5, NOW_SEC, 253_402_300_799, undefined]) {
      expect(signer.sign({ [name]: right })).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    }
  })

  test('signs only objects', () => {
    for (const wrong of [[], ['{'], { toJSON: () => '{' }, { toJSON: () => undefined }, () => 1]) {
      expect(() => signer.sign(wrong)).toThrow('The claims must be an object.')
    }
    expect(signer.sign({ toJSON: () => ({ exp: 1 }) })).toBe(signer.sign({ exp: 1 }))
  })

  test('signs tokens of 8,192 bytes, refuses longer ones', () => {
    const lengthOf = (count: number) => signer.sign({ pad: 'x'.repeat(count) }).length
    // Three bytes make four characters.
    const count = Math.ceil(((8192 - lengthOf(0)) * 3) / 4)
    expect(lengthOf(count)).toBe(8192)
    expect(() => lengthOf(count + 1)).toThrow('The token would be longer than 8192 bytes.')
  })
})
