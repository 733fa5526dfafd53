import { giveBackTries } from '../sessions/count-try.ts'
import { refuseUnlessFresh } from '../sessions/freshness.ts'
import { auditContextOf, type CurrentSession } from '../sessions/own-sessions.ts'
import { proveOwnPassword } from '../sessions/prove-own-password.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { AccountEmail } from '../store/rows.ts'
import { countMail, evenly, readAsking, sendCode } from './ask.ts'
import type { Presented } from './secrets.ts'
import type { Asked, Asking, MailServices } from './services.ts'
import { checkCode, openDetails } from './use-code.ts'

/** Sends a mail that proves the address that the account of the session has. */
export async function askToVerifyEmail(
  services: MailServices,
  { state }: CurrentSession,
  locale: Asking['locale'],
  caller: Caller,
): Promise<Asked | Refusal> {
  const account = await services.sessions.store.accounts.get(state.account.id)
  if (account?.email === undefined) return refuse('email_missing')
  const { email } = account
  const throttled = await countMail(services, email.key, caller)
  if (throttled !== undefined) return throttled
  const common = { purpose: 'verify_email', kind: 'verify_address', isSent: true } as const
  return sendCode(
    services,
    { ...common, email, account, locale, details: detailsOf(state) },
    auditContextOf(services.sessions, account.id, caller),
  )
}

/**
 * Sends a mail to the address that an account will have. The account keeps its address until the new one is
 * proved. If another account has proved that address, nothing is sent, and the answer is the same.
 */
export async function askToChangeEmail(
  services: MailServices,
  current: CurrentSession,
  { password, ...asking }: Asking & { readonly password: string },
  caller: Caller,
): Promise<Asked | Refusal> {
  const { sessions } = services
  const proven = await proveOwnPassword(sessions, current, password, caller)
  if (!proven.ok) return proven
  await giveBackTries(sessions, proven.guesses)
  const stale = await refuseUnlessFresh(sessions, current, { hasProvenPassword: true })
  if (stale !== undefined) return stale
  const read = await readAsking(services, asking, caller)
  if (!read.ok) return read
  return evenly(services, async () => {
    const found = await sessions.store.mailCodes.findAddressee(read.email.key)
    const isFree = found?.isVerified !== true
    return sendCode(
      services,
      {
        purpose: 'change_email',
        kind: 'change_address',
        email: read.email,
        account: proven.account,
        isSent: isFree,
        details: detailsOf(current.state),
        locale: asking.locale,
      },
      auditContextOf(sessions, proven.account.id, caller),
    )
  })
}

/** The sealed part of the code: the session that asked, which survives the change. */
interface EmailDetails {
  readonly sessionId: string
}

function detailsOf({ session }: CurrentSession['state']): EmailDetails {
  return { sessionId: session.id }
}

/**
 * Makes an address the verified address of the account, with a mailed link or code. A changed address ends all
 * sessions but the one that asked, and the old address gets a mail.
 *
 * Only whoever asked, or a session of the same account, can do this. Otherwise the owner of an address could be
 * made to confirm the account of a stranger.
 */
export async function verifyEmail(
  services: MailServices,
  presented: Presented,
  current: CurrentSession | undefined,
  caller: Caller,
): Promise<{ readonly ok: true; readonly email: AccountEmail } | Refusal> {
  const { sessions } = services
  const right = await checkCode(services, presented, ['verify_email', 'change_email'], caller)
  if (!right.ok) return right
  const { account, code, by } = right
  if (account === undefined) return refuse('code_void')
  const isOwn = by === 'asker' || current?.state.account.id === account.id
  if (!isOwn) return refuse('code_elsewhere')

  const { sessionId } = openDetails(services, code) as EmailDetails // Sealed above.
  const context = auditContextOf(sessions, account.id, caller)
  const redeemed = await sessions.store.mailCodes.redeem(
    code.id,
    { kind: 'set_email', keepSessionId: sessionId },
    {
      ...context,
      mails: await sessions.notices?.emailChanged(account, code.email.address, context.at),
    },
  )
  if (redeemed.kind === 'taken') return refuse('email_taken')
  if (redeemed.kind === 'gone') return refuse('code_void')
  return { ok: true, email: { ...code.email, verifiedAt: context.at } }
}
