import { isAlgorithm, type Algorithm } from '../algorithms.ts'
import { isObject } from '../json/object.ts'
import { importVerifyingKey } from '../key/import.ts'
import { verifyingMaterialOf, type VerifyingKey } from '../key/key.ts'
import { isKid, KEY_SET_KEYS_MAX } from '../limits.ts'
import { hasPrivateMember } from './parse.ts'

/** Verifying keys by their `kid`. Never changes; another set of keys is another object. */
export interface KeySet {
  readonly keys: readonly VerifyingKey[]
  get(kid: string): VerifyingKey | undefined
}

/**
 * Puts verifying keys together. Throws a `TypeError` for a key without `kid`, and for two keys with
 * the same, because then the order would decide which one verifies.
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
 * Reads a parsed JWKS (RFC 7517 §5): its usable keys, or `undefined` when it is not one at all.
 * Never throws. What cannot be used is skipped, as §5 asks, so that one key of a kind that we do not
 * know does not stop the others. At most 100 keys are read.
 */
export function keySetFromJwks(jwks: unknown): KeySet | undefined {
  const entries = isObject(jwks) ? jwks['keys'] : undefined
  if (!Array.isArray(entries)) return undefined

  const byKid = new Map<string, VerifyingKey>()
  for (const entry of entries.slice(0, KEY_SET_KEYS_MAX)) {
    const key = readEntry(entry)
    // The first of two equal names stays: that some verifier takes the second proves nothing.
    if (key?.kid !== undefined && !byKid.has(key.kid)) byKid.set(key.kid, key)
  }
  return createKeySet([...byKid.values()])
}

function readEntry(jwk: unknown): VerifyingKey | undefined {
  if (!isObject(jwk)) return undefined
  // Without a name no token can select it; without an algorithm the token would choose that.
  const alg = algorithmOf(jwk)
  if (alg === undefined || !isKid(jwk['kid'])) return undefined
  // A secret in a published document is everybody's, and so is a private key: whoever reads the set
  // can sign with them.
  if (jwk['kty'] === 'oct' || hasPrivateMember(jwk)) return undefined
  try {
    return importVerifyingKey({ jwk }, { alg })
  } catch {
    // Another use, another curve, a key too small, a point off its curve.
    return undefined
  }
}

function algorithmOf(jwk: Record<string, unknown>): Algorithm | undefined {
  const alg = jwk['alg']
  if (alg === 'EdDSA' && jwk['crv'] === 'Ed25519') return 'Ed25519'
  return isAlgorithm(alg) ? alg : undefined
}
