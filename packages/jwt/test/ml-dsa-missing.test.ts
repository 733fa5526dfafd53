import { afterAll, expect, test, vi } from 'vitest'

// Simulates an older Node, which refuses the name of the key type. The package tests for ML-DSA once, so the
// modules must be loaded again here.
vi.resetModules()
vi.doMock('node:crypto', async (importOriginal) => {
  const crypto = await importOriginal<typeof import('node:crypto')>()
  const generateKeyPairSync = (type: string, ...rest: unknown[]) => {
    if (type.startsWith('ml-dsa')) throw new TypeError(`Received '${type}'`)
    return Reflect.apply(crypto.generateKeyPairSync, undefined, [type, ...rest]) as unknown
  }
  return { ...crypto, generateKeyPairSync }
})
const { generateSigningKey, importSigningKey, importVerifyingKey, keySetFromJwks, publicJwkOf } =
  await import('../src/index.ts')

afterAll(() => {
  vi.doUnmock('node:crypto')
  vi.resetModules()
})

const alg = 'ML-DSA-44'
const jwk = { kty: 'AKP', alg, kid: 'pq', pub: Buffer.alloc(1312, 1).toString('base64url') }
const message = 'This runtime has no ML-DSA. Use Node 24.6 or newer with OpenSSL 3.5.'

test('a runtime without ML-DSA reports that for every form of key', () => {
  for (const input of [{ jwk }, { pem: 'x' }, { der: Buffer.from('x') }]) {
    expect(() => importVerifyingKey(input, { alg })).toThrow(message)
    expect(() => importSigningKey(input, { alg })).toThrow(message)
  }
  expect(() => generateSigningKey(alg)).toThrow(message)
})

test('without ML-DSA other keys work, also from a JWKS that has an ML-DSA key', () => {
  const es = publicJwkOf(generateSigningKey('ES256', { kid: 'es' }))
  expect(importVerifyingKey({ jwk: es }, { alg: 'ES256' }).kid).toBe('es')
  expect(keySetFromJwks({ keys: [jwk, es] })?.keys.map((key) => key.alg)).toEqual(['ES256'])
})
