import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { specOf, type Algorithm, type AlgorithmSpec, type HmacSpec } from '../algorithms.ts'
import { importSigningKey } from './import.ts'
import type { SigningKey } from './key.ts'
import { assertMlDsaRuntime } from './ml-dsa.ts'

/** Size of generated RSA keys, in bits: sufficient beyond 2030 (NIST SP 800-57 part 1, table 2). */
const RSA_BITS = 3072

/**
 * Generates a signing key with the random source of node:crypto: RSA with 3072 bits, or an HMAC secret as
 * long as the hash. The key cannot be exported. To store a key, generate it with node:crypto and import it.
 * RSA takes about a tenth of a second. Throws a `TypeError` for ML-DSA if the runtime does not support it.
 */
export function generateSigningKey(
  alg: Algorithm,
  options: { readonly kid?: string } = {},
): SigningKey {
  const spec = specOf(alg)
  if (spec.family === 'hmac') {
    return importSigningKey({ secret: randomBytes(spec.hashBytes) }, { ...options, alg })
  }
  return importSigningKey({ keyObject: generatePrivateKey(spec) }, { ...options, alg })
}

function generatePrivateKey(spec: Exclude<AlgorithmSpec, HmacSpec>): KeyObject {
  if (spec.family === 'ecdsa') {
    return generateKeyPairSync('ec', { namedCurve: spec.opensslCurve }).privateKey
  }
  if (spec.family === 'eddsa') return generateKeyPairSync('ed25519').privateKey
  if (spec.family === 'ml-dsa') {
    assertMlDsaRuntime()
    return generateKeyPairSync(spec.keyType).privateKey
  }
  return generateKeyPairSync('rsa', { modulusLength: RSA_BITS }).privateKey
}
