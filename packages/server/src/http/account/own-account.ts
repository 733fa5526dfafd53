import { deleteOwnAccount, exportOwnAccount, renameOwnAccount } from '../../sessions/own-account.ts'
import { changePassword } from '../../sessions/change-password.ts'
import { endOwnSession, endOwnSessions, listOwnSessions } from '../../sessions/own-sessions.ts'
import type { Caller, SessionServices } from '../../sessions/services.ts'
import type { SessionSummary } from '../../store/store.ts'
import { answerJson, forgetSession } from '../browser/session-answers.ts'
import { withoutRevocation } from '../effective.ts'
import { problemFor } from '../problem.ts'
import { loadDescribeDevice, type DescribeDevice } from '../../accounts/device.ts'
import type { LoggedIn } from './gates.ts'
import { answerRenewed } from './renewed.ts'

/** `GET /auth/sessions`: the account's live sessions, newest first. */
export async function answerSessions(
  services: SessionServices,
  { state }: LoggedIn,
): Promise<Response> {
  const sessions = await listOwnSessions(services, state)
  const describeDevice = await loadDescribeDevice()
  return answerJson(200, {
    sessions: sessions.map((each) => describeSummary(each, state.session.id, describeDevice)),
  })
}

function describeSummary(
  session: SessionSummary,
  currentId: string,
  describeDevice: DescribeDevice,
): Record<string, unknown> {
  return {
    id: session.id,
    device: describeDevice(session.userAgent),
    address: session.address,
    created_at: Math.floor(session.createdAt / 1000),
    last_used_at: Math.floor(session.rotatedAt / 1000),
    current: session.id === currentId,
  }
}

/** `DELETE /auth/sessions/ID`: ends one of the account's own sessions. */
export async function answerEndSession(
  services: SessionServices,
  { state }: LoggedIn,
  sessionId: string,
  caller: Caller,
): Promise<Response> {
  const ended = await endOwnSession(services, state, sessionId, caller)
  if (!ended.ok) return problemFor(ended)
  const answer = answerJson(204, undefined)
  return ended.hasRevoked ? answer : withoutRevocation(answer)
}

/** `POST /auth/sessions/end-others` and `end-all`. */
export async function answerEndSessions(
  services: SessionServices,
  who: LoggedIn,
  which: 'others' | 'all',
  caller: Caller,
): Promise<Response> {
  const ended = await endOwnSessions(services, who, which, caller)
  return ended.ok ? answerRenewed(services, who, ended) : problemFor(ended)
}

/** `POST /auth/password`: requires the old password, sets the new one and ends all other sessions. */
export async function answerChangePassword(
  services: SessionServices,
  who: LoggedIn,
  passwords: { readonly oldPassword: string; readonly newPassword: string },
  caller: Caller,
): Promise<Response> {
  const changed = await changePassword(services, who, passwords, caller)
  return changed.ok ? answerRenewed(services, who, changed) : problemFor(changed)
}

/** `PATCH /auth/me`. */
export async function answerRename(
  services: SessionServices,
  who: LoggedIn,
  username: string,
  caller: Caller,
): Promise<Response> {
  const renamed = await renameOwnAccount(services, who, username, caller)
  return renamed.ok ? answerJson(200, { username: renamed.username }) : problemFor(renamed)
}

/** `GET /auth/me/export`: the same names as in the database, and times in milliseconds since 1970. */
export async function answerExport(
  services: SessionServices,
  who: LoggedIn,
  caller: Caller,
): Promise<Response> {
  const exported = await exportOwnAccount(services, who, caller)
  if (!exported.ok) return problemFor(exported)
  const answer = answerJson(200, exported.data)
  answer.headers.set('content-disposition', 'attachment; filename="account.json"')
  return answer
}

/** `POST /auth/me/delete`: the cookies go with the account. */
export async function answerDelete(
  services: SessionServices,
  who: LoggedIn,
  password: string,
  caller: Caller,
): Promise<Response> {
  const deleted = await deleteOwnAccount(services, who, password, caller)
  return deleted.ok
    ? answerJson(204, undefined, who.isCookie ? forgetSession(who.cookies) : [])
    : problemFor(deleted)
}
