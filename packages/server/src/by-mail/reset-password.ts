import { checkNewPassword } from '../accounts/password-rules.ts'
import { auditContextOf } from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { Addressee } from '../store/mail-codes.ts'
import { evenly, readAsking, sendCode } from './ask.ts'
import type { Presented } from './secrets.ts'
import type { Asked, Asking, MailServices } from './services.ts'
import { checkCode } from './use-code.ts'

/**
 * Sends a mail with which a person sets a new password. The answer, its time and the limits are the same
 * whether or not an account has the address.
 */
export async function askForReset(
  services: MailServices,
  asking: Asking,
  caller: Caller,
): Promise<Asked | Refusal> {
  const read = await readAsking(services, asking, caller)
  if (!read.ok) return read
  return evenly(services, async () => {
    const found = await services.sessions.store.mailCodes.findAddressee(read.email.key)
    const account = found?.account.disabledAt === undefined ? found?.account : undefined
    return sendCode(
      services,
      {
        purpose: 'reset_password',
        kind: 'reset_password',
        email: { address: addressOf(found, read.email), key: read.email.key },
        account,
        isSent: account !== undefined,
        locale: asking.locale,
      },
      caller,
    )
  })
}

/**
 * Returns the address to write to, in the spelling of the account. The spelling of the request could belong to
 * somebody else: hosts may distinguish what our keys do not.
 */
export function addressOf(
  found: Addressee | undefined,
  { address, key }: { readonly address: string; readonly key: string },
): string {
  if (found === undefined) return address
  return found.account.email?.key === key ? found.account.email.address : found.account.username
}

/**
 * Sets a new password with a mailed link or code, and ends all sessions of the account. It opens no session:
 * the person logs in afterwards, with a second factor if the account has one.
 *
 * Whoever proves the address owns the account: an address that nobody had proved becomes verified, and the
 * password of whoever registered it is gone.
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
  const rejected = checkNewPassword(password, {
    username: account.username,
    publicUrl: sessions.access.issuer,
  })
  if (rejected !== undefined) return { ok: false, code: rejected.code, text: rejected.text }
  const passwordHash = await sessions.hasher.hash(password)
  if (passwordHash === undefined) return refuse('password_queue_full')
  const context = auditContextOf(sessions, account.id, caller)
  const proved = { ...code.email, verifiedAt: context.at }
  const redeemed = await sessions.store.mailCodes.redeem(
    code.id,
    { kind: 'reset_password', passwordHash },
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
