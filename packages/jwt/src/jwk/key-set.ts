import { isAlgorithm, type Algorithm } from '../algorithms.ts'
import { isObject } from '../json/object.ts'
import { importVerifyingKey } from '../key/import.ts'
import { verifyingMaterialOf, type VerifyingKey } from '../key/key.ts'
import { isKid, KEY_SET_KEYS_MAX } from '../limits.ts'
import { hasPrivateMember } from './parse.ts'

/** Verifying keys by their `kid`. A set never changes. Different keys need a new set. */
export interface KeySet {
  readonly keys: readonly VerifyingKey[]
  get(kid: string): VerifyingKey | undefined
}

/**
 * Makes a set of verifying keys. Throws a `TypeError` for a key without `kid`, and for two keys with the same
 * `kid`, because their order would decide which one verifies.
 */
export function createKeySet(keys: readonly VerifyingKey[]): KeySet {
  const byKid = new Map<string, VerifyingKey>()
  for (const key of keys) {
    verifyingMaterialOf(key)
    if (key.kid === undefined) throw new TypeError('Every key of a set needs a kid.')
    if (byKid.has(key.kid)) throw new TypeError('Two keys of a set have the same kid.')
    byKid.set(key.kid, key)
  }
  return Object.freeze({
    keys: Object.freeze([...keys]),
    get: (kid: string) => byKid.get(kid),
  })
}

/**
 * Reads a parsed JWKS (RFC 7517 §5). Returns its usable keys, or `undefined` if it is not a JWKS. Never
 * throws. Unusable keys are skipped, as §5 requires, so that one key of an unknown kind does not disable the
 * others. At most 100 keys are read.
 */
export function keySetFromJwks(jwks: unknown): KeySet | undefined {
  const entries = isObject(jwks) ? jwks['keys'] : undefined
  if (!Array.isArray(entries)) return undefined

  const byKid = new Map<string, VerifyingKey>()
  for (const entry of entries.slice(0, KEY_SET_KEYS_MAX)) {
    const key = readEntry(entry)
    // The first of two keys with the same `kid` is kept. Otherwise a key that is appended to the document
    // could replace it.
    if (key?.kid !== undefined && !byKid.has(key.kid)) byKid.set(key.kid, key)
  }
  return createKeySet([...byKid.values()])
}

function readEntry(jwk: unknown): VerifyingKey | undefined {
  if (!isObject(jwk)) return undefined
  // Without a `kid` no token can select the key. Without an `alg` the token would choose the algorithm.
  const alg = algorithmOf(jwk)
  if (alg === undefined || !isKid(jwk['kid'])) return undefined
  // Everybody who reads the set could sign with a secret or private key in it.
  if (jwk['kty'] === 'oct' || hasPrivateMember(jwk)) return undefined
  try {
    return importVerifyingKey({ jwk }, { alg })
  } catch {
    // For example another use, another curve, a key that is too small, or a point that is not on its curve.
    return undefined
  }
}

function algorithmOf(jwk: Record<string, unknown>): Algorithm | undefined {
  const alg = jwk['alg']
  if (alg === 'EdDSA' && jwk['crv'] === 'Ed25519') return 'Ed25519'
  return isAlgorithm(alg) ? alg : undefined
}
