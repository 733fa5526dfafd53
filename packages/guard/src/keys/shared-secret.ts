import { hash } from 'node:crypto'

import {
  createKeySet,
  importSigningKey,
  verifyingKeyOf,
  type KeySet,
  type SigningKey,
} from '@countersign/jwt'

/** Characters of a shared secret at least: as many as HMAC with SHA-256 gives bytes. */
export const SHARED_SECRET_CHARS_MIN = 32

export function isSharedSecret(value: unknown): value is string {
  return typeof value === 'string' && value.length >= SHARED_SECRET_CHARS_MIN
}

/**
 * The HS256 key of a secret that an authority and its services share. Both name it alike: by a hash of
 * the secret, which tells a guesser no more than any token does. Throws a `TypeError` for one that is too short.
 */
export function sharedSecretKey(secret: string): SigningKey {
  const kid = hash('sha256', `countersign/shared-secret/v1\0${secret}`, 'base64url').slice(0, 22)
  return importSigningKey({ secret: Buffer.from(secret) }, { alg: 'HS256', kid })
}

/** What verifies tokens of any of these secrets. */
export function sharedSecretKeys(secrets: readonly string[]): KeySet {
  return createKeySet([...new Set(secrets)].map((each) => verifyingKeyOf(sharedSecretKey(each))))
}
