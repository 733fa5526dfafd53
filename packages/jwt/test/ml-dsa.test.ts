import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import * as jose from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  createSigner,
  generateSigningKey,
  importSigningKey,
  importVerifyingKey,
  jwkThumbprint,
  keySetFromJwks,
  publicJwkOf,
  type MlDsaAlgorithm,
  type SigningKey,
} from '../src/index.ts'
import { NOW_MS, signingKeyFor, validClaims, verifierFor } from './tokens.ts'

const sizes: readonly [MlDsaAlgorithm, 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87', number][] = [
  ['ML-DSA-44', 'ml-dsa-44', 1312],
  ['ML-DSA-65', 'ml-dsa-65', 1952],
  ['ML-DSA-87', 'ml-dsa-87', 2592],
]

describe.skipIf(!hasMlDsa()).each(sizes)('%s', (alg, keyType, publicBytes) => {
  const { privateKey, publicKey } = generateKeyPairSync(keyType)
  const jwk = privateKey.export({ format: 'jwk' })
  const { priv: _priv, ...publicJwk } = jwk
  let key: SigningKey
  let token: string

  beforeAll(() => {
    key = importSigningKey({ jwk }, { alg })
    token = createSigner(key, { typ: 'at+jwt' }).sign(validClaims())
  })

  test('a token is signed and verified with keys from every form', () => {
    const forms = [
      { jwk: publicJwk },
      { keyObject: publicKey },
      { pem: publicKey.export({ format: 'pem', type: 'spki' }).toString() },
      { der: publicKey.export({ format: 'der', type: 'spki' }) },
    ]
    for (const form of forms) {
      const keys = importVerifyingKey(form, { alg })
      expect(keys.kid).toBe(key.kid)
      expect(verifierFor(key, { keys }).verify(token)).toMatchObject({ ok: true })
    }
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    expect(importSigningKey({ pem }, { alg }).kid).toBe(key.kid)
  })

  test('jose and this package verify each other, and agree on the thumbprint (RFC 9964)', async () => {
    const { payload } = await jose.jwtVerify(token, await jose.importJWK({ ...publicJwk }, alg), {
      currentDate: new Date(NOW_MS),
    })
    expect(payload).toEqual(validClaims())
    const theirs = await new jose.SignJWT(validClaims())
      .setProtectedHeader({ alg, typ: 'at+jwt' })
      .sign(privateKey)
    expect(verifierFor(key).verify(theirs)).toMatchObject({ ok: true })
    expect(jwkThumbprint(jwk)).toBe(await jose.calculateJwkThumbprint({ ...publicJwkOf(key) }))
    expect(key.kid).toBe(jwkThumbprint(jwk))
  })

  test('the published JWK has alg and pub but no seed', () => {
    expect(publicJwkOf(key)).toEqual({ ...publicJwk, kid: key.kid, use: 'sig' })
    expect(Buffer.from(String(publicJwk['pub']), 'base64url')).toHaveLength(publicBytes)
  })

  test('a changed token is refused', () => {
    for (let at = 0; at < token.length; at += 61) {
      const altered = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      expect(verifierFor(key).verify(altered).ok).toBe(false)
    }
  })

  test('a JWK with a wrong or missing alg, or a missing or truncated member, is refused', () => {
    const pub = String(jwk['pub'])
    for (const more of [
      { alg: undefined },
      { alg: alg === 'ML-DSA-44' ? 'ML-DSA-65' : 'ML-DSA-44' },
      { kty: 'OKP' },
      { pub: undefined },
      { pub: pub.slice(4) },
      { pub: `${pub}=` },
      { priv: jwk['priv'] },
    ]) {
      expect(() => importVerifyingKey({ jwk: { ...publicJwk, ...more } }, { alg })).toThrow(
        TypeError,
      )
    }
    const importIt = (more: object) => () =>
      importVerifyingKey({ jwk: { ...publicJwk, ...more } }, { alg })
    expect(importIt({ alg: undefined })).toThrow('A JWK with kty AKP needs its member alg.')
    expect(importIt({ pub: pub.slice(4) })).toThrow(
      `The JWK member pub must have ${publicBytes} bytes.`,
    )
    expect(() => importSigningKey({ jwk: { ...jwk, priv: 'AAAA' } }, { alg })).toThrow(
      'The JWK member priv must have 32 bytes.',
    )
    const foreign = generateKeyPairSync(keyType).publicKey.export({ format: 'jwk' })
    for (const more of [{ priv: undefined }, { priv: 'AAAA' }, { pub: foreign['pub'] }]) {
      expect(() => importSigningKey({ jwk: { ...jwk, ...more } }, { alg })).toThrow(TypeError)
    }
  })

  test('no other algorithm accepts the key', () => {
    const other = sizes.find(([name]) => name !== alg)?.[1] ?? 'ml-dsa-44'
    const keyObject = generateKeyPairSync(other).publicKey
    expect(() => importVerifyingKey({ keyObject }, { alg })).toThrow(
      `This algorithm needs an ${alg} key.`,
    )
    for (const each of ['ES256', 'Ed25519', 'RS256', 'HS256', ...sizes.map(([name]) => name)]) {
      if (each === alg) continue
      for (const form of [{ jwk: publicJwk }, { keyObject: createPublicKey(privateKey) }]) {
        expect(() => importVerifyingKey(form, { alg: each as 'ES256' })).toThrow(TypeError)
      }
    }
  })

  test('a generated key signs, and is found in a mixed JWKS', () => {
    const generated = generateSigningKey(alg)
    const published = [
      publicJwkOf(signingKeyFor('ES256')),
      publicJwkOf(generated),
      { ...publicJwk, kid: 'no-alg', alg: undefined },
      { ...jwk, kid: 'private' },
    ]
    const keys = keySetFromJwks({ keys: published })
    if (keys === undefined) throw new Error('no set')
    expect(keys.keys.map((each) => each.alg)).toEqual(['ES256', alg])
    const signed = createSigner(generated, { typ: 'at+jwt' }).sign(validClaims())
    expect(verifierFor(key, { keys }).verify(signed).ok).toBe(true)
  })
})

function hasMlDsa(): boolean {
  try {
    generateKeyPairSync('ml-dsa-44')
    return true
  } catch {
    return false
  }
}
