import type { AccessTokenResult } from '@countersign/guard'

import type { RefusalCode } from '../base/refusals.ts'
import type { SessionState } from '../store/refresh.ts'
import { withCurrentAccount } from './current-account.ts'
import { decideRotation } from './decide-rotation.ts'
import { refuse, type Refusal, type SessionParts } from './parts.ts'
import { isGenuineJti } from './refresh-token.ts'
import { whyClientOver, whyOver } from './standing.ts'

/**
 * Says whether a token, access or refresh, would be taken now. Changes nothing: a copied refresh
 * token that is shown here is refused, and its session lives on.
 */
export async function inspectToken(
  parts: SessionParts,
  token: string,
): Promise<{ readonly ok: true } | Refusal> {
  const access = parts.verifyAccess.verify(token)
  if (access.ok) {
    const { sub, sid, rvp } = access.claims
    if (sid === undefined) return inspectClient(parts, { sub, rvp })
    const standing = await inspectSession(parts, { sub, sid, rvp })
    return standing.ok ? { ok: true } : standing
  }
  const accessCode = whyAccessRefused(access)
  if (accessCode !== undefined) return refuse(accessCode)

  const refresh = parts.verifyRefresh(token)
  if (!refresh.ok) return refuse(refresh.code)
  const { sid, gen, jti } = refresh.claims
  const read = await parts.store.sessions.state(sid)
  if (read === undefined) return refuse('session_unknown')
  if (!isGenuineJti(read.session, { generation: gen, jti })) return refuse('token_invalid')
  const state = await withCurrentAccount(parts, read)
  // Seen as its own device would send it: nothing here tells whose token is shown.
  const decision = decideRotation(
    state,
    { ...state.session, generation: gen },
    { now: parts.clock.nowMs(), ...parts.rotation },
  )
  return decision.kind === 'refuse' || decision.kind === 'end'
    ? refuse(decision.code)
    : { ok: true }
}

/**
 * The code for what was given as a refresh token and refused with `code`. An access token is told from
 * a broken one: its holder put it in the wrong place, and that is no secret to them.
 */
export function explainNoRefreshToken(
  parts: SessionParts,
  token: string,
  code: RefusalCode,
): RefusalCode {
  if (code !== 'token_invalid') return code
  const access = parts.verifyAccess.verify(token)
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

/** Session and account behind an access token's claims, if both still stand. */
export async function inspectSession(
  parts: SessionParts,
  claims: { readonly sid: string; readonly sub: string; readonly rvp: number },
): Promise<{ readonly ok: true; readonly state: SessionState } | Refusal> {
  const read = await parts.store.sessions.state(claims.sid)
  if (read !== undefined && claims.rvp > read.position) parts.noteAhead?.(claims.rvp)
  if (read === undefined || read.account.id !== claims.sub) return refuse('session_unknown')
  const state = await withCurrentAccount(parts, read)
  const code = whyOver(state)
  return code === undefined ? { ok: true, state } : refuse(code)
}

/** Whether the service account behind an access token's claims still stands, as of that token. */
async function inspectClient(
  { store, noteAhead }: SessionParts,
  { sub, rvp }: { readonly sub: string; readonly rvp: number },
): Promise<{ readonly ok: true } | Refusal> {
  const view = await store.clients.view(sub)
  if (rvp > view.position) noteAhead?.(rvp)
  const code = whyClientOver(view, rvp)
  return code === undefined ? { ok: true } : refuse(code)
}
