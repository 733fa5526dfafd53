import { toEpochSec, type EpochMs } from '../base/clock.ts'
import { randomId, type Random } from '../base/random.ts'
import type { SsoLogout } from '../store/sso.ts'

/** The `typ` of a logout token (OpenID Connect Back-Channel Logout 1.0 §2.4). */
export const LOGOUT_TYP = 'logout+jwt'

/** A token is made for one attempt, and is worth nothing afterwards. */
const LIFE_SEC = 120

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/**
 * Returns the claims of a logout token (OpenID Connect Back-Channel Logout 1.0 §2.4). Each attempt has its own `jti`: an
 * application that has handled the token, and whose answer was lost, would refuse the same one as a replay. There is no
 * `nonce`, so that nobody can pass it off as an ID token.
 */
export function logoutClaims(
  { applicationId, accountId, sid }: SsoLogout,
  { issuer, random, now }: { issuer: string; random: Random; now: EpochMs },
): Readonly<Record<string, unknown>> {
  const iat = toEpochSec(now)
  return {
    iss: issuer,
    aud: applicationId,
    iat,
    exp: iat + LIFE_SEC,
    jti: randomId(random),
    sub: accountId,
    sid,
    events: { [EVENT]: {} },
  }
}
