import { SetupError } from '../base/faults.ts'
import type { Flag } from './command.ts'
import { UsageError } from './usage-error.ts'
import type { Workbench } from './workbench.ts'

const LIMIT_DEFAULT = 100
const LIMIT_MAX = 10_000

/** The flag `--limit` of commands whose lists can be long. */
export const LIMIT_FLAG = {
  type: 'string',
  value: 'N',
  text: `At most this many rows, from 1 to ${LIMIT_MAX}. Default: ${LIMIT_DEFAULT}.`,
} as const satisfies Flag

/** The flags of commands that list entries of one account or of all accounts. */
export const LISTING_FLAGS = {
  account: {
    type: 'string',
    value: 'NAME|ID',
    text: 'Only entries of this account, given by username or id.',
  },
  limit: LIMIT_FLAG,
} as const satisfies Record<string, Flag>

/**
 * Returns the value of `--limit`, which is the largest number of rows to list. Throws a `UsageError` if it is
 * not valid.
 */
export function readLimit(value: unknown): number {
  if (value === undefined) return LIMIT_DEFAULT
  const limit = Number(value)
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    throw new UsageError(`--limit takes a whole number from 1 to ${LIMIT_MAX}.`)
  }
  return limit
}

/** The form of account ids. An id can belong to a deleted account, which only the audit still knows. */
const ACCOUNT_ID = /^acct_[\w-]{22}$/

/**
 * Returns the id of the account that `--account` names by username or id. Returns undefined without the flag.
 * Throws a `SetupError` for an unknown username.
 */
export async function accountIdOf(bench: Workbench, name: unknown): Promise<string | undefined> {
  if (typeof name !== 'string') return undefined
  const account = await bench.accounts.find(name)
  if (account === undefined && ACCOUNT_ID.test(name)) return name
  if (account === undefined) throw new SetupError(`There is no account "${name}".`)
  return account.id
}
