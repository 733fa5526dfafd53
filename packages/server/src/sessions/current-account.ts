import { isOwnAccountId } from '../accounts/source.ts'
import type { SessionState } from '../store/refresh.ts'
import type { SessionServices } from './services.ts'
import { whyOver } from './standing.ts'

/**
 * The state of a session with its account as it is now. Where the application keeps the accounts it is
 * asked, after `state.position` was read, so that what changes meanwhile is newer; roles and name are its
 * answer, and an account that is not active or not there any more is disabled. Of a session that is over
 * it is not asked.
 *
 * A session of the other kind is of an account that cannot be asked about: of our own table while the
 * application keeps the accounts, or of an application that does not keep them any more. Its account is
 * disabled.
 */
export async function withCurrentAccount(
  { source }: Pick<SessionServices, 'source'>,
  state: SessionState,
): Promise<SessionState> {
  const id = state.session.accountId
  if (isOwnAccountId(id) !== (source === undefined)) return { ...state, accountDisabled: true }
  if (source === undefined || whyOver(state) !== undefined) return state
  const found = await source.get(id)
  if (found === undefined || !found.isActive) return { ...state, accountDisabled: true }
  const { username, roles } = found
  return { ...state, username, account: { id, userId: id, roles, tenantId: undefined } }
}
