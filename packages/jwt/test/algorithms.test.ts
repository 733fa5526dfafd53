import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  verify,
  type KeyObject,
  type SigningOptions,
} from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  createSigner,
  generateSigningKey,
  importSigningKey,
  importVerifyingKey,
  type Algorithm,
} from '../src/index.ts'
import { algorithms, keyObjectFor } from './tokens.ts'

// What each name means (RFC 7518 §3.1). The tests compute it with node:crypto alone.
const meaning: Readonly<Record<string, readonly [hash: string | null, options: SigningOptions]>> = {
  RS256: ['sha256', { padding: constants.RSA_PKCS1_PADDING }],
  RS384: ['sha384', { padding: constants.RSA_PKCS1_PADDING }],
  RS512: ['sha512', { padding: constants.RSA_PKCS1_PADDING }],
  PS256: ['sha256', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
  PS384: ['sha384', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }],
  PS512: ['sha512', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }],
  ES256: ['sha256', { dsaEncoding: 'ieee-p1363' }],
  ES384: ['sha384', { dsaEncoding: 'ieee-p1363' }],
  ES512: ['sha512', { dsaEncoding: 'ieee-p1363' }],
  Ed25519: [null, {}],
}

describe.each(Object.entries(meaning))('%s', (alg, [hash, options]) => {
  const keyObject = keyObjectFor(alg as Algorithm) as KeyObject

  test('signs as its name requires', () => {
    const signer = createSigner(importSigningKey({ keyObject }, { alg: alg as Algorithm }), {
      typ: 'at+jwt',
    })
    // In 1 of 128 ECDSA signatures, r or s begins with a zero byte. It must still have its full width.
    const count = alg === 'ES256' ? 1500 : 40
    for (let at = 0; at < count; at++) {
      const token = signer.sign({ at })
      const end = token.lastIndexOf('.')
      const signature = Buffer.from(token.slice(end + 1), 'base64url')
      const key = { key: createPublicKey(keyObject), ...options }
      expect(verify(hash, Buffer.from(token.slice(0, end)), key, signature)).toBe(true)
    }
  })
})

test.each(['none', 'HS128', 'hs256', '', undefined, null, 7, 'toString'])(
  '%j is not the name of an algorithm',
  (alg) => {
    const message = 'The option alg is not a supported algorithm.'
    expect(() => generateSigningKey(alg as never)).toThrow(message)
    expect(() => importVerifyingKey({ pem: 'x' }, { alg: alg as never })).toThrow(message)
  },
)

describe('a key of the wrong kind', () => {
  const needs: Readonly<Record<string, string>> = {
    HS: 'HMAC needs a secret; this is a public or private key.',
    RS: 'This algorithm needs an RSA key.',
    PS: 'This algorithm needs an RSA key.',
    ES256: 'This algorithm needs an EC key on the curve P-256.',
    ES384: 'This algorithm needs an EC key on the curve P-384.',
    ES512: 'This algorithm needs an EC key on the curve P-521.',
    Ed25519: 'This algorithm needs an Ed25519 key.',
  }

  test.each(algorithms)('is refused for %s with a message that names the needed key', (alg) => {
    const message = needs[alg] ?? needs[alg.slice(0, 2)] ?? 'unknown'
    for (const other of ['RS256', 'ES256', 'ES384', 'ES512', 'Ed25519'] as const) {
      if (other === alg || (other === 'RS256' && /^[RP]S/.test(alg))) continue
      const keyObject = keyObjectFor(other) as KeyObject
      expect(() => importSigningKey({ keyObject }, { alg })).toThrow(message)
      const publicKey = createPublicKey(keyObject)
      expect(() => importVerifyingKey({ keyObject: publicKey }, { alg })).toThrow(message)
    }
  })
})

describe('limits of RSA', () => {
  /** A public key with a modulus of this many bits. The modulus need not be a product of primes. */
  function modulusOf(bits: number): string {
    const n = Buffer.alloc(Math.ceil(bits / 8), 0xff)
    n[0] = 0xff >> (n.length * 8 - bits)
    return n.toString('base64url')
  }
  const importRsa = (members: object) =>
    importVerifyingKey({ jwk: { kty: 'RSA', e: 'AQAB', ...members } }, { alg: 'RS256' })

  test.each([2048, 8192])('%i bits are allowed', (bits) => {
    expect(importRsa({ n: modulusOf(bits) }).alg).toBe('RS256')
  })

  test.each([1024, 2047, 8193, 16_384])('%i bits are refused', (bits) => {
    expect(() => importRsa({ n: modulusOf(bits) })).toThrow('An RSA key needs 2048 to 8192 bits.')
  })

  const exponents = 'The public exponent of an RSA key must be odd and at least 65537.'
  test.each([
    ['65537', 'AQAB', undefined],
    ['2^64 - 1', '__________8', undefined],
    ['65535', '__8', exponents],
    ['65538', 'AQAC', exponents],
    ['2^64 + 1', 'AQAAAAAAAAAB', exponents],
  ])('the exponent %s', (_name, e, message) => {
    const importIt = () => importRsa({ n: modulusOf(2048), e })
    if (message === undefined) expect(importIt().alg).toBe('RS256')
    else expect(importIt).toThrow(message)
  })

  test('an even modulus is refused', () => {
    const n = Buffer.from(modulusOf(2048), 'base64url')
    n[n.length - 1] = 0xfe
    const jwk = { n: n.toString('base64url') }
    expect(() => importRsa(jwk)).toThrow('The modulus of an RSA key must be odd.')
  })
})

describe('a key that was generated for RSASSA-PSS only', () => {
  const restricted = (hashAlgorithm: string, mgf1HashAlgorithm: string, saltLength: number) => {
    const options = { modulusLength: 2048, hashAlgorithm, mgf1HashAlgorithm }
    // The types require text, but Node accepts only a number.
    return generateKeyPairSync('rsa-pss', { ...options, saltLength: saltLength as never })
      .privateKey
  }

  test.each([
    ['the same parameters', 'sha256', 'sha256', 32, true],
    ['a shorter salt', 'sha256', 'sha256', 20, true],
    ['a longer salt', 'sha256', 'sha256', 33, false],
    ['another hash', 'sha384', 'sha256', 32, false],
    ['another hash in the mask', 'sha256', 'sha384', 32, false],
  ] as const)('to %s', (_name, hash, mask, salt, isTaken) => {
    const importIt = () =>
      importSigningKey({ keyObject: restricted(hash, mask, salt) }, { alg: 'PS256' })
    if (isTaken) expect(importIt().alg).toBe('PS256')
    else expect(importIt).toThrow('This RSA key is restricted to another algorithm.')
  })

  test('does not sign with PKCS#1', () => {
    const keyObject = restricted('sha256', 'sha256', 32)
    expect(() => importSigningKey({ keyObject }, { alg: 'RS256' })).toThrow(
      'This RSA key is restricted to another algorithm.',
    )
  })
})
