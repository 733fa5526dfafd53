import { isOwnAccountId } from '../accounts/source.ts'
import type { SessionState } from '../store/refresh.ts'
import type { SessionServices } from './services.ts'
import { whyOver } from './standing.ts'
import { withoutTenant } from './tenant-claims.ts'

/**
 * Returns the state of a session with its account as it is now. If the application keeps the accounts, it
 * is asked for roles and username, after `state.position` was read, so that later changes are newer. An
 * account that is inactive or gone counts as disabled. For a session that is over nothing is asked.
 *
 * An account of the other kind also counts as disabled, because nobody can say what it is now: one of the
 * authority's own table while the application keeps the accounts, or one of an application that no longer
 * keeps them.
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
