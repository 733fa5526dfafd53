import { no, unknown, yes, type Managed } from '../accounts/managed.ts'
import { usernameKey } from '../accounts/usernames.ts'
import type { Clock } from '../base/clock.ts'
import type { Notices } from '../sessions/services.ts'
import type { Change } from '../store/change.ts'
import type { Identity } from '../store/identities.ts'
import type { Store } from '../store/store.ts'
import { idOfIdentity } from './own-identities.ts'

/** An identity in a listing. `id` names it in `unlink`. */
export interface ListedIdentity extends Omit<Identity, 'accountId'> {
  readonly id: string
}

/**
 * Manages the identities of other issuers, for operators and embedding applications. `username` is the account, `by` the
 * actor in the audit.
 */
export interface IdentityManager {
  /** Lists the identities that can log in to an account, the oldest first. */
  list(username: string): Promise<Managed<readonly ListedIdentity[]>>
  /**
   * Removes an identity. The person gets a mail. `identity_last` if nobody could log in to the account afterwards: set a
   * password first.
   */
  unlink(username: string, id: string, by: string): Promise<Managed<Change>>
}

/** Dependencies of the manager of identities. */
export interface IdentityManagerOptions {
  readonly store: Store
  readonly clock: Clock
  /** Returns undefined if the server sends no mail. */
  readonly notices: () => Notices | undefined
  readonly hasMailLogin: boolean
}

/** Creates the manager of identities. */
export function createIdentityManager({
  store,
  clock,
  notices,
  hasMailLogin,
}: IdentityManagerOptions): IdentityManager {
  const listOf = async (accountId: string): Promise<readonly ListedIdentity[]> =>
    (await store.identities.listOf(accountId)).map((each) => {
      const { issuer, subject, provider, label, linkedAt, lastUsedAt } = each
      return { id: idOfIdentity(each), issuer, subject, provider, label, linkedAt, lastUsedAt }
    })

  return {
    async list(username) {
      const account = await store.accounts.find(usernameKey(username))
      return account === undefined ? unknown(username) : yes(await listOf(account.id))
    },

    async unlink(username, id, by) {
      const account = await store.accounts.find(usernameKey(username))
      if (account === undefined) return unknown(username)
      const identity = (await listOf(account.id)).find((each) => each.id === id)
      if (identity === undefined) return yes('unchanged')
      const at = clock.nowMs()
      // The mail does not say where the operator was.
      const caller = { address: '', userAgent: '' }
      const mails = await notices()?.factorChanged(account, 'identity_removed', caller, at)
      const context = { at, actor: by, mails }
      const done = await store.identities.unlink(account.id, identity, { hasMailLogin }, context)
      if (done === 'last') {
        return no(
          'identity_last',
          `Without this identity, nobody could log in to "${username}". Set a password first.`,
        )
      }
      return yes(done === 'changed' ? done : 'unchanged')
    },
  }
}
