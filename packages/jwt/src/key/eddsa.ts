import type { KeyObject } from 'node:crypto'
import { plainFormat } from './asymmetric.ts'

/** The format of Ed25519 signatures: 64 bytes (RFC 8032 §5.1.6). */
export const eddsaFormat = plainFormat(64)

/** Throws a `TypeError` unless this is an Ed25519 key. Ed448 is another algorithm. */
export function assertEddsaKey(key: KeyObject): void {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new TypeError('This algorithm needs an Ed25519 key.')
  }
}
