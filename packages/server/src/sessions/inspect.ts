import type { AccessTokenClaims } from '@countersign/guard'

import type { RefusalCode } from '../base/refusals.ts'
import type { SessionState } from '../store/refresh.ts'
import { decideRotation } from './decide-rotation.ts'
import { refuse, type Refusal, type SessionParts } from './parts.ts'
import { isGenuineJti } from './refresh-token.ts'

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
    const standing = await inspectSession(parts, access.claims)
    return standing.ok ? { ok: true } : standing
  }
  if (access.code === 'token_expired') return refuse('token_expired')

  const refresh = parts.verifyRefresh(token)
  if (!refresh.ok) return refuse(refresh.code)
  const { sid, gen, jti } = refresh.claims
  const state = await parts.store.sessions.state(sid)
  if (state === undefined) return refuse('session_unknown')
  if (!isGenuineJti(state.session, { generation: gen, jti })) return refuse('token_invalid')
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

/** Session and account behind an access token's claims, if both still stand. */
export async function inspectSession(
  parts: SessionParts,
  claims: Pick<AccessTokenClaims, 'sid' | 'sub'>,
): Promise<{ readonly ok: true; readonly state: SessionState } | Refusal> {
  const state = await parts.store.sessions.state(claims.sid)
  if (state === undefined || state.account.id !== claims.sub) return refuse('session_unknown')
  const code = whyOver(state)
  return code === undefined ? { ok: true, state } : refuse(code)
}

function whyOver(state: SessionState): RefusalCode | undefined {
  if (state.session.endedAt !== undefined) return 'session_ended'
  if (state.accountDisabled) return 'account_disabled'
  return state.accountHardPosition > state.session.signedInPosition ? 'session_ended' : undefined
}
