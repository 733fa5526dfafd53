import { auditContextOf } from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import { askByAddress } from './ask.ts'
import type { Presented } from './secrets.ts'
import type { Asked, Asking, MailServices } from './services.ts'
import { checkCode } from './use-code.ts'

/** Sends a mail with which a person sets a new password. Its answer does not reveal who has an account. */
export async function askForReset(
  services: MailServices,
  asking: Asking,
  caller: Caller,
): Promise<Asked | Refusal> {
  const what = { purpose: 'reset_password', kind: 'reset_password' } as const
  return askByAddress(services, asking, what, caller)
}

/**
 * Sets a new password with a mailed link or code, and ends all sessions of the account. It opens no session:
 * the person logs in afterwards, with a second factor if the account has one.
 *
 * The person who proves the address owns the account. An address that nobody had proved becomes verified, and the
 * password of the person who registered it stops working.
 */
export async function resetPassword(
  services: MailServices,
  presented: Presented,
  password: string,
  caller: Caller,
): Promise<{ readonly ok: true } | Refusal> {
  const { sessions } = services
  const right = await checkCode(services, presented, ['reset_password'], caller)
  if (!right.ok) return right
  const { account, code } = right
  if (account === undefined) return refuse('code_void')
  const hash = await sessions.newPasswords.hash(password, { username: account.username })
  if (!hash.ok) return hash
  const context = auditContextOf(sessions, account.id, caller)
  const proved = { ...code.email, verifiedAt: context.at }
  const redeemed = await sessions.store.mailCodes.redeem(
    code.id,
    { kind: 'reset_password', passwordHash: hash.value },
    {
      ...context,
      mails: await sessions.notices?.passwordChanged(
        { ...account, email: proved },
        caller,
        context.at,
      ),
    },
  )
  return redeemed.kind === 'done' ? { ok: true } : refuse('code_void')
}
