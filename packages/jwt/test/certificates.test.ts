import { createPublicKey, generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  createSigner,
  importSigningKey,
  importVerifyingKey,
  keySetFromJwks,
  publicJwkOf,
  type Algorithm,
} from '../src/index.ts'
import { encodeElement, tags } from '../src/key/der.ts'
import {
  algorithms,
  encodePart,
  keyObjectFor,
  signingKeyFor,
  validClaims,
  verifierFor,
} from './tokens.ts'

const asymmetric = algorithms.filter((alg) => !alg.startsWith('HS'))

/** Makes a certificate (RFC 5280 §4.1) that expired in 2001 and has an invalid signature. */
function certificateOf(spki: Uint8Array, signatureBytes = 3): Buffer {
  const ecdsaWithSha256 = Buffer.from('2a8648ce3d040302', 'hex')
  const algorithm = encodeElement(tags.sequence, encodeElement(tags.oid, ecdsaWithSha256))
  const utcTime = (text: string) => encodeElement(0x17, Buffer.from(text))
  const name = encodeElement(tags.sequence)
  const body = encodeElement(
    tags.sequence,
    encodeElement(tags.explicit, encodeElement(tags.integer, Buffer.from([2]))),
    encodeElement(tags.integer, Buffer.from([1])),
    algorithm,
    name,
    encodeElement(tags.sequence, utcTime('000101000000Z'), utcTime('010101000000Z')),
    name,
    spki,
  )
  const signature = encodeElement(tags.bitString, Buffer.of(0), Buffer.alloc(signatureBytes, 1))
  return encodeElement(tags.sequence, body, algorithm, signature)
}

function pemOf(der: Uint8Array, label = 'CERTIFICATE'): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

function pairOf(alg: Algorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  const privateKey = keyObjectFor(alg)
  if (privateKey === undefined) throw new Error('HMAC has no pair')
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

describe.each(asymmetric)('%s', (alg) => {
  const { privateKey, publicKey } = pairOf(alg)
  const spki = publicKey.export({ format: 'der', type: 'spki' })
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
  const certificate = certificateOf(spki)
  const signingKey = signingKeyFor(alg)
  const token = createSigner(signingKey, { typ: 'at+jwt' }).sign(validClaims())

  test('the key of a certificate is read, as PEM and as DER', () => {
    for (const source of [certificate, new Uint8Array(certificate), pemOf(certificate)]) {
      const keys = importVerifyingKey({ certificate: source }, { alg })
      expect(keys.kid).toBe(signingKey.kid)
      expect(verifierFor(signingKey, { keys }).verify(token).ok).toBe(true)
    }
  })

  test('its published JWK contains the certificate, and can be read again', () => {
    const key = importVerifyingKey({ certificate }, { alg, kid: 'k' })
    const jwk = publicJwkOf(key)
    expect(jwk).toEqual({
      ...publicJwkOf(signingKey),
      kid: 'k',
      x5c: [certificate.toString('base64')],
      'x5t#S256': hash('sha256', certificate, 'base64url'),
    })
    expect(keySetFromJwks({ keys: [jwk] })?.get('k')?.alg).toBe(alg)
    jwk.x5c?.push('more')
    expect(publicJwkOf(key).x5c).toHaveLength(1)
  })

  test('DER is read: SPKI to verify, PKCS#8 to sign', () => {
    expect(importVerifyingKey({ der: spki }, { alg }).kid).toBe(signingKey.kid)
    expect(importSigningKey({ der: pkcs8 }, { alg }).kid).toBe(signingKey.kid)
    expect(importSigningKey({ der: new Uint8Array(pkcs8) }, { alg }).kid).toBe(signingKey.kid)
  })

  test('DER of another kind, cut, lengthened or as text is refused', () => {
    const pem = publicKey.export({ format: 'pem', type: 'spki' })
    for (const der of [pkcs8, certificate, Buffer.concat([spki, Buffer.from([0])])]) {
      expect(() => importVerifyingKey({ der }, { alg })).toThrow(TypeError)
    }
    for (const der of [Buffer.from(pem), Buffer.alloc(0), spki.subarray(1), spki.subarray(0, -1)]) {
      expect(() => importVerifyingKey({ der }, { alg })).toThrow(TypeError)
    }
    for (const der of [spki, Buffer.concat([pkcs8, spki]), pkcs8.subarray(0, -1), 'x' as never]) {
      expect(() => importSigningKey({ der }, { alg })).toThrow(TypeError)
    }
  })

  test('no other algorithm accepts the certificate, and it cannot sign', () => {
    for (const other of algorithms.filter((each) => keyObjectFor(each) !== privateKey)) {
      expect(() => importVerifyingKey({ certificate }, { alg: other })).toThrow(TypeError)
    }
    expect(() => importSigningKey({ certificate }, { alg })).toThrow(TypeError)
  })
})

const { publicKey: esKey } = pairOf('ES256')
const esSpki = esKey.export({ format: 'der', type: 'spki' })
const esCertificate = certificateOf(esSpki)

test.each([
  ['two PEM blocks', pemOf(esCertificate).repeat(2)],
  ['text around the block', `subject=CN\n${pemOf(esCertificate)}`],
  ['another label', pemOf(esCertificate, 'PUBLIC KEY')],
  ['a bare key as PEM', pemOf(esSpki, 'PUBLIC KEY')],
  ['a bare key under the label', pemOf(esSpki)],
  ['a bare key as DER', esSpki],
  ['PEM text as bytes', Buffer.from(pemOf(esCertificate))],
  ['bytes after the DER', Buffer.concat([esCertificate, Buffer.from([0])])],
  ['two certificates as DER', Buffer.concat([esCertificate, esCertificate])],
  ['a truncated certificate', esCertificate.subarray(0, -1)],
  ['nothing', ''],
  ['no bytes', Buffer.alloc(0)],
  ['too many bytes', Buffer.alloc(20_000, 0x30)],
  ['no text', 1 as never],
  ['a chain', [esCertificate] as never],
])('%s is refused as a certificate', (_name, certificate) => {
  expect(() => importVerifyingKey({ certificate }, { alg: 'ES256' })).toThrow(TypeError)
})

test('a certificate of 16,384 bytes is read, a longer one is refused', () => {
  const bytes = certificateOf(esSpki, 10_000).length
  const longest = certificateOf(esSpki, 10_000 + 16_384 - bytes)
  const tooLong = certificateOf(esSpki, 10_000 + 16_385 - bytes)
  expect([longest.length, tooLong.length]).toEqual([16_384, 16_385])
  expect(importVerifyingKey({ certificate: longest }, { alg: 'ES256' }).alg).toBe('ES256')
  expect(() => importVerifyingKey({ certificate: tooLong }, { alg: 'ES256' })).toThrow(
    'The certificate must be one X.509 certificate, as PEM text or DER bytes.',
  )
})

test('a certificate that is not text or bytes is refused', () => {
  const { buffer, byteOffset, byteLength } = new Uint8Array(esCertificate)
  const view = new DataView(buffer, byteOffset, byteLength)
  expect(() => importVerifyingKey({ certificate: view as never }, { alg: 'ES256' })).toThrow(
    'The certificate must be one X.509 certificate, as PEM text or DER bytes.',
  )
})

test('a key from a certificate refuses tokens with the old name EdDSA', () => {
  const { privateKey, publicKey } = pairOf('Ed25519')
  const certificate = certificateOf(publicKey.export({ format: 'der', type: 'spki' }))
  const keys = importVerifyingKey({ certificate }, { alg: 'Ed25519' })
  const parts = [{ alg: 'EdDSA', typ: 'at+jwt' }, validClaims()].map((part) => encodePart(part))
  const signature = sign(null, Buffer.from(parts.join('.')), privateKey)
  const token = `${parts.join('.')}.${encodePart(signature)}`
  expect(verifierFor(signingKeyFor('Ed25519'), { keys }).verify(token)).toEqual({
    ok: false,
    code: 'algorithm_mismatch',
  })
})

test('a certificate is refused if its key is too small or of an unsupported kind', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
  const curve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey
  for (const [key, alg] of [
    [small, 'RS256'],
    [curve, 'ES256'],
  ] as const) {
    const certificate = certificateOf(key.export({ format: 'der', type: 'spki' }))
    expect(() => importVerifyingKey({ certificate }, { alg })).toThrow(TypeError)
  }
  // An algorithm that OpenSSL does not know: 1.2.3.4.
  const oid = encodeElement(tags.sequence, encodeElement(tags.oid, Buffer.from([0x2a, 3, 4])))
  const bits = encodeElement(tags.bitString, Buffer.from([0, 1]))
  const certificate = certificateOf(encodeElement(tags.sequence, oid, bits))
  expect(() => importVerifyingKey({ certificate }, { alg: 'ES256' })).toThrow(TypeError)
})
