import { encodeTextBase64url, isAscii } from '../base64url.ts'
import { parseEncodedObject } from '../json/encoded-object.ts'
import { withoutInherited } from '../json/object.ts'
import { isKid } from '../limits.ts'
import { refuse, type Refused } from '../refusals.ts'

/** The header parameters that are interpreted (RFC 7515 §4.1). All others are ignored. */
export interface JwsHeader {
  readonly alg: string
  readonly typ?: string
  readonly kid?: string
  readonly cty?: string
}

/** Encodes the header of our own tokens: always the same members in the same order. */
export function encodeHeader(
  alg: string,
  typ: string | undefined,
  kid: string | undefined,
): string {
  // JSON.stringify leaves out what is undefined.
  return encodeTextBase64url(JSON.stringify({ alg, typ, kid }))
}

/**
 * Reads an encoded header. `jku`, `x5u`, `jwk` and `x5c` are never followed: a key that a token
 * brings along proves nothing (RFC 8725 §3.10). `crit` in any form is refused, since it always means
 * that something must be understood that we do not (RFC 7515 §4.1.11), and so is `b64`, which
 * changes what is signed (RFC 7797 §3).
 */
export function parseHeader(encoded: string): { ok: true; header: JwsHeader } | Refused {
  const members = isAscii(encoded) ? parseEncodedObject(encoded) : undefined
  if (members === undefined) return refuse('header_invalid')
  if (Object.hasOwn(members, 'crit') || Object.hasOwn(members, 'b64')) {
    return refuse('critical_unknown')
  }
  const { alg, typ, kid, cty } = members
  if (typeof alg !== 'string') return refuse('header_invalid')
  if (!isOptionalString(typ) || !isOptionalString(cty)) return refuse('header_invalid')
  if (kid !== undefined && !isKid(kid)) return refuse('header_invalid')
  const header: JwsHeader = {
    alg,
    ...(typ === undefined ? undefined : { typ }),
    ...(kid === undefined ? undefined : { kid }),
    ...(cty === undefined ? undefined : { cty }),
  }
  return { ok: true, header: Object.freeze(withoutInherited(header)) }
}

function isOptionalString(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string'
}
