import { changeOf } from '../factors/use-notice.ts'
import type { FactorChange } from '../mail/kinds.ts'
import type { Caller } from '../sessions/services.ts'
import type { FactorUse } from '../store/factors.ts'
import type { NewMail } from '../store/rows.ts'
import type { FactorServices } from './services.ts'

/** The mails about what the use of a factor did to the account. */
export async function noticesOf(
  services: FactorServices,
  accountId: string,
  use: FactorUse | undefined,
  caller: Caller,
  at: number,
): Promise<readonly NewMail[] | undefined> {
  const change = changeOf(use)
  return change === undefined ? undefined : noticeOf(services, accountId, change, caller, at)
}

/** The mail about a change of the factors of an account. */
export async function noticeOf(
  { sessions: { store, notices } }: Pick<FactorServices, 'sessions'>,
  accountId: string,
  change: FactorChange,
  caller: Caller,
  at: number,
): Promise<readonly NewMail[] | undefined> {
  if (notices === undefined) return undefined
  const account = await store.accounts.get(accountId)
  return account && notices.factorChanged(account, change, caller, at)
}
