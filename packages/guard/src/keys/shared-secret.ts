import { hash } from 'node:crypto'

import {
  createKeySet,
  importSigningKey,
  verifyingKeyOf,
  type KeySet,
  type SigningKey,
} from '@countersign/jwt'

/**
 * The smallest length of a shared secret, in characters: the number of bytes that HMAC with SHA-256 returns.
 */
export const SHARED_SECRET_CHARS_MIN = 32

/** Whether a value can be a shared secret: a string of at least `SHARED_SECRET_CHARS_MIN` characters. */
export function isSharedSecret(value: unknown): value is string {
  return typeof value === 'string' && value.length >= SHARED_SECRET_CHARS_MIN
}

/**
 * Makes the HS256 key from a secret that an authority and its services share. Both derive the same `kid`, a
 * hash of the secret. The hash helps an attacker who guesses secrets no more than any token does. Throws a
 * `TypeError` for a secret that is too short.
 */
export function sharedSecretKey(secret: string): SigningKey {
  const kid = hash('sha256', `countersign/shared-secret/v1\0${secret}`, 'base64url').slice(0, 22)
  return importSigningKey({ secret: Buffer.from(secret) }, { alg: 'HS256', kid })
}

/** Makes the key set that verifies tokens signed with any of these secrets. */
export function sharedSecretKeys(secrets: readonly string[]): KeySet {
  return createKeySet([...new Set(secrets)].map((each) => verifyingKeyOf(sharedSecretKey(each))))
}
