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

/** A key of a JWKS that cannot be used. */
export interface SkippedKey {
  /** The `kid` as it stands in the JWKS, if it is a text. Anything may be in it. */
  readonly kid: string | undefined
  /** Why the key cannot be used, for a person. It contains no part of the key. */
  readonly reason: string
}

/** The content of a JWKS. */
export interface JwksReading {
  readonly keys: KeySet
  readonly skipped: readonly SkippedKey[]
}

/**
 * Reads a parsed JWKS (RFC 7517 §5), or returns `undefined` if it is not a JWKS. Never throws. Unusable keys
 * are skipped, as §5 requires, so that one key of an unknown kind does not disable the others. Show the
 * skipped keys to an operator: a token of such a key is refused as `key_unknown`. Keys that are not for
 * signatures (`use`) are in neither list. At most 100 keys are read.
 */
export function readJwks(jwks: unknown): JwksReading | undefined {
  const entries = isObject(jwks) ? jwks['keys'] : undefined
  if (!Array.isArray(entries)) return undefined

  const byKid = new Map<string, VerifyingKey>()
  const skipped: SkippedKey[] = []
  for (const entry of entries.slice(0, KEY_SET_KEYS_MAX)) {
    const read = readEntry(entry)
    if (read.ok) {
      const { kid, key } = read
      const earlier = byKid.get(kid)
      // The first of two keys with the same `kid` is kept. Otherwise a key that is appended to the document
      // could replace it.
      if (earlier === undefined) byKid.set(kid, key)
      else if (!isSameKey(earlier, key)) skipped.push({ kid, reason: TEXTS.duplicate })
    } else if (read.reason !== undefined) {
      skipped.push({ kid: kidOf(entry), reason: read.reason })
    }
  }
  for (const entry of entries.slice(KEY_SET_KEYS_MAX, KEY_SET_KEYS_MAX + 1)) {
    skipped.push({ kid: kidOf(entry), reason: TEXTS.tooMany })
  }
  return { keys: createKeySet([...byKid.values()]), skipped }
}

/** Reads a parsed JWKS as `readJwks` does, and returns its usable keys. */
export function keySetFromJwks(jwks: unknown): KeySet | undefined {
  return readJwks(jwks)?.keys
}

const TEXTS = {
  notAnObject: 'it is not an object',
  kidMissing: 'it has no kid, so no token can name it',
  kidOdd: 'its kid is not 1 to 64 characters of A-Z a-z 0-9 _ and -',
  algMissing: 'it has no alg, so the token would choose the algorithm',
  algUnknown: 'its alg is not supported',
  secret: 'it is a secret or private key, which everybody who reads the set could sign with',
  duplicate: 'another key before it has the same kid',
  tooMany: `only the first ${KEY_SET_KEYS_MAX} keys are read`,
} as const

type EntryReading =
  | { readonly ok: true; readonly kid: string; readonly key: VerifyingKey }
  /** Without a reason, the key is not meant for signatures. */
  | { readonly ok: false; readonly reason: string | undefined }

function readEntry(jwk: unknown): EntryReading {
  if (!isObject(jwk)) return skip(TEXTS.notAnObject)
  const { use, kid } = jwk
  if (typeof use === 'string' && use !== 'sig') return skip(undefined)
  // Everybody who reads the set could sign with a secret or private key in it.
  if (jwk['kty'] === 'oct' || hasPrivateMember(jwk)) return skip(TEXTS.secret)
  // Without a `kid` no token can select the key. Without an `alg` the token would choose the algorithm.
  if (kid === undefined) return skip(TEXTS.kidMissing)
  if (!isKid(kid)) return skip(TEXTS.kidOdd)
  const alg = algorithmOf(jwk)
  if (alg === undefined) return skip(jwk['alg'] === undefined ? TEXTS.algMissing : TEXTS.algUnknown)
  try {
    return { ok: true, kid, key: importVerifyingKey({ jwk }, { alg }) }
  } catch (error) {
    // For example another curve, a key that is too small, or a point that is not on its curve. The messages
    // of the import contain no part of the key.
    return skip(error instanceof TypeError ? error.message : 'it is not a valid key')
  }
}

function skip(reason: string | undefined): EntryReading {
  return { ok: false, reason }
}

function kidOf(entry: unknown): string | undefined {
  const kid = isObject(entry) ? entry['kid'] : undefined
  return typeof kid === 'string' ? kid : undefined
}

/** Whether two keys verify the same tokens. Some issuers publish a key twice while they move it. */
function isSameKey(one: VerifyingKey, other: VerifyingKey): boolean {
  return one.alg === other.alg && jsonOf(one) === jsonOf(other)
}

function jsonOf(key: VerifyingKey): string {
  return JSON.stringify(verifyingMaterialOf(key).publicJwk)
}

function algorithmOf(jwk: Record<string, unknown>): Algorithm | undefined {
  const alg = jwk['alg']
  if (alg === 'EdDSA' && jwk['crv'] === 'Ed25519') return 'Ed25519'
  return isAlgorithm(alg) ? alg : undefined
}
