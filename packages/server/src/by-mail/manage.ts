import { no, unknown, yes, type Managed } from '../accounts/managed.ts'
import { usernameKey } from '../accounts/usernames.ts'
import type { Clock } from '../base/clock.ts'
import { issueCode } from './ask.ts'
import type { CodeServices } from './services.ts'

/** Sends mails with codes for operators and embedding applications. `by` is the actor in the audit. */
export interface AccountMails {
  /**
   * Sends a mail with which the person sets a new password. Nobody else learns the password, and the sessions
   * of the account end when it is used.
   */
  sendReset(username: string, by: string): Promise<Managed<'sent'>>
  /** Sends a mail that proves the address of the account. */
  sendVerification(username: string, by: string): Promise<Managed<'sent'>>
}

/** Creates the sender. `open` returns undefined if the server sends no mail. */
export function createAccountMails(
  open: () => CodeServices | undefined,
  { store, clock }: { readonly store: CodeServices['store']; readonly clock: Clock },
): AccountMails {
  async function send(
    username: string,
    by: string,
    mail: { purpose: 'reset_password' | 'verify_email'; kind: 'reset_password' | 'verify_address' },
  ): Promise<Managed<'sent'>> {
    const services = open()
    if (services === undefined) return NO_MAIL
    const account = await store.accounts.find(usernameKey(username))
    if (account === undefined) return unknown(username)
    if (account.disabledAt !== undefined) {
      return no('account_disabled', `The account "${username}" is disabled. Enable it first.`)
    }
    const { email } = account
    if (email === undefined) {
      return no('email_missing', `The account "${username}" has no e-mail address. Set one first.`)
    }
    const issued = await issueCode(
      services,
      {
        ...mail,
        email,
        account,
        isSent: true,
        details: {},
        locale: undefined,
      },
      { at: clock.nowMs(), actor: by },
    )
    // The account changed meanwhile.
    return issued === 'outdated' ? send(username, by, mail) : yes('sent')
  }
  return {
    sendReset: (username, by) =>
      send(username, by, { purpose: 'reset_password', kind: 'reset_password' }),
    sendVerification: (username, by) =>
      send(username, by, { purpose: 'verify_email', kind: 'verify_address' }),
  }
}

const NO_MAIL = no(
  'mail_off',
  'This server sends no mail. Set COUNTERSIGN_SMTP_URL and COUNTERSIGN_MAIL_FROM.',
)
