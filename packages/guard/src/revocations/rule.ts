import type { AccessTokenClaims } from '../verification/access-token.ts'
import type { RevocationView } from './log.ts'
import type { RevocationKind } from './entry.ts'

/**
 * The result of comparing a token with the log. `stands`: the token is still valid. `session_ended`: its
 * session has ended. `token_stale`: the token is out of date.
 */
export type Standing = 'stands' | 'session_ended' | 'token_stale'

/** The claims that name the subjects of a token. */
export type TokenSubjects = Pick<
  AccessTokenClaims,
  'rvp' | 'iss' | 'tid' | 'client_id' | 'sub' | 'sid' | 'jti'
>

/**
 * Decides whether the log has revoked a token. It has if the newest mark of any of the token's subjects is
 * above the token's `rvp`. Pure, and the only place where this is decided. It compares no clocks, so a wrong
 * clock cannot matter.
 *
 * A `hard` mark of any subject ends the session. Otherwise a `soft` mark makes the token out of date. So does
 * an `rvp` below the floor, where this copy has no entries. The client then refreshes without asking the
 * person.
 */
export function decideStanding(claims: TokenSubjects, log: RevocationView): Standing {
  const { rvp } = claims
  if (rvp >= log.position) return 'stands'
  // An odd mark is `hard`. A mark is above `rvp` if `position * 2 + hard` is above `rvp * 2 + 1`.
  const limit = rvp * 2 + 1
  let stale = rvp < log.floor
  for (const [kind, claim] of SUBJECTS) {
    const subject = claims[claim]
    if (subject === undefined) continue
    const mark = log.find(kind, subject)
    if (mark <= limit) continue
    if (mark % 2 === 1) return 'session_ended'
    stale = true
  }
  return stale ? 'token_stale' : 'stands'
}

const SUBJECTS = [
  ['session', 'sid'],
  ['account', 'sub'],
  ['tenant', 'tid'],
  ['client', 'client_id'],
  ['token', 'jti'],
  ['issuer', 'iss'],
] as const satisfies ReadonlyArray<readonly [RevocationKind, keyof TokenSubjects]>
