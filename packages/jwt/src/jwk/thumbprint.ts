import { hash } from 'node:crypto'
import { decodeBase64url } from '../base64url.ts'
import { isObject } from '../json/object.ts'

// The required members of each kind, ordered by name (RFC 7638 §3.2, RFC 8037 §2). For AKP they include `alg`
// (RFC 9964): the same bytes under two algorithms are two keys.
const required: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['AKP', ['alg', 'kty', 'pub']],
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['OKP', ['crv', 'kty', 'x']],
  ['RSA', ['e', 'kty', 'n']],
])

/**
 * Returns the SHA-256 thumbprint of a public or private JWK, as base64url (RFC 7638 §3). Only the required
 * public members count, so both halves of a pair have the same thumbprint. Throws a `TypeError` for anything
 * but a complete EC, OKP, RSA or AKP key. `oct` is refused because its thumbprint would be a hash of the
 * secret.
 */
export function jwkThumbprint(jwk: unknown): string {
  const members = isObject(jwk) ? required.get(jwk['kty']) : undefined
  if (!isObject(jwk) || members === undefined) {
    throw new TypeError('Only EC, OKP, RSA and AKP keys have a thumbprint.')
  }
  const canonical = Object.fromEntries(members.map((name) => [name, memberOf(jwk, name)]))
  return hash('sha256', JSON.stringify(canonical), 'base64url')
}

function memberOf(jwk: Record<string, unknown>, name: string): string {
  const value = Object.hasOwn(jwk, name) ? jwk[name] : undefined
  const isEncoded = name !== 'kty' && name !== 'crv' && name !== 'alg'
  // Another spelling of the same number would give the same key another thumbprint.
  if (
    typeof value !== 'string' ||
    value === '' ||
    (isEncoded && decodeBase64url(value) === undefined)
  ) {
    throw new TypeError(`The JWK member ${name} is missing or invalid.`)
  }
  return value
}
