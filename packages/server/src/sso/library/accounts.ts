import type { Account, Context } from 'oidc-provider'

import { isOwnAccountId } from '../../accounts/source.ts'
import { withCurrentAccount } from '../../sessions/current-account.ts'
import type { SessionServices } from '../../sessions/services.ts'
import type { SessionState } from '../../store/refresh.ts'
import type { Session } from '../../store/rows.ts'
import { whyOver } from '../../store/standing.ts'
import { personClaims } from '../scopes.ts'

/**
 * An account as the library sees it. Its `accountId` is the id of our session: so everything that the library has
 * issued ends with the session, at its next use.
 */
export interface FoundAccount extends Account {
  readonly state: SessionState
}

/** Creates the library's look-up of accounts. It returns undefined for a session that is over. */
export function createFindAccount(
  services: SessionServices,
): (context: Context, sessionId: string) => Promise<FoundAccount | undefined> {
  return async (_, sessionId) => {
    const state = await readLiveSession(services, sessionId)
    if (state === undefined) return undefined
    return {
      accountId: sessionId,
      state,
      claims: async (_use, scope) => {
        const scopes = scope.split(' ')
        const { id } = state.account
        const wantsAccount = scopes.includes('email') && isOwnAccountId(id)
        const account = wantsAccount ? await services.store.accounts.get(id) : undefined
        return personClaims(scopes, state.username, account)
      },
    }
  }
}

/** The state of a session that is not over. Its last refresh does not matter: an application may go on without it. */
export async function readLiveSession(
  services: SessionServices,
  sessionId: string,
): Promise<SessionState | undefined> {
  const read = await services.store.sessions.state(sessionId)
  if (read === undefined) return undefined
  const state = await withCurrentAccount(services, read)
  const isOver =
    whyOver(state) !== undefined || services.store.clock.nowMs() >= state.session.endsAt
  return isOver ? undefined : state
}

/** The account of the request, or undefined. */
export function accountOf({ oidc }: Context): FoundAccount | undefined {
  // `findAccount` above is the only source of this entity.
  return oidc.entities['Account'] as FoundAccount | undefined
}

/** The account of the request. Throws if the library has not looked it up, which is a bug. */
export function neededAccountOf(context: Context): FoundAccount {
  const account = accountOf(context)
  if (account === undefined) throw new TypeError('The library has not looked up the account.')
  return account
}

/** The whole seconds until the session of the request ends, at least 1. Without a session, an hour. */
export function secondsOfSession(services: SessionServices, context: Context): number {
  const account = accountOf(context)
  return account === undefined ? 3_600 : secondsUntilEnd(services, account.state.session)
}

/** The whole seconds until a session ends, at least 1. */
export function secondsUntilEnd(
  { store }: SessionServices,
  { endsAt }: Pick<Session, 'endsAt'>,
): number {
  return Math.max(1, Math.floor((endsAt - store.clock.nowMs()) / 1000))
}
