import { checkNewPassword } from '../accounts/password-rules.ts'
import { usernameKey } from '../accounts/usernames.ts'
import { limits } from '../base/limits.ts'
import { grantAfterwards } from '../sessions/grant.ts'
import type { Caller, SessionServices } from '../sessions/services.ts'
import { countTry, giveBackTries } from '../sessions/sign-in.ts'
import { whyOver } from '../sessions/standing.ts'
import type { SessionState } from '../store/refresh.ts'
import type { AuditContext, SessionSummary } from '../store/store.ts'
import type { Cookies } from './browser/cookies.ts'
import { answerJson, sessionCookies } from './browser/session-answers.ts'
import { describeDevice } from './device.ts'
import { readFields } from './fields.ts'
import { problem, problemFor } from './problem.ts'

/** What an account does with its own sessions and password. Each is for who is logged in. */

/** Who asks, and with what: a token in the header, or one in the cookie. */
export interface LoggedIn {
  readonly state: SessionState
  readonly isCookie: boolean
  readonly expSec: number
  readonly cookies: Cookies
}

/** `GET /auth/sessions`: the live ones, the newest first. */
export async function answerSessions(
  { store }: SessionServices,
  { account, session }: SessionState,
): Promise<Response> {
  const sessions = await store.sessions.list({
    accountId: account.id,
    limit: limits.sessionsListedMax,
    live: true,
  })
  return answerJson(200, {
    sessions: sessions.map((each) => describeSummary(each, session.id)),
  })
}

function describeSummary(session: SessionSummary, currentId: string): Record<string, unknown> {
  return {
    id: session.id,
    device: describeDevice(session.userAgent),
    address: session.address,
    created_at: Math.floor(session.createdAt / 1000),
    last_used_at: Math.floor(session.rotatedAt / 1000),
    current: session.id === currentId,
  }
}

/** `DELETE /auth/sessions/ID`: ends one of the account's own sessions; of another's, nothing is said. */
export async function answerEndSession(
  services: SessionServices,
  { account }: SessionState,
  sessionId: string,
  caller: Caller,
): Promise<Response> {
  const { store } = services
  const other = await store.sessions.state(sessionId)
  if (other === undefined || other.account.id !== account.id) return problem('not_found')
  await store.sessions.end(
    sessionId,
    { event: 'session_ended' },
    auditContextOf(services, account.id, caller),
  )
  return answerJson(204, undefined)
}

/** `POST /auth/logout` with an access token in the header: ends its session. */
export async function answerEndOwnSession(
  services: SessionServices,
  { account, session }: SessionState,
  caller: Caller,
): Promise<Response> {
  await services.store.sessions.end(
    session.id,
    { event: 'logout' },
    auditContextOf(services, account.id, caller),
  )
  return answerJson(204, undefined)
}

/** Each is an entry that the log keeps and every guard gets: so many at once, and then one in each interval. */
const END_RATE = { triesMax: 10, intervalMs: 10_000 } as const

/** `POST /auth/sessions/end-others` and `end-all`. */
export async function answerEndSessions(
  services: SessionServices,
  who: LoggedIn,
  which: 'others' | 'all',
  caller: Caller,
): Promise<Response> {
  const { account, session } = who.state
  // By session: a thief with one of the account's keeps its owner from nothing.
  const throttled = await countTry(services, [{ key: `end:${session.id}`, ...END_RATE }])
  if (throttled !== undefined) return problemFor(throttled)
  await services.store.accounts.endSessions(
    account.id,
    which === 'others' ? session.id : undefined,
    auditContextOf(services, account.id, caller),
  )
  return which === 'others' ? answerOutlived(services, who) : answerJson(204, undefined)
}

/**
 * The session goes on, and needs another access token: into the cookie, or into the answer where it came in
 * the header.
 */
async function answerOutlived(
  services: SessionServices,
  { state, isCookie, expSec, cookies }: LoggedIn,
): Promise<Response> {
  const { id } = state.session
  const granted = await grantAfterwards(services, id, { expSec, forCookies: isCookie })
  if (granted === undefined) return answerJson(204, undefined)
  return isCookie
    ? answerJson(204, undefined, sessionCookies(services, cookies, granted))
    : answerJson(200, { access: granted.access })
}

/**
 * `POST /auth/password`: asks for the old password and ends all other sessions. Tries count as those of
 * a log-in from a known place, and for the session: whoever found an open browser, or took its token to
 * many addresses, does not get to guess here.
 */
export async function answerChangePassword(
  services: SessionServices,
  who: LoggedIn,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const { state } = who
  const fields = await readFields(request, { required: ['old_password', 'new_password'] })
  if (!fields.ok) return fields.response
  const { old_password: oldPassword, new_password: newPassword } = fields.values
  const { store, hasher, throttle } = services
  const context = { username: state.username, publicUrl: services.access.issuer }
  const rejected = checkNewPassword(newPassword, context)
  if (rejected !== undefined) return problem(rejected.code, {}, { detail: rejected.text })

  const key = usernameKey(state.username)
  const { account } = await store.accounts.viewForSignIn(key, {
    tenantName: undefined,
    address: caller.address,
  })
  const tries = throttle.bucketsOf({
    usernameKey: key,
    ...caller,
    isKnownAddress: true,
    sessionId: state.session.id,
  })
  const throttled = await countTry(services, tries)
  if (throttled !== undefined) return problemFor(throttled)
  const verifying = hasher.verify(account?.passwordHash, oldPassword, key)
  if (verifying === undefined) return problem('password_queue_full')
  if (!(await verifying) || account?.passwordHash === undefined) return wrongPassword()
  const hash = await hasher.hash(newPassword)
  if (hash === undefined) return problem('password_queue_full')
  const change = await store.accounts.changePassword(
    account.id,
    { from: account.passwordHash, to: hash },
    state.session.id,
    auditContextOf(services, account.id, caller),
  )
  if (change === 'changed') {
    await giveBackTries(services, tries)
    return answerOutlived(services, who)
  }
  // While the hash was computed, somebody ended this session or changed the password before.
  const now = await store.sessions.state(state.session.id)
  return now === undefined || whyOver(now) !== undefined
    ? problem('session_ended')
    : wrongPassword()
}

function wrongPassword(): Response {
  return problem('credentials_invalid', {}, { detail: 'The old password is not right.' })
}

function auditContextOf(
  { clock }: SessionServices,
  accountId: string,
  { address }: Caller,
): AuditContext {
  return { at: clock.nowMs(), actor: accountId, address }
}
