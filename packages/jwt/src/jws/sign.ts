import { encodeBase64url } from '../base64url.ts'
import { signingMaterialOf, type SigningKey } from '../key/key.ts'
import { encodeHeader } from './header.ts'
import { assertTyp } from './typ.ts'

/** `typ` is the kind of document that is signed. It is omitted from the header if absent. */
export interface SignJwsOptions {
  readonly typ?: string
}

/**
 * Signs bytes and returns the compact serialization (RFC 7515 §7.1). The length is not limited, but verifiers
 * refuse more than 8 KiB unless told otherwise.
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
