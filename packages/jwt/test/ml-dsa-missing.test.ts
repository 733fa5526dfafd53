import { afterAll, expect, test, vi } from 'vitest'

// A simulation of an older Node: it refuses the name of the key type. ML-DSA support is tested once, so the
// modules must be loaded anew here.
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

test('a runtime without ML-DSA says so for every form of key', () => {
  for (const input of [{ jwk }, { pem: 'x' }, { der: Buffer.from('x') }]) {
    expect(() => importVerifyingKey(input, { alg })).toThrow(message)
    expect(() => importSigningKey(input, { alg })).toThrow(message)
  }
  expect(() => generateSigningKey(alg)).toThrow(message)
})

test('without ML-DSA other keys work, and a JWKS with such a key still gives the others', () => {
  const es = publicJwkOf(generateSigningKey('ES256', { kid: 'es' }))
  expect(importVerifyingKey({ jwk: es }, { alg: 'ES256' }).kid).toBe('es')
  expect(keySetFromJwks({ keys: [jwk, es] })?.keys.map((key) => key.alg)).toEqual(['ES256'])
})
