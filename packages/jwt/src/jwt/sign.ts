import { encodeTextBase64url } from '../base64url.ts'
import { encodeHeader } from '../jws/header.ts'
import { assertTyp } from '../jws/typ.ts'
import { signingMaterialOf, type SigningKey } from '../key/key.ts'
import { TOKEN_BYTES_MAX } from '../limits.ts'
import { isNumericDate } from './claims.ts'

/** Signs claims. An implementation may also use a key service or an HSM. */
export interface Signer {
  /**
   * Returns the token for these claims, written as `JSON.stringify` does. Throws a `TypeError` for claims
   * that no verifier would accept: an `exp`, `nbf` or `iat` that is not a NumericDate (seconds), a value that
   * is not a plain object, a token over 8 KiB.
   */
  sign(claims: object): string
}

/** Makes a signer for tokens of one kind. `typ` is in every header. The header is encoded once, here. */
export function createSigner(key: SigningKey, options: { readonly typ: string }): Signer {
  const { sign } = signingMaterialOf(key)
  assertTyp(options.typ)
  const header = encodeHeader(key.alg, options.typ, key.kid)

  return Object.freeze({
    sign(claims: object) {
      const payload = encodeTextBase64url(stringifyClaims(claims))
      const token = `${header}.${payload}.${sign(header, payload)}`
      if (token.length > TOKEN_BYTES_MAX) {
        throw new TypeError(`The token would be longer than ${TOKEN_BYTES_MAX} bytes.`)
      }
      return token
    },
  })
}

function stringifyClaims(claims: object): string {
  // JSON.stringify writes NaN and Infinity as null, so a wrong time would go unnoticed until the first
  // verification.
  const { exp, nbf, iat }: { exp?: unknown; nbf?: unknown; iat?: unknown } = claims
  if (!(isOptionalDate(exp) && isOptionalDate(nbf) && isOptionalDate(iat))) {
    throw new TypeError('The claims exp, nbf and iat must be seconds since 1970.')
  }
  const json: unknown = JSON.stringify(claims)
  if (typeof json !== 'string' || !json.startsWith('{')) {
    throw new TypeError('The claims must be an object.')
  }
  return json
}

function isOptionalDate(value: unknown): boolean {
  return value === undefined || isNumericDate(value)
}
