import { readMailbox } from '../accounts/email-address.ts'
import { limits } from '../base/limits.ts'
import type { MailValues } from '../mail/kinds.ts'
import { countTry } from '../sessions/count-try.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { AuditContext } from '../store/audit-context.ts'
import { SIGN_UP_SUBJECT, type Addressee, type MailPurpose } from '../store/mail-codes.ts'
import type { Account, MailLocale, NewMail } from '../store/rows.ts'
import { newCodeSecrets, type CodeSecrets } from './secrets.ts'
import type { Asked, Asking, CodeServices, MailServices } from './services.ts'

/** The kinds of mails that carry a code. */
export type CodeMailKind =
  | 'sign_up'
  | 'account_exists'
  | 'verify_address'
  | 'change_address'
  | 'reset_password'
  | 'login_code'
  | 'factor_code'

/** A code to send. */
export interface CodeMail {
  readonly purpose: MailPurpose
  readonly kind: CodeMailKind
  /** The address that the code proves, as somebody typed it, and its key. */
  readonly email: { readonly address: string; readonly key: string }
  /** The account. Undefined for a sign-up, and if nobody is to get a mail. */
  readonly account: Account | undefined
  /** False for a decoy: everything is done but the sending. */
  readonly isSent: boolean
  /** A newer code with the same subject replaces this one. Defaults to the account, or to the address. */
  readonly subject?: string
  readonly details?: unknown
  readonly locale: MailLocale | undefined
}

/**
 * Counts a request for a mail against the recipient and the caller's network, whether or not an account
 * exists.
 */
export async function countMail(
  { sessions }: MailServices,
  emailKey: string,
  caller: Caller,
): Promise<Refusal | undefined> {
  return countTry(sessions, sessions.throttle.mailsOf(emailKey, caller.address))
}

/** Reads the address of a request, and counts the request. */
export async function readAsking(
  services: MailServices,
  { email }: Asking,
  caller: Caller,
): Promise<{ readonly ok: true; readonly email: CodeMail['email'] } | Refusal> {
  const mailbox = readMailbox(email)
  if (mailbox === undefined) return refuse('email_invalid')
  const throttled = await countMail(services, mailbox.key, caller)
  return throttled ?? { ok: true, email: mailbox }
}

/**
 * Finds the account to which a mail about an address goes. A disabled account and an unknown address get a decoy.
 *
 * The mail goes to the address in the spelling of the account. The spelling of the request could belong to somebody
 * else: hosts may distinguish what our keys do not.
 */
export function mailTo(
  found: Addressee | undefined,
  { address, key }: CodeMail['email'],
): Pick<CodeMail, 'email' | 'account' | 'isSent'> {
  if (found === undefined) return { email: { address, key }, account: undefined, isSent: false }
  const { account } = found
  const own = account.email?.key === key ? account.email.address : account.username
  const isSent = account.disabledAt === undefined
  return { email: { address: own, key }, account: isSent ? account : undefined, isSent }
}

/**
 * Sends a mail with a code to whoever has an address. The answer, its time and the limits are the same whether or
 * not an account has it.
 */
export async function askByAddress(
  services: MailServices,
  asking: Asking,
  what: Pick<CodeMail, 'purpose' | 'kind'>,
  caller: Caller,
): Promise<Asked | Refusal> {
  const read = await readAsking(services, asking, caller)
  if (!read.ok) return read
  return evenly(services, async () => {
    const found = await services.store.mailCodes.findAddressee(read.email.key)
    const mail = { ...what, ...mailTo(found, read.email), locale: asking.locale }
    return sendCode(services, mail, caller)
  })
}

/**
 * Runs the work of a request whose answer must not reveal whether an account exists. The work is the same in
 * both cases; the pause hides what little differs.
 */
export async function evenly<T>(services: MailServices, work: () => Promise<T>): Promise<T> {
  const [result] = await Promise.allSettled([work(), services.pause(limits.mailAnswerMs)])
  if (result.status === 'rejected') throw result.reason
  return result.value
}

/**
 * Writes a code and its mail for a request. The worker sends the mail after the answer. If the account changed
 * since it was read, a decoy takes the place of the code, so that the answer and the ticket reveal nothing.
 */
export async function sendCode(
  services: CodeServices,
  mail: CodeMail,
  by: Caller | AuditContext,
): Promise<Asked> {
  const asked = await issueCode(services, mail, by)
  if (asked !== 'outdated') return asked
  return sendCode(services, { ...mail, account: undefined, isSent: false }, by)
}

/**
 * Writes a code and its mail. `by` is the client that asked, or the operator. `outdated`, with nothing written,
 * if the account's credentials changed since the account was read.
 */
export async function issueCode(
  services: CodeServices,
  mail: CodeMail,
  by: Caller | AuditContext,
): Promise<Asked | 'outdated'> {
  const { store, random, hasher, sealer } = services
  const { account, purpose, email } = mail
  const secrets = newCodeSecrets(random)
  const now = store.clock.nowMs()
  const expiresAt = now + limits.codeLifeMs
  const issued = await store.mailCodes.issue(
    {
      id: secrets.id,
      purpose,
      subject: subjectOf(mail),
      accountId: account?.id,
      version: account?.credentialsVersion ?? 0,
      email,
      linkHash: hasher.hash('link', secrets),
      codeHash: hasher.hash('code', secrets),
      ticketHash: hasher.hash('ticket', secrets),
      details:
        mail.details === undefined
          ? undefined
          : new Uint8Array(
              sealer.seal(Buffer.from(JSON.stringify(mail.details)), detailsContext(secrets.id)),
            ),
      createdAt: now,
      expiresAt,
    },
    {
      at: now,
      // A stranger may have asked about the account.
      actor: 'actor' in by ? by.actor : 'anonymous',
      address: by.address,
      mails: [composeCode(services, mail, secrets, now, expiresAt)],
    },
  )
  return issued === 'outdated' ? issued : { ok: true, ticket: secrets.ticket }
}

/**
 * A sign-up replaces only codes of sign-ups, also if the address has an account and the code resets its password.
 * Otherwise whoever asks for a reset and then for a sign-up would learn from the first ticket, which would be void,
 * that there is an account.
 */
function subjectOf({ kind, account, email, subject: given }: CodeMail): string {
  if (given !== undefined) return given
  const subject = account?.id ?? email.key
  return kind === 'account_exists' ? `${SIGN_UP_SUBJECT}${subject}` : subject
}

/** The context under which the details of a code are sealed. */
export function detailsContext(codeId: string): string {
  return `mail code ${codeId}`
}

function composeCode(
  { mailer, urlOf }: CodeServices,
  { kind, purpose, account, email, isSent, locale }: CodeMail,
  { link, code }: CodeSecrets,
  now: number,
  expiresAt: number,
): NewMail {
  const to = {
    to: isSent ? email.address : undefined,
    locale: account?.locale ?? locale,
    accountId: account?.id,
  }
  if (purpose === 'second_factor' || kind === 'factor_code') {
    return mailer.compose('factor_code', { ...to, values: { code, expiresAt } }, now)
  }
  const proof = { code, url: urlOf(purpose, link), expiresAt }
  // Every kind takes a username, or ignores it.
  const values = { ...proof, username: account?.username ?? email.address }
  return mailer.compose(kind, { ...to, values: values satisfies MailValues['reset_password'] }, now)
}
