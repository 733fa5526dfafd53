import type { AccessTokenClaims, AccessTokenResult } from '@countersign/guard'
import type { TokenSubjects } from '@countersign/guard/revocations'

import type { RefusalCode } from '../base/refusals.ts'
import type { SessionState } from '../store/refresh.ts'
import type { Client } from '../store/rows.ts'
import { withCurrentAccount } from './current-account.ts'
import { decideRotation } from '../store/decide-rotation.ts'
import { refuse, type Refusal, type SessionServices } from './services.ts'
import { isGenuineJti } from '../store/refresh-jti.ts'
import type { RefreshClaims } from './refresh-token.ts'
import { isOutlived, whyClientOver, whyOver } from '../store/standing.ts'

/** A token that would be accepted now, with its claims and its account, or the refusal. */
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
 * Checks whether a token, access or refresh, would be accepted now. Changes nothing: an old copy of a refresh
 * token is refused here, but its session does not end.
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
  // Decided as if the session's own device had sent it, because the origin of the token is not known here.
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
 * Checks a token like `inspectToken`, and also like a guard: an access token is refused as stale if, for
 * example, roles changed after it was issued.
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
 * Inspects a token for a service account. A service account that is bound to a tenant sees only tokens of
 * that tenant. All other tokens get the same refusal as a token that is not valid.
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
 * Returns a more precise code for a refresh token that was refused with `code`. A valid access token gets
 * another code than a broken token. Its holder sent it to the wrong endpoint and may know that.
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

/**
 * Returns why an access token of this authority is refused. Returns undefined if another issuer may have made
 * the token.
 */
function whyAccessRefused(
  refused: Exclude<AccessTokenResult, { readonly ok: true }>,
): RefusalCode | undefined {
  // With either code, the signature is right.
  if (refused.code === 'token_expired') return 'token_expired'
  if (refused.code !== 'claim_missing') return undefined
  if (refused.claim === 'exp') return 'token_exp_missing'
  return refused.claim === 'jti' ? 'token_id_missing' : undefined
}

/**
 * Returns the session and the account of an access token's claims, if neither of them nor the token is
 * revoked. The rows decide about session and account, and about revocations that the session survived. The
 * log decides only about the token.
 */
export async function inspectSession(
  services: SessionServices,
  claims: TokenSubjects & { readonly sid: string },
): Promise<{ readonly ok: true; readonly state: SessionState } | Refusal> {
  const read = await services.store.sessions.state(claims.sid)
  if (read === undefined) {
    // The authority signed this token, so the session existed. The store may have lost it.
    const { position } = await services.store.revocations.head()
    if (claims.rvp > position) services.noteAhead?.(claims.rvp)
    return refuse('session_unknown')
  }
  if (read.account.id !== claims.sub) return refuse('session_unknown')
  const state = await withCurrentAccount(services, read)
  const code =
    whyOver(state) ??
    // The session is live, so its rightful holder can refresh.
    (isOutlived(state, claims.rvp)
      ? 'token_stale'
      : await whyRevoked(services, aloneOf(claims), read.position))
  return code === undefined ? { ok: true, state } : refuse(code)
}

/** Checks the service account behind an access token's claims. */
async function inspectClient(
  services: SessionServices,
  claims: TokenSubjects,
): Promise<{ readonly ok: true } | Refusal> {
  const view = await services.store.clients.view(claims.sub)
  const code =
    whyClientOver(view, claims.rvp) ?? (await whyRevoked(services, aloneOf(claims), view.position))
  return code === undefined ? { ok: true } : refuse(code)
}

/** Returns the subjects of a token without the subjects that the rows decide about. */
function aloneOf({ rvp, jti }: TokenSubjects): TokenSubjects {
  return { rvp, jti, iss: '', sub: '', client_id: '' }
}

/** Returns the refusal if the log has revoked a subject after the token was issued. */
async function whyRevoked(
  { standingOf, noteAhead }: SessionServices,
  claims: TokenSubjects,
  position: number,
): Promise<'session_ended' | 'token_stale' | undefined> {
  if (claims.rvp > position) noteAhead?.(claims.rvp)
  const standing = (await standingOf?.(claims, position)) ?? 'stands'
  return standing === 'stands' ? undefined : standing
}
