import { hash, timingSafeEqual } from 'node:crypto'

import {
  createVerifier,
  type KeySet,
  type Refused,
  type Verifier,
  type VerifierOptions,
} from '@countersign/jwt'

import { toEpochSec, type Clock } from '../base/clock.ts'
import { StoreFault } from '../base/faults.ts'
import { perRingState, REFRESH_TYP, type KeyRing } from '../keys/ring.ts'
import type { Session } from '../store/rows.ts'

/** The claims of a refresh token. All claims are required. */
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
}

const JTI_HEX_CHARS = 32
const CLOCK_STEP_SEC = 60

/**
 * Makes the refresh token of a session. It is a pure function of the row and its generation: a repeated
 * request gets the same bytes, and nothing about tokens is stored. Throws a `StoreFault` if the key of the
 * session was killed after the row was read.
 */
export function makeRefreshToken(
  ring: Pick<KeyRing, 'refreshSigner'>,
  issuer: string,
  session: Session,
  userId: string,
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
  }
  return signer.sign(claims)
}

/**
 * Whether this `jti` was made from this row. An attacker who has only the signing key cannot make it. Takes
 * constant time.
 */
export function isGenuineJti(
  session: Pick<Session, 'id' | 'seed'>,
  presented: { readonly generation: number; readonly jti: string },
): boolean {
  const expected = Buffer.from(refreshJti(session, presented.generation), 'latin1')
  const given = Buffer.from(presented.jti, 'utf8')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/**
 * SHA-256 over the row's 16 secret bytes and `SID.GEN`, cut to 128 bits. The cut leaves out half of the hash's
 * state, so nobody can extend a known `jti` to that of a longer text. Every refresh needs two of these, each under
 * a seed that is not used again soon. HMAC would take 9 us each, because Node must make a KeyObject first; one hash
 * takes 2 us (Node 24).
 */
function refreshJti({ id, seed }: Pick<Session, 'id' | 'seed'>, generation: number): string {
  return hash('sha256', Buffer.concat([seed, Buffer.from(`${id}.${generation}`)])).slice(
    0,
    JTI_HEX_CHARS,
  )
}

/** The result of verifying a refresh token. */
export type RefreshTokenResult =
  | { readonly ok: true; readonly claims: RefreshClaims }
  | { readonly ok: false; readonly code: RefreshTokenRefusal }

/** Why a refresh token is refused. */
export type RefreshTokenRefusal =
  | 'token_invalid'
  | 'token_not_yet_valid'
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

/** Creates the verifier of refresh tokens. It follows changes of the key ring. */
export function createRefreshTokenVerifier(
  ring: KeyRing,
  issuer: string,
  clock: Clock,
): RefreshTokenVerifier {
  const create = (keys: KeySet, toleranceSec: number): Verifier<RefreshClaims> =>
    createVerifier<RefreshClaims>({ ...refreshVerifierOptions(keys, issuer, clock), toleranceSec })
  // A time server may set the clock back by some seconds. Clients that refreshed just before must not be
  // logged out. Only the authority signs these tokens, so a token from the future was issued before the clock
  // was set back. Expiry stays exact.
  const verifiers = perRingState(ring, ({ refreshKeys }) => ({
    exact: create(refreshKeys, 0),
    afterStep: create(refreshKeys, CLOCK_STEP_SEC),
  }))
  return (token) => {
    const { exact, afterStep } = verifiers()
    let result = exact.verify(token)
    if (!result.ok && result.code === 'token_issued_in_future') result = afterStep.verify(token)
    if (!result.ok) return { ok: false, code: toRefusal(result) }
    const { claims } = result
    if (claims.token_type !== 'refresh') return { ok: false, code: 'token_wrong_type' }
    if (!isWellFormed(claims)) return { ok: false, code: 'token_invalid' }
    return { ok: true, claims }
  }
}

function toRefusal(refused: Refused): RefreshTokenRefusal {
  if (refused.code === 'token_expired') return 'token_expired'
  if (refused.code === 'token_issued_in_future') return 'token_not_yet_valid'
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
    claims.gen >= 0
  )
}
