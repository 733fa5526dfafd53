/** The claims of an access token that this binding reads. Nobody has verified them. */
export interface Claims {
  readonly sub: string
  readonly sid: string
  /** In seconds since 1970, like `iat` and `auth_time`. */
  readonly exp: number
  readonly iat: number
  readonly auth_time: number
  readonly user_id?: string
  readonly roles: readonly string[]
  readonly tid?: string
  readonly tenant_name?: string
  readonly tenant_roles?: readonly string[]
  readonly [claim: string]: unknown
}

/** Reads the claims of a token without verifying it. Undefined for a text that is not an access token of a session. */
export function readClaims(token: string): Claims | undefined {
  try {
    const payload = token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/')
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0))
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return areClaims(claims) ? claims : undefined
  } catch {
    return undefined
  }
}

function areClaims(value: unknown): value is Claims {
  if (typeof value !== 'object' || value === null) return false
  const { sub, sid, exp, iat, auth_time: since, roles } = value as Record<string, unknown>
  const isNumber = (each: unknown): boolean => Number.isFinite(each)
  return (
    typeof sub === 'string' &&
    typeof sid === 'string' &&
    [exp, iat, since].every(isNumber) &&
    Array.isArray(roles)
  )
}
