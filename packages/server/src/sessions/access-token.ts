import { csrfHash, type AccessTokenClaims } from '@countersign/guard'
import type { Signer } from '@countersign/jwt'

import { toEpochSec, type EpochMs } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import type { AccountClaims, Session } from '../store/rows.ts'

/** What is the same for every access token of this authority. */
export interface AccessTokenSettings {
  readonly issuer: string
  readonly audience: string
  /** Seconds from `iat` to `exp`. */
  readonly lifetimeSec: number
  /** The application's own claims. */
  readonly claims?: ClaimsHook | undefined
}

/**
 * Gives claims that the application adds to an access token: called at each log-in and refresh,
 * synchronously. It may not name a claim that the token has already.
 */
export type ClaimsHook = (
  account: AccountClaims,
  session: Pick<Session, 'id' | 'clientId' | 'createdAt' | 'tenantId'>,
) => Readonly<Record<string, unknown>>

/** What one access token says: all read in one snapshot, the position first. */
export interface MintInput {
  readonly session: Pick<Session, 'id' | 'clientId' | 'createdAt' | 'endsAt' | 'tenantId'>
  readonly account: AccountClaims
  /** The head of the revocation log, read before the account. */
  readonly position: number
  readonly now: EpochMs
  /** The session's CSRF token, for an access token that travels in a cookie. */
  readonly csrfToken?: string | undefined
}

/** An access token that would not fit where tokens travel. Its message names the largest claims. */
export class TokenTooLargeError extends Error {
  override readonly name = 'TokenTooLargeError'
}

/**
 * Mints an access token (RFC 9068 §2.2), with `token_type` and `user_id` beside the standard claims so
 * that a Django service with SimpleJWT takes it as it is. Throws a `TokenTooLargeError` above 3,500
 * bytes.
 */
export function mintAccessToken(
  signer: Signer,
  settings: AccessTokenSettings,
  random: Random,
  { session, account, position, now, csrfToken }: MintInput,
): string {
  const iat = toEpochSec(now)
  const claims: AccessTokenClaims = {
    iss: settings.issuer,
    sub: account.id,
    aud: settings.audience,
    // Never beyond the session's absolute end.
    exp: Math.min(iat + settings.lifetimeSec, toEpochSec(session.endsAt)),
    iat,
    jti: random.bytes(16).toString('hex'),
    client_id: session.clientId,
    sid: session.id,
    rvp: position,
    roles: account.roles,
    auth_time: toEpochSec(session.createdAt),
    token_type: 'access',
    user_id: account.userId,
    ...(account.tenantId === undefined ? {} : { tid: account.tenantId }),
    ...(csrfToken === undefined ? {} : { csh: csrfHash(csrfToken) }),
  }
  const own = settings.claims?.(account, session) ?? {}
  for (const name of Object.keys(own)) {
    if (Object.hasOwn(claims, name) || RESERVED.has(name)) throw new ReservedClaimError(name)
  }
  Object.assign(claims, own)
  const token = signer.sign(claims)
  if (token.length > limits.accessTokenBytesMax) throw tooLarge(token, claims)
  return token
}

/** The application's own claims name one of ours. */
export class ReservedClaimError extends Error {
  override readonly name = 'ReservedClaimError'
  constructor(claim: string) {
    super(`The claims of the application may not set "${claim}": Countersign does.`)
  }
}

// Those that the token at hand happens not to have: anybody could be made an administrator by them.
const RESERVED: ReadonlySet<string> = new Set([
  'tid',
  'csh',
  'scope',
  'nbf',
  'acr',
  'amr',
  'cnf',
  'act',
])

function tooLarge(token: string, claims: AccessTokenClaims): TokenTooLargeError {
  const largest = Object.entries(claims)
    .map(([name, value]) => ({ name, bytes: JSON.stringify(value).length }))
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, 3)
    .map(({ name, bytes }) => `${name} (${bytes} bytes)`)
  return new TokenTooLargeError(
    `An access token would have ${token.length} bytes, more than ${limits.accessTokenBytesMax}. Its largest claims: ${largest.join(', ')}.`,
  )
}
