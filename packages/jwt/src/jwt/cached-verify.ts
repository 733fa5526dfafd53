import type { ClaimsPolicy } from './claims.ts'
import { checkClaims, validityOf } from './claims.ts'
import { createTokenCache } from './token-cache.ts'
import type { Refused } from '../refusals.ts'

/** What a verifier answers for a token that it accepts, as far as the cache reads it. */
interface Accepted {
  readonly ok: true
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Puts a cache of at most `entriesMax` tokens before a verifier. Only what `verify` has accepted
 * enters, never a refusal; each later answer is the same object, frozen through and through but for
 * `mark`. All times are held against the clock at each hit, so a token that expires, or whose `nbf`
 * or `iat` a clock that stepped back puts into the future, is refused as without the cache.
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

  // Its other claims were right when it entered and cannot have changed, so this names the time
  // that is wrong, without the price of a signature.
  function refuseUntimely(entry: Result, now: number): Refused | undefined {
    return checkClaims({ ...entry.claims }, policy, now)
  }
}

// Everybody who presents the token gets this one object: what one caller could change, the next
// would believe.
function sealResult<Result extends Accepted>(result: Result): Result {
  freezeDeep(result.claims)
  const sealed = { ...result, mark: undefined }
  for (const name of Object.keys(result)) Object.defineProperty(sealed, name, { writable: false })
  return Object.seal(sealed)
}

// At most as deep as JSON_DEPTH_MAX.
function freezeDeep(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const member of Object.values(value)) freezeDeep(member)
  Object.freeze(value)
}
