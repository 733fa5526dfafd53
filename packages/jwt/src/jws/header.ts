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

/** Encodes the header of our own tokens. It always has the same members in the same order. */
export function encodeHeader(
  alg: string,
  typ: string | undefined,
  kid: string | undefined,
): string {
  // JSON.stringify omits undefined members.
  return encodeTextBase64url(JSON.stringify({ alg, typ, kid }))
}

/**
 * Reads an encoded header. `jku`, `x5u`, `jwk` and `x5c` are never used: a key that comes with the token
 * proves nothing (RFC 8725 §3.10). `crit` is refused in every form, because it always demands an extension
 * that is not supported here (RFC 7515 §4.1.11). `b64` is refused because it changes what is signed (RFC 7797
 * §3).
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
