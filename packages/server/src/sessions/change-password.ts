import { giveBackTries } from './count-try.ts'
import { refuseUnlessFresh } from './freshness.ts'
import { auditContextOf, renew, type CurrentSession, type Renewed } from './own-sessions.ts'
import { WRONG_PASSWORD, proveOwnPassword } from './prove-own-password.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'
import { whyOver } from '../store/standing.ts'

/** The current password and the new password. */
export interface PasswordChange {
  readonly oldPassword: string
  readonly newPassword: string
}

/**
 * Changes the password of the account of a session, and ends all other sessions of the account in the same
 * step. The current session gets a new access token.
 *
 * Attempts count like logins from a known address, and also against the session. So a person with an open
 * browser cannot guess the password here, not even by using its token from many addresses.
 */
export async function changePassword(
  services: SessionServices,
  current: CurrentSession,
  { oldPassword, newPassword }: PasswordChange,
  caller: Caller,
): Promise<Renewed | Refusal> {
  const { store, newPasswords } = services
  const { session, username } = current.state
  const rejected = newPasswords.check(newPassword, { username })
  if (rejected !== undefined) return { ok: false, code: rejected.code, text: rejected.text }

  const proven = await proveOwnPassword(services, current, oldPassword, caller)
  if (!proven.ok) return proven.code === 'credentials_invalid' ? WRONG_OLD_PASSWORD : proven
  const { account, guesses, all } = proven
  const stale = await refuseUnlessFresh(services, current, { hasProvenPassword: true })
  if (stale !== undefined) {
    await giveBackTries(services, guesses)
    return stale
  }
  const hash = await newPasswords.hash(newPassword, { username })
  if (!hash.ok) {
    // The old password was right. Only a full queue gives all tries back: the others bound the look-ups.
    await giveBackTries(services, hash.code === 'password_queue_full' ? all : guesses)
    return hash
  }
  const context = auditContextOf(services, account.id, caller)
  const change = await store.accounts.changePassword(
    account.id,
    { from: account.passwordHash, to: hash.value },
    session.id,
    { ...context, mails: await services.notices?.passwordChanged(account, caller, context.at) },
  )
  if (change !== 'changed') return whyUnchanged(services, session.id)
  await giveBackTries(services, guesses)
  return renew(services, current)
}

/** While the hash was computed, the session ended, or another request changed the password first. */
async function whyUnchanged({ store }: SessionServices, sessionId: string): Promise<Refusal> {
  const now = await store.sessions.state(sessionId)
  return now === undefined || whyOver(now) !== undefined
    ? refuse('session_ended')
    : WRONG_OLD_PASSWORD
}

const WRONG_OLD_PASSWORD: Refusal = { ...WRONG_PASSWORD, text: 'The old password is wrong.' }
