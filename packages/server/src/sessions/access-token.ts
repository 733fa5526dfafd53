import { csrfHash, type AccessTokenClaims } from '@countersign/guard'

import { toEpochSec, type EpochMs } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import type { AccessSigner } from '../keys/foreign-signer.ts'
import type { AccountClaims, Client, Session } from '../store/rows.ts'
import { tenantClaims, withoutTenant, type TenantClaims } from './tenant-claims.ts'

/** Settings of all access tokens of this authority. */
export interface AccessTokenSettings {
  readonly issuer: string
  readonly audience: string
  /** Seconds from `iat` to `exp`. */
  readonly lifetimeSec: number
  /** Adds the application's own claims. */
  readonly claims?: ClaimsHook | undefined
}

/**
 * Returns claims that the application adds to an access token. Called synchronously at each login and
 * refresh. It must not set a claim that Countersign sets.
 */
export type ClaimsHook = (
  account: AccountClaims,
  session: Pick<
    Session,
    'id' | 'clientId' | 'createdAt' | 'tenantId' | 'authenticatedAt' | 'amr' | 'acr'
  >,
) => Readonly<Record<string, unknown>>

/** The input of one access token. It is read in one snapshot, with the position first. */
export interface MintInput {
  readonly session: Parameters<ClaimsHook>[1] & Pick<Session, 'endsAt'>
  readonly account: AccountClaims
  /** The head of the revocation log, read before the account. */
  readonly position: number
  readonly now: EpochMs
  /** The session's CSRF token, for an access token in a cookie. */
  readonly csrfToken?: string | undefined
  /** The thumbprint of the key that the token is bound to (RFC 9449 §6.1). */
  readonly jkt?: string | undefined
  /** The application that gets the token. Undefined: the client of the session. */
  readonly application?: TokenOfApplication | undefined
}

/** The claims of an application's access token besides those of all access tokens. */
export interface TokenOfApplication {
  readonly clientId: string
  /** The resource at which it is accepted. */
  readonly audience: string
  /** The scopes, separated by spaces. Undefined: none. */
  readonly scope: string | undefined
}

/** An access token that is too large for a cookie. The message names its largest claims. */
export class TokenTooLargeError extends Error {
  override readonly name = 'TokenTooLargeError'
}

/**
 * Mints an access token (RFC 9068 §2.2). It also has `token_type` and `user_id`, so that a Django service
 * with SimpleJWT accepts it unchanged. Throws a `TokenTooLargeError` above 3,500 bytes, and a
 * `ReservedClaimError` if the application sets a claim of ours.
 */
export function mintAccessToken(
  signer: AccessSigner,
  settings: AccessTokenSettings,
  random: Random,
  { session: given, account, position, now, csrfToken, jkt, application }: MintInput,
): string | Promise<string> {
  const session = application === undefined ? given : { ...given, clientId: application.clientId }
  const common = commonClaims(settings, random, { holder: account, position, now })
  const claims: AccessTokenClaims = {
    ...common,
    // Never later than the absolute end of the session.
    exp: Math.min(common.exp, toEpochSec(session.endsAt)),
    client_id: session.clientId,
    sid: session.id,
    auth_time: toEpochSec(session.authenticatedAt),
    amr: session.amr,
    ...(session.acr === undefined ? {} : { acr: session.acr }),
    user_id: account.userId,
    ...(csrfToken === undefined ? {} : { csh: csrfHash(csrfToken) }),
    ...(jkt === undefined ? {} : { cnf: { jkt } }),
    ...(application === undefined ? {} : claimsOfApplication(application)),
  }
  const own = settings.claims?.(account, withoutSecrets(session)) ?? {}
  for (const name of Object.keys(own)) {
    if (Object.hasOwn(claims, name) || RESERVED.has(name)) throw new ReservedClaimError(name)
  }
  Object.assign(claims, own)
  return signWithin(signer, claims)
}

function claimsOfApplication({
  audience,
  scope,
}: TokenOfApplication): Pick<AccessTokenClaims, 'aud' | 'scope'> {
  return { aud: audience, ...(scope === undefined ? {} : { scope }) }
}

/** Names every member: the row that a mint gets also holds the seed of its refresh tokens. */
function withoutSecrets(session: Parameters<ClaimsHook>[1]): Parameters<ClaimsHook>[1] {
  const { id, clientId, createdAt, tenantId, authenticatedAt, amr, acr } = session
  return { id, clientId, createdAt, tenantId, authenticatedAt, amr, acr }
}

/** The input of one access token of a service account. Read in one snapshot, the position first. */
export interface ClientMintInput {
  readonly client: Pick<Client, 'id' | 'roles' | 'tenantId'>
  /** The name of the client's tenant, if it has one. */
  readonly tenantName: string | undefined
  /** The head of the revocation log, read before the client. */
  readonly position: number
  readonly now: EpochMs
}

/**
 * Mints the access token of a service account, which acts for itself. `client_id` equals `sub` (RFC 9068
 * §2.2), and there are no claims about a person or a session. There is no `user_id`, because a Django service
 * would look for a user. There are no claims of the application, because these are about accounts and
 * sessions.
 *
 * The roles of a client that is bound to a tenant are roles in that tenant. A customer's service account must
 * not pass for one of ours.
 */
export function mintClientToken(
  signer: AccessSigner,
  settings: AccessTokenSettings,
  random: Random,
  { client, tenantName, position, now }: ClientMintInput,
): string | Promise<string> {
  const { id, roles, tenantId } = client
  const holder: Holder =
    tenantId === undefined
      ? withoutTenant({ id, roles })
      : { id, roles: [], tenantId, tenantName, tenantRoles: roles }
  return signWithin(signer, {
    ...commonClaims(settings, random, { holder, position, now }),
    client_id: id,
  })
}

/** Returns the claims that access tokens of people and of service accounts share. */
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
    ...tenantClaims(holder),
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
  | keyof TenantClaims
type Holder = Omit<AccountClaims, 'userId'>

function signWithin(signer: AccessSigner, claims: AccessTokenClaims): string | Promise<string> {
  const check = (token: string): string => {
    if (token.length > limits.accessTokenBytesMax) throw tooLarge(token, claims)
    return token
  }
  const token = signer.sign(claims)
  return typeof token === 'string' ? check(token) : token.then(check)
}

/** The application's own claims contain a claim that Countersign sets. */
export class ReservedClaimError extends Error {
  override readonly name = 'ReservedClaimError'
  constructor(claim: string) {
    super(`The claims of the application must not contain "${claim}", because Countersign sets it.`)
  }
}

// These claims are rejected even if this token would not have them. A claim such as `tenant_roles` or `scope`
// could give a person the rights of an administrator.
const RESERVED: ReadonlySet<string> = new Set([
  'tid',
  'tenant_name',
  'tenant_roles',
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
