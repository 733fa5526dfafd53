import { countMail, issueCode } from '../by-mail/ask.ts'
import { isEnrolled } from '../factors/decide.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import { writeChallenge, type Bearer } from './challenges.ts'
import type { TicketBearer } from './complete.ts'
import type { FactorServices } from './services.ts'

/**
 * Mails a code to the verified address of the account, as a second factor or for a step-up. Refuses a login for which the
 * code would not count.
 */
export async function askForMail(
  services: FactorServices,
  bearer: Bearer | TicketBearer,
  caller: Caller,
): Promise<{ readonly ok: true; readonly challenge: string } | Refusal> {
  const { byMail, sessions } = services
  const account = await sessions.store.accounts.get(bearer.accountId)
  if (byMail === undefined || account?.email?.verifiedAt === undefined) {
    return refuse('factor_unavailable')
  }
  if ('pending' in bearer && !(await countsAtLogin(services, bearer))) {
    return refuse('factor_unavailable')
  }
  const throttled = await countMail(byMail, account.email.key, caller)
  if (throttled !== undefined) return throttled
  const { email, locale } = account
  const asked = await issueCode(
    byMail,
    {
      purpose: 'second_factor',
      kind: 'factor_code',
      email,
      account,
      isSent: true,
      locale,
      // So a stranger who has the password cannot void the code of the owner.
      subject: bearer.subject,
    },
    caller,
  )
  if (asked === 'outdated') return refuse('ticket_void')
  const by = { actor: bearer.accountId, address: caller.address }
  const details = { ticket: asked.ticket }
  return { ok: true, challenge: await writeChallenge(services, 'mail_second', bearer, details, by) }
}

/** The same rule as in `decideSecondFactor`. A ticket exists only if the account needs a second factor. */
async function countsAtLogin(
  { sessions: { store, factors: policy } }: FactorServices,
  { accountId, pending }: TicketBearer,
): Promise<boolean> {
  return (
    policy.mailed &&
    pending.proofs.every(({ kind }) => kind !== 'mail') &&
    !isEnrolled(await store.factors.view(accountId))
  )
}
