import type { ClaimsPolicy } from './claims.ts'
import { checkClaims, validityOf } from './claims.ts'
import { createTokenCache } from './token-cache.ts'
import type { Refused } from '../refusals.ts'

/** The part of a verifier's answer for an accepted token that the cache reads. */
interface Accepted {
  readonly ok: true
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Puts a cache of at most `entriesMax` tokens in front of a verifier. Only accepted tokens are stored, never
 * refusals. Each later answer is the same object, deeply frozen except for `mark`. All times are checked
 * against the clock at every use. So a token that expires is refused as it would be without the cache. So is
 * a token whose `nbf` or `iat` lies in the future because the clock stepped back.
 */
export function cacheVerify<Result extends Accepted>(
  verify: (token: string) => Result | Refused,
  policy: ClaimsPolicy,
  readNow: () => number,
  entriesMax: number,
): (token: string) => Result | Refused {
  const cache = createTokenCache<Result>(entriesMax)

  return (token) => {
    if (typeof token !== 'string') return verify(token)
    const now = readNow()
    return cache.timely(token, now) ?? verifyOrRefuse(token, now)
  }

  function verifyOrRefuse(token: string, now: number): Result | Refused {
    const entry = cache.find(token)
    return entry === undefined ? verifyAndAdd(token) : (refuseUntimely(entry, now) ?? verify(token))
  }

  function verifyAndAdd(token: string): Result | Refused {
    const result = verify(token)
    if (!result.ok) return result
    const entry = sealResult(result)
    cache.add(token, entry, validityOf(entry.claims, policy), readNow())
    return entry
  }

  // The other claims were valid when the entry was stored and cannot have changed. So this check names the
  // time that is wrong, without the cost of a signature check.
  function refuseUntimely(entry: Result, now: number): Refused | undefined {
    return checkClaims({ ...entry.claims }, policy, now)
  }
}

// Every caller that presents the token gets this object. Without freezing, one caller could change what the
// next caller reads.
function sealResult<Result extends Accepted>(result: Result): Result {
  freezeDeep(result.claims)
  const sealed = { ...result, mark: undefined }
  for (const name of Object.keys(result)) Object.defineProperty(sealed, name, { writable: false })
  return Object.seal(sealed)
}

// Nesting is limited by JSON_DEPTH_MAX, so the recursion is bounded.
function freezeDeep(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const member of Object.values(value)) freezeDeep(member)
  Object.freeze(value)
}
