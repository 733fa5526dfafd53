import { identify, type Candidate } from '../sessions/identify.ts'
import { openSession, whyNotOpened, type SignedIn } from '../sessions/open-session.ts'
import { auditContextOf } from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import { askByAddress } from './ask.ts'
import type { Presented } from './secrets.ts'
import type { Asked, Asking, MailServices } from './services.ts'
import { checkCode } from './use-code.ts'

/** RFC 8176 has no value for a mailed code. It is a one-time password. */
const AMR = ['otp'] as const

/** Sends a mail with which a person logs in without a password. Its answer does not reveal who has an account. */
export async function askForLoginCode(
  services: MailServices,
  asking: Asking,
  caller: Caller,
): Promise<Asked | Refusal> {
  return askByAddress(services, asking, { purpose: 'log_in', kind: 'login_code' }, caller)
}

/**
 * Logs in with a mailed link or code. The session counts from the position at which the code was made, so a
 * revocation since then is not missed.
 */
export async function logInByMail(
  services: MailServices,
  presented: Presented,
  { tenant, forCookies }: { readonly tenant?: string | undefined; readonly forCookies: boolean },
  caller: Caller,
): Promise<SignedIn | Refusal> {
  const { sessions } = services
  const right = await checkCode(services, presented, ['log_in'], caller)
  if (!right.ok) return right
  const { account, code } = right
  if (account === undefined) return refuse('code_void')
  const context = auditContextOf(sessions, account.id, caller)
  const candidateNow = (): Promise<Candidate> =>
    identify(sessions, { accountId: account.id }, { tenantName: tenant, address: caller.address })
  // Before the code is used up, and before it may remove a password.
  const why = whyNotOpened(await candidateNow())
  if (why !== undefined) return refuse(why === 'tenant_forbidden' ? why : 'credentials_invalid')
  const redeemed = await sessions.store.mailCodes.redeem(code.id, { kind: 'log_in' }, context)
  if (redeemed.kind !== 'done') return refuse('code_void')
  const opened = await openSession(sessions, {
    // Read again: the code may have revoked all tokens of the account. A token from before that would be dead.
    candidate: await candidateNow(),
    proofs: [{ kind: 'mail', amr: AMR, at: context.at }],
    caller,
    forCookies,
    position: redeemed.position,
  })
  if (typeof opened !== 'string') return opened
  return refuse(opened === 'tenant_forbidden' ? opened : 'credentials_invalid')
}
