import type { AccessTokenClaims, AccessTokenResult } from '@countersign/guard'
import type { TokenSubjects } from '@countersign/guard/revocations'

import type { RefusalCode } from '../base/refusals.ts'
import type { SessionState } from '../store/refresh.ts'
import type { Client } from '../store/rows.ts'
import { withCurrentAccount } from './current-account.ts'
import { decideRotation } from './decide-rotation.ts'
import { refuse, type Refusal, type SessionServices } from './services.ts'
import { isGenuineJti, type RefreshClaims } from './refresh-token.ts'
import { isOutlived, whyClientOver, whyOver } from './standing.ts'

/** A token that would be taken now, and what is known of it. */
export type Inspected =
  | {
      readonly ok: true
      readonly kind: 'access'
      readonly claims: AccessTokenClaims
      /** Undefined for a service account. */
      readonly username: string | undefined
    }
  | {
      readonly ok: true
      readonly kind: 'refresh'
      readonly claims: RefreshClaims
      readonly state: SessionState
    }

/**
 * Says whether a token, access or refresh, would be taken now. Changes nothing: a copied refresh
 * token that is shown here is refused, and its session lives on.
 */
export async function inspectToken(
  services: SessionServices,
  token: string,
): Promise<Inspected | Refusal> {
  const access = services.verifyAccess.verify(token)
  if (access.ok) return inspectAccess(services, access.claims)
  const accessCode = whyAccessRefused(access)
  if (accessCode !== undefined) return refuse(accessCode)

  const refresh = services.verifyRefresh(token)
  if (!refresh.ok) return refuse(refresh.code)
  const { sid, gen, jti } = refresh.claims
  const read = await services.store.sessions.state(sid)
  if (read === undefined) return refuse('session_unknown')
  if (!isGenuineJti(read.session, { generation: gen, jti })) return refuse('token_invalid')
  const state = await withCurrentAccount(services, read)
  // Seen as its own device would send it: nothing here tells whose token is shown.
  const decision = decideRotation(
    state,
    { ...state.session, generation: gen },
    { now: services.clock.nowMs(), ...services.rotation },
  )
  return decision.kind === 'refuse' || decision.kind === 'end'
    ? refuse(decision.code)
    : { ok: true, kind: 'refresh', claims: refresh.claims, state }
}

async function inspectAccess(
  services: SessionServices,
  claims: AccessTokenClaims,
): Promise<Inspected | Refusal> {
  const { sub, sid, rvp } = claims
  if (sid === undefined) {
    const standing = await inspectClient(services, claims)
    return standing.ok ? { ok: true, kind: 'access', claims, username: undefined } : standing
  }
  const standing = await inspectSession(services, { ...claims, sid, sub, rvp })
  return standing.ok
    ? { ok: true, kind: 'access', claims, username: standing.state.username }
    : standing
}

/**
 * The same as a service with a copy of the log sees it: a token is out of date too when roles or the like
 * have changed since it was issued.
 */
export async function inspectAsGuard(
  services: SessionServices,
  token: string,
): Promise<Inspected | Refusal> {
  const inspected = await inspectToken(services, token)
  if (!inspected.ok || inspected.kind === 'refresh') return inspected
  const { position } = await services.store.revocations.head()
  const code = await whyRevoked(services, inspected.claims, position)
  return code === undefined ? inspected : refuse(code)
}

/**
 * What a service account learns of a token by introspection. A service account that is bound to a tenant
 * sees only tokens of that tenant: any other gets the same refusal as a token that is not valid.
 */
export async function inspectForClient(
  services: SessionServices,
  { tenantId }: Client,
  token: string,
): Promise<Inspected | Refusal> {
  const inspected = await inspectAsGuard(services, token)
  if (!inspected.ok || tenantId === undefined) return inspected
  const tid = inspected.kind === 'access' ? inspected.claims.tid : inspected.state.account.tenantId
  return tid === tenantId ? inspected : refuse('token_invalid')
}

/**
 * The code for what was given as a refresh token and refused with `code`. An access token is told from
 * a broken one: its holder put it in the wrong place, and that is no secret to them.
 */
export function explainNoRefreshToken(
  services: SessionServices,
  token: string,
  code: RefusalCode,
): RefusalCode {
  if (code !== 'token_invalid') return code
  const access = services.verifyAccess.verify(token)
  return access.ok ? 'token_wrong_type' : (whyAccessRefused(access) ?? code)
}

/** Why our own access token is refused; undefined when it is not known to be one. */
function whyAccessRefused(
  refused: Exclude<AccessTokenResult, { readonly ok: true }>,
): RefusalCode | undefined {
  // Both codes come after the signature was found right.
  if (refused.code === 'token_expired') return 'token_expired'
  if (refused.code !== 'claim_missing') return undefined
  if (refused.claim === 'exp') return 'token_exp_missing'
  return refused.claim === 'jti' ? 'token_id_missing' : undefined
}

/**
 * Session and account behind an access token's claims, if they and the token still stand. The rows speak of
 * session and account here, as they are now, and of what the session has outlived; the log of the token alone.
 */
export async function inspectSession(
  services: SessionServices,
  claims: TokenSubjects & { readonly sid: string },
): Promise<{ readonly ok: true; readonly state: SessionState } | Refusal> {
  const read = await services.store.sessions.state(claims.sid)
  if (read === undefined) {
    // We have signed it, so the session was there: it may be among what the store has lost.
    const { position } = await services.store.revocations.head()
    if (claims.rvp > position) services.noteAhead?.(claims.rvp)
    return refuse('session_unknown')
  }
  if (read.account.id !== claims.sub) return refuse('session_unknown')
  const state = await withCurrentAccount(services, read)
  const code =
    whyOver(state) ??
    // Its session lives: who holds it by right refreshes, and goes on.
    (isOutlived(state, claims.rvp)
      ? 'token_stale'
      : await whyRevoked(services, aloneOf(claims), read.position))
  return code === undefined ? { ok: true, state } : refuse(code)
}

/** Whether the service account behind an access token's claims still stands, as of that token. */
async function inspectClient(
  services: SessionServices,
  claims: TokenSubjects,
): Promise<{ readonly ok: true } | Refusal> {
  const view = await services.store.clients.view(claims.sub)
  const code =
    whyClientOver(view, claims.rvp) ?? (await whyRevoked(services, aloneOf(claims), view.position))
  return code === undefined ? { ok: true } : refuse(code)
}

/** The subjects of a token without those that rows speak of. */
function aloneOf({ rvp, jti }: TokenSubjects): TokenSubjects {
  return { rvp, jti, iss: '', sub: '', client_id: '' }
}

/** What the log says of these subjects. */
async function whyRevoked(
  { standingOf, noteAhead }: SessionServices,
  claims: TokenSubjects,
  position: number,
): Promise<'session_ended' | 'token_stale' | undefined> {
  if (claims.rvp > position) noteAhead?.(claims.rvp)
  const standing = (await standingOf?.(claims, position)) ?? 'stands'
  return standing === 'stands' ? undefined : standing
}
