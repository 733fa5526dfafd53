import {
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  createSigner,
  importSigningKey,
  importVerifyingKey,
  publicJwkOf,
  verifyingKeyOf,
  type Algorithm,
} from '../src/index.ts'
import {
  algorithms,
  keyObjectFor,
  secret,
  signingKeyFor,
  validClaims,
  verifierFor,
} from './tokens.ts'

const asymmetric = algorithms.filter((alg) => !alg.startsWith('HS'))

function pairOf(alg: Algorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  const privateKey = keyObjectFor(alg)
  if (privateKey === undefined) throw new Error('HMAC has no pair')
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

describe.each(asymmetric)('%s', (alg) => {
  const { privateKey, publicKey } = pairOf(alg)
  const kid = signingKeyFor(alg).kid
  const privatePem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const publicPem = publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const privateJwk = privateKey.export({ format: 'jwk' })
  const publicJwk = publicKey.export({ format: 'jwk' })

  test('every form results in the same key, with its thumbprint as kid', () => {
    for (const input of [{ keyObject: privateKey }, { pem: privatePem }, { jwk: privateJwk }]) {
      expect(importSigningKey(input, { alg }).kid).toBe(kid)
    }
    for (const input of [{ keyObject: publicKey }, { pem: publicPem }, { jwk: publicJwk }]) {
      const keys = importVerifyingKey(input, { alg })
      expect(keys.kid).toBe(kid)
      const token = createSigner(signingKeyFor(alg), { typ: 'at+jwt' }).sign(validClaims())
      expect(verifierFor(signingKeyFor(alg), { keys }).verify(token).ok).toBe(true)
    }
  })

  test('one half in place of the other is refused', () => {
    for (const input of [{ keyObject: publicKey }, { pem: publicPem }, { jwk: publicJwk }]) {
      expect(() => importSigningKey(input, { alg })).toThrow(TypeError)
    }
    for (const input of [{ keyObject: privateKey }, { pem: privatePem }, { jwk: privateJwk }]) {
      expect(() => importVerifyingKey(input, { alg })).toThrow(TypeError)
    }
  })

  test('no other family accepts the key, in any form', () => {
    for (const other of algorithms.filter((each) => keyObjectFor(each) !== privateKey)) {
      for (const input of [{ keyObject: publicKey }, { pem: publicPem }, { jwk: publicJwk }]) {
        expect(() => importVerifyingKey(input, { alg: other })).toThrow(TypeError)
      }
      for (const input of [{ keyObject: privateKey }, { pem: privatePem }, { jwk: privateJwk }]) {
        expect(() => importSigningKey(input, { alg: other })).toThrow(TypeError)
      }
    }
  })

  test('the published JWK has no private member', () => {
    const published = publicJwkOf(importSigningKey({ jwk: privateJwk }, { alg, kid: 'k' }))
    expect(published).toEqual({ ...publicJwk, alg, kid: 'k', use: 'sig' })
    for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'])
      expect(published).not.toHaveProperty(name)
  })

  test('a private part that belongs to another public part is refused', () => {
    const other = otherPairOf(alg).export({ format: 'jwk' })
    const publicNames = ['n', 'e', 'x', 'y'].filter((name) => name in other)
    const mixed = {
      ...privateJwk,
      ...Object.fromEntries(publicNames.map((name) => [name, other[name]])),
    }
    expect(() => importSigningKey({ jwk: mixed }, { alg })).toThrow(TypeError)
  })

  test('a JWK for another purpose is refused', () => {
    for (const more of [
      { alg: alg === 'RS256' ? 'PS256' : 'RS256' },
      { alg: null },
      { use: 'enc' },
      { key_ops: ['sign'] },
      { key_ops: [] },
      { key_ops: 'verify' },
      { kty: 'oct' },
      { kty: 'toString' },
      { kid: '../..' },
      { kid: 1 },
    ]) {
      expect(() => importVerifyingKey({ jwk: { ...publicJwk, ...more } }, { alg })).toThrow(
        TypeError,
      )
    }
    const declared = { ...publicJwk, alg, use: 'sig', key_ops: ['verify'], kid: 'own' }
    expect(importVerifyingKey({ jwk: declared }, { alg }).kid).toBe('own')
    expect(importVerifyingKey({ jwk: declared }, { alg, kid: 'ours' }).kid).toBe('ours')
  })

  test('a JWK with a missing, truncated or respelled member is refused', () => {
    for (const name of ['n', 'e', 'x', 'y', 'crv'].filter((each) => each in publicJwk)) {
      const value = String(publicJwk[name])
      for (const wrong of [
        undefined,
        null,
        1,
        '',
        `${value}=`,
        `${value}A`,
        `AA${value}`,
        ` ${value}`,
      ]) {
        const jwk = { ...publicJwk, [name]: wrong }
        expect(() => importVerifyingKey({ jwk }, { alg }), `${name} ${String(wrong)}`).toThrow(
          TypeError,
        )
      }
    }
  })
})

function otherPairOf(alg: Algorithm): KeyObject {
  if (alg === 'Ed25519') return generateKeyPairSync('ed25519').privateKey
  if (alg.startsWith('ES')) {
    const namedCurve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg as 'ES256']
    return generateKeyPairSync('ec', { namedCurve }).privateKey
  }
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
}

describe('weak and foreign keys are refused', () => {
  test('RSA below 2048 bits', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    for (const alg of ['RS256', 'PS256'] as const) {
      expect(() => importVerifyingKey({ keyObject: publicKey }, { alg })).toThrow('2048')
      expect(() => importSigningKey({ keyObject: privateKey }, { alg })).toThrow('2048')
    }
  })

  test.each(['AQ', 'Aw', 'Ag', 'AQAA'])('RSA with the exponent %s', (e) => {
    const jwk = { ...pairOf('RS256').publicKey.export({ format: 'jwk' }), e }
    expect(() => importVerifyingKey({ jwk }, { alg: 'RS256' })).toThrow(TypeError)
  })

  test('secp256k1 for ES256', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
    expect(() => importVerifyingKey({ keyObject: publicKey }, { alg: 'ES256' })).toThrow('P-256')
    const jwk = { ...publicKey.export({ format: 'jwk' }), crv: 'P-256' }
    expect(() => importVerifyingKey({ jwk }, { alg: 'ES256' })).toThrow(TypeError)
  })

  test('a point that is not on the curve', () => {
    const jwk = pairOf('ES256').publicKey.export({ format: 'jwk' })
    expect(() => importVerifyingKey({ jwk: { ...jwk, y: jwk.x } }, { alg: 'ES256' })).toThrow(
      TypeError,
    )
  })

  test('Ed448 and X25519 for Ed25519', () => {
    for (const { publicKey } of [generateKeyPairSync('ed448'), generateKeyPairSync('x25519')]) {
      expect(() => importVerifyingKey({ keyObject: publicKey }, { alg: 'Ed25519' })).toThrow(
        TypeError,
      )
    }
  })

  test.each([
    ['HS256', 31],
    ['HS384', 47],
    ['HS512', 63],
  ] as const)('%s with a secret of %i bytes', (alg, bytes) => {
    for (const length of [0, 1, bytes]) {
      const short = Buffer.alloc(length, 7)
      expect(() => importSigningKey({ secret: short }, { alg })).toThrow(TypeError)
      const jwk = { kty: 'oct', k: short.toString('base64url') }
      expect(() => importVerifyingKey({ jwk }, { alg })).toThrow(TypeError)
    }
    expect(importSigningKey({ secret: Buffer.alloc(bytes + 1, 7) }, { alg }).kid).toBeUndefined()
  })

  test('a public key as a secret, in every form', () => {
    const { publicKey } = pairOf('RS256')
    const ssh = `ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ${'A'.repeat(200)} me@host`
    const forms = [
      Buffer.from(JSON.stringify(publicKey.export({ format: 'jwk' }))),
      publicKey.export({ format: 'der', type: 'spki' }),
      publicKey.export({ format: 'der', type: 'pkcs1' }),
      Buffer.from(publicKey.export({ format: 'pem', type: 'pkcs1' })),
      Buffer.from(ssh),
      Buffer.from(`-----BEGIN CERTIFICATE-----\n${'A'.repeat(64)}`),
    ]
    for (const bytes of forms) {
      expect(() => importVerifyingKey({ secret: bytes }, { alg: 'HS256' })).toThrow(TypeError)
      const keyObject = createSecretKey(bytes)
      expect(() => importVerifyingKey({ keyObject }, { alg: 'HS256' })).toThrow(TypeError)
    }
    expect(() => importVerifyingKey({ keyObject: publicKey }, { alg: 'HS256' })).toThrow(TypeError)
  })

  test('an RSA key that is restricted to other PSS parameters', () => {
    const restricted = restrictedPssPair('sha256', 32)
    expect(() =>
      importVerifyingKey({ keyObject: restricted.publicKey }, { alg: 'PS384' }),
    ).toThrow()
    expect(() =>
      importVerifyingKey({ keyObject: restricted.publicKey }, { alg: 'RS256' }),
    ).toThrow()
  })
})

test('RSA-PSS keys work for their own algorithm, restricted or not', () => {
  const plain = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
  const restricted = restrictedPssPair('sha384', 48)
  for (const { privateKey, publicKey } of [plain, restricted]) {
    const key = importSigningKey({ keyObject: privateKey }, { alg: 'PS384' })
    const keys = importVerifyingKey({ keyObject: publicKey }, { alg: 'PS384' })
    const token = createSigner(key, { typ: 'at+jwt' }).sign(validClaims())
    expect(verifierFor(key, { keys }).verify(token).ok).toBe(true)
    expect(keys.kid).toBe(key.kid)
  }
})

function restrictedPssPair(hash: string, saltLength: number) {
  const options = { modulusLength: 2048, hashAlgorithm: hash, mgf1HashAlgorithm: hash }
  // The type declarations require a string for the length, but Node accepts only a number.
  return generateKeyPairSync('rsa-pss', { ...options, saltLength: saltLength as never })
}

describe('PEM is one block of SPKI or PKCS#8, and nothing else', () => {
  const { privateKey, publicKey } = pairOf('RS256')
  const spki = publicKey.export({ format: 'pem', type: 'spki' }).toString()

  test.each([
    ['PKCS#1', publicKey.export({ format: 'pem', type: 'pkcs1' }).toString()],
    ['a byte order mark', `\u200B${spki}`],
    ['a comment', `# production\n${spki}`],
    ['two blocks', spki + spki],
    ['another end', spki.replace('END PUBLIC', 'END PRIVATE')],
    ['a damaged body', spki.replace('MII', 'AAA')],
    ['no PEM', 'secret'],
    ['nothing', ''],
    ['a megabyte', spki.replace('\n', '\n'.repeat(1_000_000))],
  ])('%s is refused', (_name, pem) => {
    expect(() => importVerifyingKey({ pem }, { alg: 'RS256' })).toThrow(TypeError)
  })

  test('an encrypted private key is refused', () => {
    const options = {
      format: 'pem',
      type: 'pkcs8',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    } as const
    const pem = privateKey.export(options).toString()
    expect(() => importSigningKey({ pem }, { alg: 'RS256' })).toThrow(TypeError)
  })

  test('16,384 characters are read, longer text is refused', () => {
    const longest = spki + ' '.repeat(16_384 - spki.length)
    expect(importVerifyingKey({ pem: longest }, { alg: 'RS256' }).alg).toBe('RS256')
    expect(() => importVerifyingKey({ pem: `${longest} ` }, { alg: 'RS256' })).toThrow(
      'The PEM must be one block',
    )
  })

  test('CRLF and white space around it are read', () => {
    const pem = `\n ${spki.replaceAll('\n', '\r\n')}\n`
    expect(importVerifyingKey({ pem }, { alg: 'RS256' }).kid).toBe(signingKeyFor('RS256').kid)
  })
})

test('a coordinate that begins with a zero is accepted, because its width is fixed', () => {
  let jwk: JsonWebKey = {}
  do {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    jwk = publicKey.export({ format: 'jwk' })
  } while (Buffer.from(String(jwk.x), 'base64url')[0] !== 0)
  expect(publicJwkOf(importVerifyingKey({ jwk }, { alg: 'ES256' }))).toMatchObject(jwk)
})

test.each([
  ['none', { secret }, 'none'],
  ['a prototype name', { secret }, 'constructor'],
  ['nothing', { secret }, undefined],
  ['an array', { secret }, ['HS256']],
])('an algorithm that is %s is refused', (_name, input, alg) => {
  expect(() => importSigningKey(input, { alg: alg as Algorithm })).toThrow(TypeError)
})

test.each([
  [undefined],
  [null],
  ['text'],
  [{}],
  [{ secret, pem: '' }],
  [{ secret: 'text' }],
  [{ pem: 1 }],
  [{ jwk: null }],
  [{ keyObject: {} }],
])('an invalid input is refused: %#', (input) => {
  expect(() => importSigningKey(input as never, { alg: 'HS256' })).toThrow(TypeError)
  expect(() => importVerifyingKey(input as never, { alg: 'ES256' })).toThrow(TypeError)
})

test.each(['', 'a b', 'a/b', '..', 'é', 'a'.repeat(65), 'a\n'])('the kid %j is refused', (kid) => {
  expect(() => importSigningKey({ secret }, { alg: 'HS256', kid })).toThrow(TypeError)
})

test('no message contains key material', () => {
  const jwk: JsonWebKey = pairOf('ES256').privateKey.export({ format: 'jwk' })
  for (const [input, alg] of [
    [{ jwk: { ...jwk, x: jwk.y } }, 'ES256'],
    [{ jwk: { ...jwk, d: `${jwk.d}=` } }, 'ES256'],
    [{ jwk }, 'ES384'],
  ] as const) {
    const shown = errorText(() => importSigningKey({ ...input }, { alg }))
    for (const value of [jwk.d, jwk.x, jwk.y])
      expect(shown).not.toContain(String(value).slice(0, 6))
  }
})

function errorText(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return error instanceof TypeError ? `${error.stack} ${String(error.cause)}` : ''
  }
  throw new Error('nothing was thrown')
}

test('a secret is copied: changing the bytes afterwards does not change the key', () => {
  const bytes = Buffer.from(secret)
  const key = importSigningKey({ secret: bytes }, { alg: 'HS256' })
  bytes.fill(0)
  const token = createSigner(key, { typ: 'at+jwt' }).sign(validClaims())
  expect(verifierFor(signingKeyFor('HS256')).verify(token).ok).toBe(true)
  expect(verifyingKeyOf(key).alg).toBe('HS256')
})
