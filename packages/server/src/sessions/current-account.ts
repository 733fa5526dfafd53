import { isOwnAccountId } from '../accounts/source.ts'
import type { SessionState } from '../store/refresh.ts'
import type { SessionServices } from './services.ts'
import { whyOver } from '../store/standing.ts'
import { withoutTenant } from './tenant-claims.ts'

/**
 * Returns the state of a session with its current account. If the application keeps the accounts, it is asked
 * for roles and username after `state.position` was read, so later changes have a higher position. An account
 * that is inactive or missing counts as disabled. The application is not asked about a session that is over.
 *
 * Two kinds of accounts count as disabled, because their current state is unknown: accounts of the
 * authority's own table while the application keeps the accounts, and accounts of an application that no
 * longer keeps them.
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
  return { ...state, username, account: withoutTenant({ id, userId: id, roles }) }
}
