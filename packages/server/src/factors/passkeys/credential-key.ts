import { createPublicKey } from 'node:crypto'

/** Why the public key of a new credential was refused. */
export type CredentialKeyReason = 'algorithm_not_offered' | 'key_invalid'

// The labels of a COSE key (RFC 9052 §7.1, RFC 9053 §7, RFC 8230 §4).
const KTY = 1
const ALG = 3
const CRV_OR_N = -1
const X_OR_E = -2
const Y = -3

const MODULUS_BITS_MIN = 2048
// A key of 16,384 bits would cost a thousand times the time of a usual one at every login.
const MODULUS_BITS_MAX = 4096
const EXPONENT_BYTES_MAX = 4

/**
 * Checks the public key of a new credential (WebAuthn Level 3 §5.8.5, §7.1 step 20). Returns undefined if it can
 * verify signatures. The library compares the algorithm only. A key of another type or curve would then be stored,
 * and fail at the first login of its owner.
 */
export function checkCredentialKey(
  key: unknown,
  algorithms: readonly number[],
): CredentialKeyReason | undefined {
  if (!(key instanceof Map)) return 'key_invalid'
  const algorithm: unknown = key.get(ALG)
  if (typeof algorithm !== 'number' || !algorithms.includes(algorithm)) {
    return 'algorithm_not_offered'
  }
  return isUsable(key, algorithm) ? undefined : 'key_invalid'
}

function isUsable(key: ReadonlyMap<unknown, unknown>, algorithm: number): boolean {
  const kty = key.get(KTY)
  const crv = key.get(CRV_OR_N)
  const x = textOf(key.get(X_OR_E))
  if (algorithm === -7) {
    return kty === 2 && crv === 1 && isKey({ kty: 'EC', crv: 'P-256', x, y: textOf(key.get(Y)) })
  }
  if (algorithm === -8) return kty === 1 && crv === 6 && isKey({ kty: 'OKP', crv: 'Ed25519', x })
  return algorithm === -257 && kty === 3 && isRsaKey(key.get(CRV_OR_N), key.get(X_OR_E))
}

/** Whether Node can import the key. It refuses points that are not on the curve. */
function isKey(key: Record<string, string>): boolean {
  try {
    createPublicKey({ key, format: 'jwk' })
    return true
  } catch {
    return false
  }
}

function isRsaKey(n: unknown, e: unknown): boolean {
  if (!(e instanceof Uint8Array) || e.byteLength > EXPONENT_BYTES_MAX) return false
  try {
    const key = createPublicKey({
      key: { kty: 'RSA', n: textOf(n), e: textOf(e) },
      format: 'jwk',
    })
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    return bits >= MODULUS_BITS_MIN && bits <= MODULUS_BITS_MAX
  } catch {
    return false
  }
}

function textOf(bytes: unknown): string {
  return bytes instanceof Uint8Array ? Buffer.from(bytes).toString('base64url') : ''
}
