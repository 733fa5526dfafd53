import { encodeBase64url } from '../base64url.ts'
import { signingMaterialOf, type SigningKey } from '../key/key.ts'
import { encodeHeader } from './header.ts'
import { assertTyp } from './typ.ts'

/** `typ` is the kind of document that is signed. Without it, the header has no `typ`. */
export interface SignJwsOptions {
  readonly typ?: string
}

/**
 * Signs bytes and returns the compact serialization (RFC 7515 §7.1). The length is not limited, but by
 * default verifiers refuse more than 8 KiB.
 */
export function signJws(
  payload: Uint8Array,
  key: SigningKey,
  options: SignJwsOptions = {},
): string {
  const { sign } = signingMaterialOf(key)
  if (options.typ !== undefined) assertTyp(options.typ)
  const header = encodeHeader(key.alg, options.typ, key.kid)
  const encoded = encodeBase64url(payload)
  return `${header}.${encoded}.${sign(header, encoded)}`
}
