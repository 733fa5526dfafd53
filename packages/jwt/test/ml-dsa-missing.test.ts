import { expect, test, vi } from 'vitest'
import {
  generateSigningKey,
  importSigningKey,
  importVerifyingKey,
  keySetFromJwks,
  publicJwkOf,
} from '../src/index.ts'
import { signingKeyFor } from './tokens.ts'

// An older Node, as far as it can be had inside this one: it refuses the name of the key type.
vi.mock('node:crypto', async (importOriginal) => {
  const crypto = await importOriginal<typeof import('node:crypto')>()
  const generateKeyPairSync = (type: string, ...rest: unknown[]) => {
    if (type.startsWith('ml-dsa')) throw new TypeError(`Received '${type}'`)
    return Reflect.apply(crypto.generateKeyPairSync, undefined, [type, ...rest]) as unknown
  }
  return { ...crypto, generateKeyPairSync }
})

const alg = 'ML-DSA-44'
const jwk = { kty: 'AKP', alg, kid: 'pq', pub: Buffer.alloc(1312, 1).toString('base64url') }

test('a runtime without ML-DSA says so, whatever the key', () => {
  for (const input of [{ jwk }, { pem: 'x' }, { der: Buffer.from('x') }]) {
    expect(() => importVerifyingKey(input, { alg })).toThrow('This runtime has no ML-DSA')
    expect(() => importSigningKey(input, { alg })).toThrow(TypeError)
  }
  expect(() => generateSigningKey(alg)).toThrow('This runtime has no ML-DSA')
})

test('there, a JWKS with such a key still gives the others', () => {
  const set = keySetFromJwks({ keys: [jwk, publicJwkOf(signingKeyFor('ES256'))] })
  expect(set?.keys.map((key) => key.alg)).toEqual(['ES256'])
})
