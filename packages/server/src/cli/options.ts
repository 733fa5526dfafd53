import { SetupError } from '../base/faults.ts'
import { UsageError, type Workbench } from './command.ts'

const LIMIT_DEFAULT = 100
const LIMIT_MAX = 10_000

/** The value of `--limit`: how many rows a listing shows at most. */
export function readLimit(value: unknown): number {
  if (value === undefined) return LIMIT_DEFAULT
  const limit = Number(value)
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    throw new UsageError(`--limit takes a whole number from 1 to ${LIMIT_MAX}.`)
  }
  return limit
}

/** As ids are made. The audit goes on to speak of accounts that were deleted, and only their ids are left. */
const ACCOUNT_ID = /^acct_[\w-]{22}$/

/** The id of the account that `--account` names, by its name or its id; undefined without the option. */
export async function accountIdOf(bench: Workbench, name: unknown): Promise<string | undefined> {
  if (typeof name !== 'string') return undefined
  const account = await bench.accounts.find(name)
  if (account === undefined && ACCOUNT_ID.test(name)) return name
  if (account === undefined) throw new SetupError(`There is no account "${name}".`)
  return account.id
}
