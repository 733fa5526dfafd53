import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'
import { isGenuineJti } from '../store/refresh-jti.ts'
import { whyOver } from '../store/standing.ts'

/**
 * Ends the session of a refresh token of any generation, because an old token may log out too. Refuses a
 * session that is already over.
 */
export async function endByRefreshToken(
  services: SessionServices,
  token: string,
  caller: Caller,
): Promise<{ readonly ok: true } | Refusal> {
  const verified = services.verifyRefresh(token)
  if (!verified.ok) return refuse(verified.code)
  const { sid, gen, jti } = verified.claims

  const state = await services.store.sessions.state(sid)
  if (state === undefined) return refuse('session_unknown')
  // The seed of a row never changes, so this can be checked before the atomic step.
  if (!isGenuineJti(state.session, { generation: gen, jti })) return refuse('token_invalid')
  const over = whyOver(state)
  if (over !== undefined) return refuse(over)

  const change = await services.store.sessions.end(
    sid,
    { event: 'logout' },
    { at: services.clock.nowMs(), actor: state.account.id, address: caller.address },
  )
  return change === 'changed' ? { ok: true } : refuse('session_ended')
}
