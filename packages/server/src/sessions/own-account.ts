import { readAccountData, type AccountData } from '../accounts/export.ts'
import { checkUsername, usernameKey } from '../accounts/usernames.ts'
import { refuseUnlessFresh } from './freshness.ts'
import { auditContextOf, type CurrentSession } from './own-sessions.ts'
import { proveOwnPassword } from './prove-own-password.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'

/**
 * Changes the username of the account of a session. A username that is an e-mail address must be the verified
 * address of the account: nobody can take the address of somebody else as a name.
 */
export async function renameOwnAccount(
  services: SessionServices,
  current: CurrentSession,
  username: string,
  caller: Caller,
): Promise<{ readonly ok: true; readonly username: string } | Refusal> {
  const { store } = services
  const { state } = current
  const problem = checkUsername(username)
  if (problem !== undefined) return { ok: false, code: problem.code, text: problem.text }
  const key = usernameKey(username)
  const account = await store.accounts.get(state.account.id)
  if (account === undefined) return refuse('session_ended')
  const isOwnAddress = account.email?.key === key && account.email.verifiedAt !== undefined
  if (key.includes('@') && !isOwnAddress) {
    return {
      ok: false,
      code: 'username_invalid',
      text: 'A username that is an e-mail address must be the verified address of the account.',
    }
  }
  // A thief with an open session would keep the owner from logging in, and free the name for somebody else.
  const stale = await refuseUnlessFresh(services, current, { hasProvenPassword: false })
  if (stale !== undefined) return stale
  const context = auditContextOf(services, account.id, caller)
  const renamed = await store.accounts.rename(account.id, { username, usernameKey: key }, context)
  if (renamed === 'taken') return refuse('username_taken')
  return renamed === 'unknown' ? refuse('session_ended') : { ok: true, username }
}

/** Reads the data of the account of a session. */
export async function exportOwnAccount(
  services: SessionServices,
  { state }: CurrentSession,
  caller: Caller,
): Promise<{ readonly ok: true; readonly data: AccountData } | Refusal> {
  const { store } = services
  const { id } = state.account
  const account = await store.accounts.get(id)
  if (account === undefined) return refuse('session_ended')
  const { passwordHash: _, hardPosition: __, ...summary } = account
  const data = await readAccountData(store, summary)
  const { at, actor, address } = auditContextOf(services, id, caller)
  await store.audit.append({
    at,
    actor,
    address,
    event: 'account_exported',
    outcome: 'ok',
    accountId: id,
    sessionId: state.session.id,
    detail: undefined,
  })
  return { ok: true, data }
}

/** Deletes the account of a session after its password was typed. Ends all its sessions, and cannot be undone. */
export async function deleteOwnAccount(
  services: SessionServices,
  current: CurrentSession,
  password: string,
  caller: Caller,
): Promise<{ readonly ok: true } | Refusal> {
  const proven = await proveOwnPassword(services, current, password, caller)
  if (!proven.ok) return proven
  const stale = await refuseUnlessFresh(services, current, { hasProvenPassword: true })
  if (stale !== undefined) return stale
  const { account } = proven
  const context = auditContextOf(services, account.id, caller)
  const mails = await services.notices?.accountDeleted(account, context.at)
  const deleted = await services.store.accounts.deleteOwn(
    account.id,
    { passwordHash: account.passwordHash, sessionId: current.state.session.id },
    { ...context, mails },
  )
  // While the password was checked, it was changed or the session ended, for example by a reset.
  return deleted === 'changed' ? { ok: true } : refuse('session_ended')
}
