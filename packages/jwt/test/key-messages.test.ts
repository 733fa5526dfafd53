import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  createKeySet,
  createSigner,
  createVerifier,
  generateSigningKey,
  importSigningKey,
  importVerifyingKey,
  jwkThumbprint,
  publicJwkOf,
  signJws,
  verifyingKeyOf,
  verifyJws,
  type Algorithm,
} from '../src/index.ts'
import { keyObjectFor, secret, signingKeyFor } from './tokens.ts'

// A dozen things can be wrong with a key. Only the message tells which.

const es = keyObjectFor('ES256') as KeyObject
const rs = keyObjectFor('RS256') as KeyObject
const ed = keyObjectFor('Ed25519') as KeyObject
const esPublic = createPublicKey(es)
const esJwk = esPublic.export({ format: 'jwk' })
const esPrivateJwk = es.export({ format: 'jwk' })
const rsJwk = createPublicKey(rs).export({ format: 'jwk' })
const edJwk = createPublicKey(ed).export({ format: 'jwk' })
const spki = esPublic.export({ format: 'der', type: 'spki' })
const spkiPem = esPublic.export({ format: 'pem', type: 'spki' }).toString()

function importBoth(input: unknown, alg: Algorithm, message: string): void {
  expect(() => importSigningKey(input as never, { alg })).toThrow(new TypeError(message))
  expect(() => importVerifyingKey(input as never, { alg })).toThrow(new TypeError(message))
}

describe('the input of a key', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a text', 'x'],
    ['a number', 7],
    ['an object without members', {}],
    ['an array', []],
    ['an object of two members', { secret, pem: spkiPem }],
    ['a function', () => ''],
  ])('%s is refused as an input', (_name, input) => {
    const message = 'A key input must have exactly one member, such as jwk, pem or secret.'
    importBoth(input, 'HS256', message)
  })

  const pemMessage = 'The PEM must be one block, PUBLIC KEY (SPKI) or PRIVATE KEY (PKCS#8).'
  const derMessage = 'The key is not valid DER of the kind expected here.'
  const objectMessage = 'The member keyObject must be a KeyObject of node:crypto.'
  const certificateMessage =
    'The certificate must be one X.509 certificate, as PEM text or DER bytes.'

  test.each<[name: string, input: object, alg: Algorithm, message: string]>([
    ['a secret as text', { secret: 'text' }, 'HS256', 'A secret must be bytes.'],
    ['a secret as an array', { secret: [...secret] }, 'HS256', 'A secret must be bytes.'],
    ['a secret', { secret }, 'ES256', 'This algorithm needs a key pair, not a secret.'],
    ['DER as text', { der: 'text' }, 'ES256', 'The member der must be bytes.'],
    ['DER as an array', { der: [...spki] }, 'ES256', 'The member der must be bytes.'],
    ['a member of another name', { other: 1 }, 'ES256', objectMessage],
    [
      'an object that looks like a KeyObject',
      { keyObject: { ...es, type: 'public' } },
      'ES256',
      objectMessage,
    ],
    ['null as a JWK', { jwk: null }, 'ES256', 'A JWK must be an object.'],
    ['a list of JWKs', { jwk: [esJwk] }, 'ES256', 'A JWK must be an object.'],
    ['no PEM', { pem: 'text' }, 'ES256', pemMessage],
    ['a list of PEM', { pem: [spkiPem] }, 'ES256', pemMessage],
    [
      'PEM under another label',
      { pem: spkiPem.replaceAll('PUBLIC KEY', 'CERTIFICATE') },
      'ES256',
      pemMessage,
    ],
    ['PEM around something else', { pem: spkiPem.replace('MFk', 'AFk') }, 'ES256', derMessage],
    ['no bytes', { der: Buffer.alloc(0) }, 'ES256', derMessage],
    ['two keys', { der: Buffer.concat([spki, spki]) }, 'ES256', derMessage],
    [
      'a key as a certificate in PEM',
      { certificate: spkiPem },
      'ES256',
      'The PEM must be one block, CERTIFICATE.',
    ],
    [
      'PEM without a certificate',
      { certificate: 'text' },
      'ES256',
      'The PEM must be one block, CERTIFICATE.',
    ],
    ['a key as a certificate in DER', { certificate: spki }, 'ES256', certificateMessage],
    ['a number as a certificate', { certificate: 7 }, 'ES256', certificateMessage],
  ])('%s is refused', (_name, input, alg, message) => {
    importBoth(input, alg, message)
  })
})

test('if the wrong half of a pair is given, the message names the needed half', () => {
  for (const [alg, key] of [
    ['ES256', es],
    ['RS256', rs],
    ['Ed25519', ed],
  ] as const) {
    const publicKey = createPublicKey(key)
    expect(() => importSigningKey({ keyObject: publicKey }, { alg })).toThrow(
      'Signing with this algorithm needs a private key.',
    )
    expect(() => importVerifyingKey({ keyObject: key }, { alg })).toThrow(
      'Verifying with this algorithm needs a public key.',
    )
    expect(() => importVerifyingKey({ jwk: key.export({ format: 'jwk' }) }, { alg })).toThrow(
      'This JWK is private; import it as a signing key.',
    )
  }
  expect(() => importVerifyingKey({ keyObject: es }, { alg: 'HS256' })).toThrow(
    'HMAC needs a secret; this is a public or private key.',
  )
})

describe('secrets', () => {
  test.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ] as const)(
    'for one that is too short for %s, the message names the minimum of %i bytes',
    (alg, bytes) => {
      const message = `The secret needs at least ${bytes} bytes.`
      importBoth({ secret: Buffer.alloc(bytes - 1, 7) }, alg, message)
    },
  )

  test('the message reports that a secret is a key of another kind', () => {
    const message = 'These bytes are a key for another algorithm, not an HMAC secret.'
    importBoth({ secret: spki }, 'HS256', message)
    importBoth({ secret: Buffer.from(spkiPem) }, 'HS256', message)
  })
})

describe('a JWK', () => {
  const at = (jwk: object, alg: Algorithm) => () => importVerifyingKey({ jwk }, { alg })

  test.each<[what: string, jwk: object, alg: Algorithm, message: string]>([
    [
      'of another alg',
      { ...esJwk, alg: 'ES384' },
      'ES256',
      'The JWK is for another algorithm than the one declared.',
    ],
    [
      'of alg EdDSA for another algorithm',
      { ...esJwk, alg: 'EdDSA' },
      'ES256',
      'The JWK is for another algorithm than the one declared.',
    ],
    [
      'of another use',
      { ...esJwk, use: 'enc' },
      'ES256',
      'The JWK is not for signatures: its member use has another value.',
    ],
    [
      'with other key_ops',
      { ...esJwk, key_ops: ['sign'] },
      'ES256',
      'The JWK may not verify: its member key_ops does not allow it.',
    ],
    [
      'with key_ops that are not a list',
      { ...esJwk, key_ops: 'verify' },
      'ES256',
      'The JWK may not verify: its member key_ops does not allow it.',
    ],
    [
      'with key_ops null',
      { ...esJwk, key_ops: null },
      'ES256',
      'The JWK may not verify: its member key_ops does not allow it.',
    ],
    [
      'with an invalid kid',
      { ...esJwk, kid: 'a/b' },
      'ES256',
      'The kid of a JWK must be 1 to 64 characters of A-Z a-z 0-9 _ and -.',
    ],
    ['of kty RSA for ES256', rsJwk, 'ES256', 'The algorithm needs a JWK with kty EC.'],
    ['of kty EC for RS256', esJwk, 'RS256', 'The algorithm needs a JWK with kty RSA.'],
    ['of kty EC for PS512', esJwk, 'PS512', 'The algorithm needs a JWK with kty RSA.'],
    ['of kty EC for Ed25519', esJwk, 'Ed25519', 'The algorithm needs a JWK with kty OKP.'],
    ['of kty EC for HS256', esJwk, 'HS256', 'The algorithm needs a JWK with kty oct.'],
    ['of another curve', esJwk, 'ES384', 'The algorithm needs a JWK with crv P-384.'],
    [
      'of X25519',
      { ...edJwk, crv: 'X25519' },
      'Ed25519',
      'The algorithm needs a JWK with crv Ed25519.',
    ],
    [
      'of more than two primes',
      { ...rsJwk, oth: [] },
      'RS256',
      'RSA keys of more than two primes are not supported.',
    ],
    [
      'without x',
      { ...esJwk, x: undefined },
      'ES256',
      'The JWK member x is missing or not base64url.',
    ],
    ['with x empty', { ...esJwk, x: '' }, 'ES256', 'The JWK member x is missing or not base64url.'],
    [
      'with padding in y',
      { ...esJwk, y: `${String(esJwk.y)}=` },
      'ES256',
      'The JWK member y is missing or not base64url.',
    ],
    ['with x short', { ...esJwk, x: 'AAAA' }, 'ES256', 'The JWK member x must have 32 bytes.'],
    ['with y short', { ...esJwk, y: 'AAAA' }, 'ES256', 'The JWK member y must have 32 bytes.'],
    [
      'of Ed25519 with x short',
      { ...edJwk, x: 'AAAA' },
      'Ed25519',
      'The JWK member x must have 32 bytes.',
    ],
    [
      'with a leading zero in n',
      { ...rsJwk, n: `AAAA${String(rsJwk.n)}` },
      'RS256',
      'The JWK member n has a leading zero.',
    ],
    [
      'with a leading zero in e',
      { ...rsJwk, e: 'AAEAAQ' },
      'RS256',
      'The JWK member e has a leading zero.',
    ],
    ['without k', { kty: 'oct' }, 'HS256', 'The JWK member k is missing or not base64url.'],
    [
      'with a point that is not on its curve',
      { ...esJwk, y: esJwk.x },
      'ES256',
      'The JWK is not a valid key.',
    ],
  ])('%s', (_what, jwk, alg, message) => {
    expect(at(jwk, alg)).toThrow(new TypeError(message))
  })

  test('the message names each missing member of a private JWK', () => {
    const rsPrivateJwk = rs.export({ format: 'jwk' })
    const sign = (jwk: object, alg: Algorithm) => () => importSigningKey({ jwk }, { alg })
    for (const name of ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi']) {
      expect(sign({ ...rsPrivateJwk, [name]: undefined }, 'RS256')).toThrow(
        `The JWK member ${name} is missing or not base64url.`,
      )
    }
    for (const name of ['x', 'y', 'd']) {
      expect(sign({ ...esPrivateJwk, [name]: 'AAAA' }, 'ES256')).toThrow(
        `The JWK member ${name} must have 32 bytes.`,
      )
    }
    for (const name of ['x', 'd']) {
      expect(sign({ ...ed.export({ format: 'jwk' }), [name]: 'AAAA' }, 'Ed25519')).toThrow(
        `The JWK member ${name} must have 32 bytes.`,
      )
    }
    expect(sign({ ...esPrivateJwk, key_ops: ['verify'] }, 'ES256')).toThrow(
      'The JWK may not sign: its member key_ops does not allow it.',
    )
  })

  test('the message reports that the halves belong to two keys', () => {
    const { x } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
    const mixed = { ...ed.export({ format: 'jwk' }), x }
    // Node 26 reads both halves itself, and older versions read only the private half.
    expect(() => importSigningKey({ jwk: mixed }, { alg: 'Ed25519' })).toThrow(
      /^The (?:private and public parts of this JWK do not belong together|JWK is not a valid key)\.$/,
    )
  })
})

test('the message reports that a PKCS#8 key has the public half of another key', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
  const pkcs8 = es.export({ format: 'der', type: 'pkcs8' })
  // The point of the public half is at the end of both keys (RFC 5915 §3, RFC 5480 §2.2).
  const point = other.export({ format: 'der', type: 'spki' }).subarray(-65)
  const der = Buffer.concat([pkcs8.subarray(0, -65), point])
  expect(importSigningKey({ der: pkcs8 }, { alg: 'ES256' }).alg).toBe('ES256')
  expect(() => importSigningKey({ der }, { alg: 'ES256' })).toThrow(
    'The private and public parts of this key do not belong together.',
  )
})

test('the message names the allowed characters of a kid', () => {
  for (const kid of ['', 'a b', 'x'.repeat(65), 7, null]) {
    const options = { alg: 'HS256', kid } as never
    expect(() => importSigningKey({ secret }, options)).toThrow(
      'A kid must be 1 to 64 characters of A-Z a-z 0-9 _ and -.',
    )
  }
  expect(importSigningKey({ secret }, { alg: 'HS256', kid: 'x'.repeat(64) }).kid).toHaveLength(64)
})

test('the message asks to import an object of another origin first', () => {
  const verifying = 'This is not a verifying key; import it first.'
  const signing = 'This is not a signing key; import it first.'
  const fake = { alg: 'ES256', kid: 'x' } as const
  expect(() => createSigner(fake, { typ: 'x' })).toThrow(signing)
  expect(() => signJws(Buffer.from('x'), fake)).toThrow(signing)
  expect(() => verifyingKeyOf(fake)).toThrow(signing)
  expect(() => publicJwkOf(fake)).toThrow(verifying)
  expect(() => verifyJws('a.b.c', fake)).toThrow(verifying)
  expect(() => createKeySet([fake])).toThrow(verifying)
  expect(() => verifyJws('a.b.c', { keys: [fake], get: () => undefined })).toThrow(verifying)
  for (const keys of [undefined, null, 'x', 7]) {
    expect(() => verifyJws('a.b.c', keys as never)).toThrow(
      'The option keys must be a verifying key or a key set.',
    )
    expect(() =>
      createVerifier({ keys: keys as never, typ: 'x', issuer: 'I', audience: null }),
    ).toThrow('The option keys must be a verifying key or a key set.')
  }
  expect(() => publicJwkOf(signingKeyFor('HS256'))).toThrow('An HMAC key has no public half.')
})

test('the message tells which keys a set refuses', () => {
  const key = verifyingKeyOf(signingKeyFor('ES256'))
  const nameless = importVerifyingKey({ secret }, { alg: 'HS256' })
  expect(() => createKeySet([nameless])).toThrow('Every key of a set needs a kid.')
  expect(() => createKeySet([key, key])).toThrow('Two keys of a set have the same kid.')
})

describe('a thumbprint', () => {
  test.each([[null], ['RSA'], [[]], [{}], [{ kty: 'oct', k: 'AAAA' }], [{ kty: 'toString' }]])(
    '%j has no thumbprint',
    (jwk) => {
      expect(() => jwkThumbprint(jwk)).toThrow('Only EC, OKP, RSA and AKP keys have a thumbprint.')
    },
  )

  test.each<[name: string, jwk: object]>([
    ['x', { ...esJwk, x: undefined }],
    ['x', { ...esJwk, x: 7 }],
    ['y', { ...esJwk, y: '' }],
    ['crv', { ...esJwk, crv: '' }],
    ['crv', { ...esJwk, crv: ['P-256'] }],
    ['e', { ...rsJwk, e: 'AQAB=' }],
    ['n', { kty: 'RSA', e: 'AQAB' }],
    ['alg', { kty: 'AKP', pub: 'AAAA' }],
    ['pub', { kty: 'AKP', alg: 'ML-DSA-44', pub: '+A' }],
    ['e', Object.assign(Object.create({ e: 'AQAB' }) as object, { kty: 'RSA', n: rsJwk.n })],
  ])('without a valid %s there is no thumbprint', (name, jwk) => {
    expect(() => jwkThumbprint(jwk)).toThrow(`The JWK member ${name} is missing or invalid.`)
  })

  test('is the same for the private and the public half', () => {
    expect(jwkThumbprint(esPrivateJwk)).toBe(jwkThumbprint(esJwk))
    expect(jwkThumbprint({ ...esJwk, kid: 'other', use: 'sig' })).toBe(jwkThumbprint(esJwk))
  })
})

test('the message reports that an algorithm is not supported', () => {
  const message = 'The option alg is not a supported algorithm.'
  expect(() => generateSigningKey('none' as never)).toThrow(message)
})
