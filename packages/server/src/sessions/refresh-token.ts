import {
  createVerifier,
  decodeUnverified,
  type KeySet,
  type Refused,
  type Verifier,
  type VerifierOptions,
} from '@countersign/jwt'

import { toEpochSec, type Clock, type EpochMs } from '../base/clock.ts'
import { StoreFault } from '../base/faults.ts'
import { perRingState, REFRESH_TYP, type KeyRing } from '../keys/ring.ts'
import { refreshJti } from '../store/refresh-jti.ts'
import type { GrantedSession } from '../store/rows.ts'

/** The claims of a refresh token. All claims but `cnf` are required. */
export interface RefreshClaims {
  readonly iss: string
  readonly sub: string
  readonly sid: string
  /** The generation of the session for which this token was made: a non-negative safe integer. */
  readonly gen: number
  readonly jti: string
  readonly iat: number
  readonly exp: number
  readonly token_type: 'refresh'
  readonly user_id: string
  /** The key that the tokens of the session are bound to (RFC 9449 §5). It stays the same in each successor. */
  readonly cnf?: { readonly jkt: string }
}

/**
 * Makes the refresh token of a session. It is a pure function of the row and its generation: a repeated
 * request gets the same bytes, and nothing about tokens is stored. Throws a `StoreFault` if the key of the
 * session was killed after the row was read.
 */
export function makeRefreshToken(
  ring: Pick<KeyRing, 'refreshSigner'>,
  issuer: string,
  session: GrantedSession,
  userId: string,
  jkt?: string,
): string {
  const signer = ring.refreshSigner(session.refreshKid)
  // The key was killed after the row was read. A second attempt is refused because the token is not valid.
  if (signer === undefined) throw new StoreFault('The refresh key of this session was killed.')
  const claims: RefreshClaims = {
    iss: issuer,
    sub: session.accountId,
    sid: session.id,
    gen: session.generation,
    jti: refreshJti(session, session.generation),
    iat: toEpochSec(session.rotatedAt),
    exp: toEpochSec(session.expiresAt),
    token_type: 'refresh',
    user_id: userId,
    ...(jkt === undefined ? {} : { cnf: { jkt } }),
  }
  return signer.sign(claims)
}

/** The result of verifying a refresh token. */
export type RefreshTokenResult =
  | { readonly ok: true; readonly claims: RefreshClaims }
  | { readonly ok: false; readonly code: RefreshTokenRefusal }

/** Why a refresh token is refused. */
export type RefreshTokenRefusal =
  | 'token_invalid'
  | 'token_expired'
  | 'token_type_missing'
  | 'token_wrong_type'
  | 'token_exp_missing'
  | 'token_id_missing'

/** Verifies the signature, type and claims of a refresh token. It does not look at the session. */
export type RefreshTokenVerifier = (token: string) => RefreshTokenResult

/** Returns the options of the JWT verifier for refresh tokens. */
export function refreshVerifierOptions(
  keys: KeySet,
  issuer: string,
  clock: Clock,
): VerifierOptions {
  return {
    keys,
    typ: REFRESH_TYP,
    issuer,
    audience: null,
    requiredClaims: ['sub', 'sid', 'gen', 'jti', 'iat', 'token_type'],
    clock: () => clock.nowMs(),
  }
}

/**
 * Creates the verifier of refresh tokens. It follows changes of the key ring.
 *
 * It accepts tokens from the future: only we sign them, so the clock was set back after the token was issued,
 * and its owner must not be logged out. Its generation and `jti` are compared with the row, as always. Expiry
 * stays exact.
 */
export function createRefreshTokenVerifier(
  ring: KeyRing,
  issuer: string,
  clock: Clock,
): RefreshTokenVerifier {
  const verifiers = perRingState(ring, ({ refreshKeys }) => createVerifierAt(refreshKeys, issuer))
  return (token) => {
    const verifyAt = verifiers()
    const now = clock.nowMs()
    let result = verifyAt(token, now)
    if (!result.ok && result.code === 'token_issued_in_future') {
      result = verifyAt(token, issuedAtOf(token))
      if (result.ok && now >= result.claims.exp * 1000) return { ok: false, code: 'token_expired' }
    }
    if (!result.ok) return { ok: false, code: toRefusal(result) }
    const { claims } = result
    if (claims.token_type !== 'refresh') return { ok: false, code: 'token_wrong_type' }
    if (!isWellFormed(claims)) return { ok: false, code: 'token_invalid' }
    return { ok: true, claims }
  }
}

/** Verifies at a given time, in milliseconds since 1970. */
type VerifierAt = (token: string, nowMs: EpochMs) => ReturnType<Verifier<RefreshClaims>['verify']>

function createVerifierAt(keys: KeySet, issuer: string): VerifierAt {
  let at: EpochMs = 0
  const verifier = createVerifier<RefreshClaims>(
    refreshVerifierOptions(keys, issuer, { nowMs: () => at }),
  )
  return (token, nowMs) => {
    at = nowMs
    return verifier.verify(token)
  }
}

/** The claim `iat` of a token whose signature was verified, in milliseconds since 1970. */
function issuedAtOf(token: string): EpochMs {
  const decoded = decodeUnverified(token)
  return decoded.ok ? Number(decoded.claims['iat']) * 1000 : 0
}

function toRefusal(refused: Refused): RefreshTokenRefusal {
  if (refused.code === 'token_expired') return 'token_expired'
  if (refused.code !== 'claim_missing') return 'token_invalid'
  switch (refused.claim) {
    case 'exp':
      return 'token_exp_missing'
    case 'jti':
      return 'token_id_missing'
    case 'token_type':
      return 'token_type_missing'
    default:
      return 'token_invalid'
  }
}

function isWellFormed(claims: RefreshClaims): boolean {
  return (
    typeof claims.sid === 'string' &&
    typeof claims.jti === 'string' &&
    Number.isSafeInteger(claims.gen) &&
    claims.gen >= 0 &&
    (claims.cnf === undefined || typeof claims.cnf?.jkt === 'string')
  )
}
