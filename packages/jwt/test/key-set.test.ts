import { generateKeyPairSync, sign } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createKeySet,
  createSigner,
  importSigningKey,
  importVerifyingKey,
  keySetFromJwks,
  publicJwkOf,
  verifyingKeyOf,
  verifyJws,
} from '../src/index.ts'
import {
  algorithms,
  encodePart,
  keyObjectFor,
  secret,
  signingKeyFor,
  signParts,
  validClaims,
  verifierFor,
} from './tokens.ts'

const es = publicJwkOf(signingKeyFor('ES256'))
const rs = publicJwkOf(signingKeyFor('RS256'))

test('a set read from a JWKS verifies what its keys signed', () => {
  const asymmetric = algorithms.filter((alg) => !/^HS|^PS|RS384|RS512/.test(alg))
  const keys = keySetFromJwks({ keys: asymmetric.map((alg) => publicJwkOf(signingKeyFor(alg))) })
  expect(keys?.keys.map((key) => key.alg)).toEqual(asymmetric)
  for (const alg of asymmetric) {
    const token = createSigner(signingKeyFor(alg), { typ: 'at+jwt' }).sign(validClaims())
    expect(keys && verifierFor(signingKeyFor(alg), { keys }).verify(token).ok).toBe(true)
  }
})

test.each([[undefined], [null], [[]], ['{}'], [{}], [{ keys: {} }], [{ keys: null }], [1]])(
  '%j is not a JWKS',
  (jwks) => {
    expect(keySetFromJwks(jwks)).toBeUndefined()
  },
)

describe('a key under the old name EdDSA (RFC 9864 §2.2)', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const { alg: _alg, ...jwk } = publicJwkOf(
    importVerifyingKey({ keyObject: publicKey }, { alg: 'Ed25519', kid: 'ed' }),
  )
  const keys = keySetFromJwks({ keys: [{ ...jwk, alg: 'EdDSA' }] })
  const signedAs = (alg: string) => {
    const input = `${encodePart({ alg, typ: 'at+jwt', kid: 'ed' })}.${encodePart(validClaims())}`
    return `${input}.${encodePart(sign(null, Buffer.from(input), privateKey))}`
  }

  test('is read, and accepts tokens with either name and no other', () => {
    if (keys === undefined) throw new Error('no set')
    expect(keys.keys.map((key) => key.alg)).toEqual(['Ed25519'])
    const verifier = verifierFor(signingKeyFor('ES256'), { keys })
    expect(verifier.verify(signedAs('EdDSA'))).toMatchObject({ ok: true, header: { alg: 'EdDSA' } })
    expect(verifier.verify(signedAs('Ed25519'))).toMatchObject({ ok: true })
    for (const alg of ['Ed448', 'ES256', 'none', 'eddsa']) {
      expect(verifier.verify(signedAs(alg))).toEqual({ ok: false, code: 'algorithm_mismatch' })
    }
  })

  test('is skipped without alg, or if alg has another spelling', () => {
    expect(keySetFromJwks({ keys: [jwk] })?.keys).toEqual([])
    expect(keySetFromJwks({ keys: [{ ...jwk, alg: 'eddsa' }] })?.keys).toEqual([])
  })
})

test('a single key without kid accepts tokens with a kid', () => {
  const keys = importVerifyingKey({ secret }, { alg: 'HS256' })
  const verifier = verifierFor(signingKeyFor('HS256'), { keys })
  for (const more of [{}, { kid: 'any' }]) {
    const token = signParts({ alg: 'HS256', typ: 'at+jwt', ...more }, validClaims())
    const result = verifier.verify(token)
    expect(result.ok && Object.keys(result.header)).toEqual(['alg', 'typ', ...Object.keys(more)])
  }
})

test('for a token without kid, no key is looked up in a set that the caller made', () => {
  const key = verifyingKeyOf(signingKeyFor('HS256'))
  const keys = { keys: [key], get: () => key }
  expect(verifyJws(signParts({ alg: 'HS256', kid: 'x' }, {}), keys)).toMatchObject({ ok: true })
  expect(verifyJws(signParts({ alg: 'HS256' }, {}), keys)).toEqual({
    ok: false,
    code: 'key_unknown',
  })
})

test.each([
  ['no object', null],
  ['an unknown kind', { kty: 'AKP', alg: 'ML-DSA-44', kid: 'a', pub: 'AA' }],
  ['an unknown algorithm', { ...es, alg: 'ES256K' }],
  ['none', { ...es, alg: 'none' }],
  ['no algorithm', { ...es, alg: undefined }],
  ['no kid', { ...es, kid: undefined }],
  ['a kid that is a path', { ...es, kid: '../x' }],
  ['use enc', { ...es, use: 'enc' }],
  ['key_ops without verify', { ...es, key_ops: ['encrypt'] }],
  ['a secret', { kty: 'oct', k: secret.toString('base64url'), alg: 'HS256', kid: 'a' }],
  ['a private key', { ...es, d: 'AAAA' }],
  ['an algorithm of another kind', { ...es, alg: 'RS256' }],
  ['another curve', { ...es, crv: 'P-384' }],
  ['a point that is not on its curve', { ...es, y: es.kty === 'EC' ? es.x : '' }],
  ['Ed448 under the name EdDSA', ed448Jwk()],
  ['RSA with 1024 bits', smallRsaJwk()],
  ['RSA with an even modulus', evenRsaJwk()],
])('%s is skipped, and the other keys stay', (_name, jwk) => {
  const set = keySetFromJwks({ keys: [jwk, rs] })
  expect(set?.keys.map((key) => key.kid)).toEqual([rs.kid])
})

test('of two keys with the same kid, the first is kept', () => {
  const set = keySetFromJwks({ keys: [es, { ...rs, kid: es.kid }] })
  expect(set?.keys.map((key) => key.alg)).toEqual(['ES256'])
})

test('keys after the hundredth are not read', () => {
  const keys = Array.from({ length: 101 }, (_, at) => ({ ...es, kid: `k${at}` }))
  const set = keySetFromJwks({ keys })
  expect(set?.keys).toHaveLength(100)
  expect(set?.get('k99')).toBeDefined()
  expect(set?.get('k100')).toBeUndefined()
})

test('in a large set the last key is found like the first', () => {
  const keyObject = keyObjectFor('ES256')
  const keys = keySetFromJwks({
    keys: Array.from({ length: 12 }, (_, at) => ({ ...es, kid: `k${at}` })),
  })
  if (keys === undefined || keyObject === undefined) throw new Error('no key')
  const verifier = verifierFor(signingKeyFor('ES256'), { keys })
  for (const kid of ['k0', 'k3', 'k4', 'k11']) {
    const key = importSigningKey({ keyObject }, { alg: 'ES256', kid })
    const token = createSigner(key, { typ: 'at+jwt' }).sign(validClaims())
    expect(verifier.verify(token)).toMatchObject({ ok: true, key: { kid } })
  }
})

test('reading a JWKS with any content never throws', () => {
  const member = fc.oneof(
    fc.constantFrom('RSA', 'EC', 'OKP', 'oct', 'ES256', 'P-256', 'AQAB', 'Ed25519', 'EdDSA'),
    fc.jsonValue({ maxDepth: 1 }),
  )
  const names = fc.constantFrom(
    'kty',
    'alg',
    'kid',
    'use',
    'key_ops',
    'crv',
    'x',
    'y',
    'n',
    'e',
    'd',
  )
  fc.assert(
    fc.property(fc.array(fc.dictionary(names, member)), (keys) => {
      expect(keySetFromJwks({ keys })?.keys.length).toBeLessThanOrEqual(keys.length)
    }),
  )
})

test('createKeySet refuses keys that make a look-up ambiguous', () => {
  const key = verifyingKeyOf(signingKeyFor('ES256'))
  const nameless = importVerifyingKey({ secret }, { alg: 'HS256' })
  expect(() => createKeySet([key, key])).toThrow(TypeError)
  expect(() => createKeySet([nameless])).toThrow(TypeError)
  expect(() => createKeySet([{ alg: 'ES256', kid: 'x' }])).toThrow(TypeError)
  expect(createKeySet([key]).get(key.kid ?? '')).toBe(key)
  expect(createKeySet([key]).get('__proto__')).toBeUndefined()
  expect(Object.isFrozen(createKeySet([key]).keys)).toBe(true)
})

test('later changes to a set do not affect the verifier', () => {
  const key = verifyingKeyOf(signingKeyFor('ES256'))
  const live = [key]
  const foreign = { keys: live, get: () => undefined }
  const verifier = verifierFor(signingKeyFor('ES256'), { keys: foreign })
  live.pop()
  const token = createSigner(signingKeyFor('ES256'), { typ: 'at+jwt' }).sign(validClaims())
  expect(verifier.verify(token).ok).toBe(true)
})

test('with an empty set, every token is refused as key_unknown', () => {
  const token = createSigner(signingKeyFor('ES256'), { typ: 'at+jwt' }).sign(validClaims())
  const verifier = verifierFor(signingKeyFor('ES256'), { keys: createKeySet([]) })
  expect(verifier.verify(token)).toEqual({ ok: false, code: 'key_unknown' })
})

function ed448Jwk() {
  const { publicKey } = generateKeyPairSync('ed448')
  return { ...publicKey.export({ format: 'jwk' }), alg: 'EdDSA', kid: 'a' }
}

function smallRsaJwk() {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
  return { ...publicKey.export({ format: 'jwk' }), alg: 'RS256', kid: 'a' }
}

function evenRsaJwk() {
  const n = Buffer.from(rs.kty === 'RSA' ? rs.n : '', 'base64url')
  n.writeUInt8(n.readUInt8(n.length - 1) & 0xfe, n.length - 1)
  return { ...rs, n: n.toString('base64url'), kid: 'a' }
}
