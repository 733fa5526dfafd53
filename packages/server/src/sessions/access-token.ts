import { csrfHash, type AccessTokenClaims } from '@countersign/guard'

import { toEpochSec, type EpochMs } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import type { AccessSigner } from '../keys/foreign-signer.ts'
import type { AccountClaims, Client, Session } from '../store/rows.ts'

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
  session: Pick<
    Session,
    'id' | 'clientId' | 'createdAt' | 'tenantId' | 'authenticatedAt' | 'amr' | 'acr'
  >,
) => Readonly<Record<string, unknown>>

/** What one access token says: all read in one snapshot, the position first. */
export interface MintInput {
  readonly session: Parameters<ClaimsHook>[1] & Pick<Session, 'endsAt'>
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
  signer: AccessSigner,
  settings: AccessTokenSettings,
  random: Random,
  { session, account, position, now, csrfToken }: MintInput,
): string | Promise<string> {
  const common = commonClaims(settings, random, { holder: account, position, now })
  const claims: AccessTokenClaims = {
    ...common,
    // Never beyond the session's absolute end.
    exp: Math.min(common.exp, toEpochSec(session.endsAt)),
    client_id: session.clientId,
    sid: session.id,
    auth_time: toEpochSec(session.authenticatedAt),
    amr: session.amr,
    ...(session.acr === undefined ? {} : { acr: session.acr }),
    user_id: account.userId,
    ...(csrfToken === undefined ? {} : { csh: csrfHash(csrfToken) }),
  }
  const own = settings.claims?.(account, session) ?? {}
  for (const name of Object.keys(own)) {
    if (Object.hasOwn(claims, name) || RESERVED.has(name)) throw new ReservedClaimError(name)
  }
  Object.assign(claims, own)
  return signWithin(signer, claims)
}

/** What one access token of a service account says: read in one snapshot, the position first. */
export interface ClientMintInput {
  readonly client: Pick<Client, 'id' | 'roles' | 'tenantId'>
  /** The head of the revocation log, read before the client. */
  readonly position: number
  readonly now: EpochMs
}

/**
 * Mints the access token of a service account, which acts for itself: `client_id` is `sub` (RFC 9068
 * §2.2), and nothing speaks of a person or a session. No `user_id` either: a Django service would look
 * for a user by it. The application's claims are about accounts and sessions, so there are none here.
 */
export function mintClientToken(
  signer: AccessSigner,
  settings: AccessTokenSettings,
  random: Random,
  { client, position, now }: ClientMintInput,
): string | Promise<string> {
  return signWithin(signer, {
    ...commonClaims(settings, random, { holder: client, position, now }),
    client_id: client.id,
  })
}

/** The claims that every access token has, whoever holds it. */
function commonClaims(
  settings: AccessTokenSettings,
  random: Random,
  { holder, position, now }: Pick<MintInput, 'position' | 'now'> & { holder: Holder },
): Pick<AccessTokenClaims, CommonClaim> {
  const iat = toEpochSec(now)
  return {
    iss: settings.issuer,
    sub: holder.id,
    aud: settings.audience,
    exp: iat + settings.lifetimeSec,
    iat,
    jti: random.bytes(16).toString('hex'),
    rvp: position,
    roles: holder.roles,
    token_type: 'access',
    ...(holder.tenantId === undefined ? {} : { tid: holder.tenantId }),
  }
}

type CommonClaim =
  | 'iss'
  | 'sub'
  | 'aud'
  | 'exp'
  | 'iat'
  | 'jti'
  | 'rvp'
  | 'roles'
  | 'token_type'
  | 'tid'
type Holder = Pick<AccountClaims, 'id' | 'roles' | 'tenantId'>

function signWithin(signer: AccessSigner, claims: AccessTokenClaims): string | Promise<string> {
  const check = (token: string): string => {
    if (token.length > limits.accessTokenBytesMax) throw tooLarge(token, claims)
    return token
  }
  const token = signer.sign(claims)
  return typeof token === 'string' ? check(token) : token.then(check)
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
