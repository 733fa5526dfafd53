import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { MlDsaSpec } from '../algorithms.ts'

/** Throws a `TypeError` unless this is an ML-DSA key with the parameters of the algorithm. */
export function assertMlDsaKey(key: KeyObject, spec: MlDsaSpec): void {
  if (key.asymmetricKeyType !== spec.keyType) {
    throw new TypeError(`This algorithm needs an ${spec.alg} key.`)
  }
}

/**
 * Throws a `TypeError` on a runtime without ML-DSA, which arrived with Node 24.6 and OpenSSL 3.5. It must be
 * called before any key is read. Otherwise such a runtime would only report that the key is invalid.
 */
export function assertMlDsaRuntime(): void {
  supported ??= canGenerate()
  if (!supported) {
    throw new TypeError('This runtime has no ML-DSA. Use Node 24.6 or newer with OpenSSL 3.5.')
  }
}

let supported: boolean | undefined

// The version of Node is not enough: Node may be built with another OpenSSL. The test takes 0.3 ms, once.
function canGenerate(): boolean {
  try {
    generateKeyPairSync('ml-dsa-44')
    return true
  } catch {
    return false
  }
}
