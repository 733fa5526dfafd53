import type { KeySet } from '../jwk/key-set.ts'
import { isVerifyingKey, verifyingMaterialOf, type VerifyingKey } from '../key/key.ts'
import { refuse, type Refused } from '../refusals.ts'
import type { JwsHeader } from './header.ts'

/**
 * Returns the key that a header selects, or a refusal. In a set, only `kid` selects a key, and it must be
 * present. For a single key, `kid` may be absent, but a `kid` that names another key is refused. In both
 * cases the algorithm is that of the key, and the header must name the same one. The header's `alg` never
 * chooses anything (RFC 8725 §3.1).
 */
export function selectKey(
  keys: VerifyingKey | KeySet,
  header: JwsHeader,
): { ok: true; key: VerifyingKey } | Refused {
  const key = isVerifyingKey(keys) ? matchKid(keys, header.kid) : findKid(keys, header.kid)
  if (key === undefined) return refuse('key_unknown')
  if (!isAlgorithmOf(key, header.alg)) return refuse('algorithm_mismatch')
  return { ok: true, key }
}

/** Returns the keys as a list. Throws a `TypeError` unless `keys` is a verifying key or a set of them. */
export function assertKeys(keys: VerifyingKey | KeySet): readonly VerifyingKey[] {
  if (typeof keys !== 'object' || keys === null) {
    throw new TypeError('The option keys must be a verifying key or a key set.')
  }
  if (!('keys' in keys)) {
    verifyingMaterialOf(keys)
    return [keys]
  }
  for (const key of keys.keys) verifyingMaterialOf(key)
  return keys.keys
}

function matchKid(key: VerifyingKey, kid: string | undefined): VerifyingKey | undefined {
  return kid === undefined || key.kid === undefined || kid === key.kid ? key : undefined
}

function findKid(keys: KeySet, kid: string | undefined): VerifyingKey | undefined {
  return kid === undefined ? undefined : keys.get(kid)
}

function isAlgorithmOf(key: VerifyingKey, alg: string): boolean {
  if (alg === key.alg) return true
  return alg === 'EdDSA' && verifyingMaterialOf(key).acceptsEdDsa
}
