import { readFactorData, type FactorData } from '../accounts/export.ts'
import { unknown, yes, type Managed } from '../accounts/managed.ts'
import type { Clock } from '../base/clock.ts'
import { assertOptions } from '../base/options.ts'
import type { Notices } from '../sessions/services.ts'
import type { Change } from '../store/change.ts'
import type { FactorReset } from '../store/factors.ts'
import type { Account } from '../store/rows.ts'
import type { Store } from '../store/store.ts'

/**
 * Manages the second factors of accounts, for operators and embedding applications. `account` is the username. An
 * authority whose accounts the application keeps takes the id of the account, and throws a `TypeError` if no account can
 * have it. `by` is the actor in the audit.
 */
export interface FactorManager {
  /** Lists the factors of an account without their secrets, the recovery codes left, and the remembered devices. */
  list(account: string): Promise<Managed<FactorData>>
  /**
   * Removes factors of an account, for a person who has lost them. All its sessions and remembered devices end, wrong
   * guesses are forgotten, and the person gets a mail. The recovery codes go with the last factor. An account that needs
   * a factor sets one up at its next login. `unchanged` if there was nothing to remove.
   */
  reset(account: string, options: FactorResetOptions, by: string): Promise<Managed<Change>>
}

/** The extent of a reset. */
export interface FactorResetOptions {
  /** The kind that is removed. Defaults to `all`. */
  readonly what?: FactorReset | undefined
}

const FACTOR_RESETS: readonly FactorReset[] = ['all', 'totp', 'passkey', 'recovery_codes']

/** Dependencies of the factor manager. */
export interface FactorManagerOptions {
  readonly store: Store
  readonly clock: Clock
  /** Returns undefined if the server sends no mail. */
  readonly notices: () => Notices | undefined
  /**
   * Finds the account that a caller names. `new` is an account of the application that has never logged in: it has no
   * factors.
   */
  readonly find: (account: string) => Promise<Account | 'new' | undefined>
}

/** Creates the manager of second factors. */
export function createFactorManager({
  store,
  clock,
  notices,
  find,
}: FactorManagerOptions): FactorManager {
  return {
    async list(name) {
      const account = await find(name)
      if (account === undefined) return unknown(name)
      return yes(account === 'new' ? NOTHING : await readFactorData(store, account.id))
    },

    async reset(name, options, by) {
      assertOptions('factors.reset', options, ['what'])
      const { what = 'all' } = options
      if (!FACTOR_RESETS.includes(what)) {
        throw new TypeError(`what must be one of ${FACTOR_RESETS.join(', ')}.`)
      }
      const account = await find(name)
      if (account === undefined) return unknown(name)
      if (account === 'new') return yes('unchanged')
      const at = clock.nowMs()
      // The mail does not say where the operator was.
      const caller = { address: '', userAgent: '' }
      const mails = await notices()?.factorChanged(account, 'factors_reset', caller, at)
      const change = await store.factors.reset(account.id, what, { at, actor: by, mails })
      return change === 'unknown' ? unknown(name) : yes(change)
    },
  }
}

const NOTHING: FactorData = { factors: [], recoveryCodesLeft: 0, devices: [] }
