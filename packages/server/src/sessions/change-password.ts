import { checkNewPassword } from '../accounts/password-rules.ts'
import { usernameKey } from '../accounts/usernames.ts'
import { countTry, giveBackTries } from './count-try.ts'
import { auditContextOf, renew, type CurrentSession, type Renewed } from './own-sessions.ts'
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
  const { store, hasher, throttle } = services
  const { session, username } = current.state
  const rejected = checkNewPassword(newPassword, { username, publicUrl: services.access.issuer })
  if (rejected !== undefined) return { ok: false, code: rejected.code, text: rejected.text }

  const key = usernameKey(username)
  const { account } = await store.accounts.viewForSignIn(key, {
    tenantName: undefined,
    address: caller.address,
  })
  const guesses = throttle.bucketsOf({
    usernameKey: key,
    ...caller,
    isKnownAddress: true,
    sessionId: session.id,
  })
  const logins = throttle.loginsOf(key)
  const throttled = await countTry(services, [...guesses, ...logins])
  if (throttled !== undefined) return throttled
  const isRight = await hasher.verify(account?.passwordHash, oldPassword, key)
  if (isRight === false || account?.passwordHash === undefined) {
    await giveBackTries(services, logins)
    return WRONG_PASSWORD
  }
  const hash = isRight === true ? await hasher.hash(newPassword) : undefined
  if (hash === undefined) {
    await giveBackTries(services, [...guesses, ...logins])
    return refuse('password_queue_full')
  }
  const change = await store.accounts.changePassword(
    account.id,
    { from: account.passwordHash, to: hash },
    session.id,
    auditContextOf(services, account.id, caller),
  )
  if (change !== 'changed') return whyUnchanged(services, session.id)
  await giveBackTries(services, guesses)
  return renew(services, current)
}

/** While the hash was computed, the session ended, or another request changed the password first. */
async function whyUnchanged({ store }: SessionServices, sessionId: string): Promise<Refusal> {
  const now = await store.sessions.state(sessionId)
  return now === undefined || whyOver(now) !== undefined ? refuse('session_ended') : WRONG_PASSWORD
}

const WRONG_PASSWORD: Refusal = {
  ok: false,
  code: 'credentials_invalid',
  text: 'The old password is wrong.',
}
