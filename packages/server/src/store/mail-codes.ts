import type { EpochMs } from '../base/clock.ts'
import type { Account } from './rows.ts'
import type { AuditContext } from './audit-context.ts'

/**
 * What a mailed code is for. A code works for one purpose only.
 *
 * - `sign_up`: creates the account that a person asked for.
 * - `verify_email`: proves the address that an account has.
 * - `change_email`: proves the address that an account will have.
 * - `reset_password`: sets a new password.
 * - `log_in`: opens a session.
 * - `second_factor`: is the second proof of a sign-in, or the proof of a step-up.
 */
export type MailPurpose =
  | 'sign_up'
  | 'verify_email'
  | 'change_email'
  | 'reset_password'
  | 'log_in'
  | 'second_factor'

/** Begins the subject of a code that resets a password because somebody signed up with the address. */
export const SIGN_UP_SUBJECT = 'sign-up '

/** The row of a mailed code. Its secrets are hashed, so a leaked database opens no account. */
export interface MailCode {
  /** 22 characters. It is in the link and in the ticket, and is no secret. */
  readonly id: string
  readonly purpose: MailPurpose
  /**
   * The id of the account, or the key of an address that no account has; with a prefix in the answer to a
   * sign-up. A newer code with the same purpose and subject replaces the older one.
   */
  readonly subject: string
  /** The account. Undefined for a sign-up, and for a decoy that was written for an unknown address. */
  readonly accountId: string | undefined
  /** The account's `credentialsVersion` when the code was made. */
  readonly version: number
  /** The address that the mail went to, as the person typed it, and its key. */
  readonly email: { readonly address: string; readonly key: string }
  /** Keyed hashes of the secret in the link, the code that people type, and the ticket of who asked. */
  readonly linkHash: Uint8Array
  readonly codeHash: Uint8Array
  readonly ticketHash: Uint8Array
  /** The log position when the code was made: before any proof. */
  readonly position: number
  /** What the purpose needs besides, sealed: the name and password hash of a sign-up, for example. */
  readonly details: Uint8Array | undefined
  /** How many wrong codes were typed. */
  readonly attempts: number
  readonly createdAt: EpochMs
  readonly expiresAt: EpochMs
}

/** A new code. The store adds the position. */
export type NewMailCode = Omit<MailCode, 'position' | 'attempts'>

/**
 * What a person presents. At least two of the three must be right: the link and the ticket in the browser that
 * asked, otherwise the code with one of them. Each has one hash for every secret of the server.
 */
export interface PresentedCode {
  readonly id: string
  readonly linkHashes: readonly Uint8Array[] | undefined
  readonly codeHashes: readonly Uint8Array[] | undefined
  readonly ticketHashes: readonly Uint8Array[] | undefined
}

/** Who presents a right code: whoever asked for it, or whoever only received the mail. */
export type CodeBearer = 'asker' | 'recipient'

/** Why a code is refused. `code_wrong` counted as an attempt. */
export type CodeRefusal = 'code_wrong' | 'code_missing' | 'code_void'

/** The account behind an address, and how it has the address. */
export interface Addressee {
  readonly account: Account
  /** Whether somebody has proved the address for this account. */
  readonly isVerified: boolean
}

/** A row that belongs to a presented link or ticket. At least one of the two is right. */
export interface RecognisedCode {
  readonly purpose: MailPurpose
  /**
   * What whoever has the ticket asked for. A sign-up with the address of an account sends a code that resets its
   * password; only the recipient of the mail may learn that.
   */
  readonly askedFor: MailPurpose
  /** The address that the mail went to. Only the recipient may see it: see `hasLink`. */
  readonly email: MailCode['email']
  readonly hasLink: boolean
  readonly hasTicket: boolean
}

/** What a right code does, in the step that uses it up. */
export type CodeEffect =
  /** Creates the account, with the address as its verified address. */
  | { readonly kind: 'sign_up'; readonly account: Account; readonly usernameKey: string }
  /**
   * Makes the address of the code the account's verified address. With `change_email`, ends all sessions but
   * one.
   */
  | { readonly kind: 'set_email'; readonly keepSessionId: string | undefined }
  /** Sets the password, makes the address verified, and ends all sessions. */
  | { readonly kind: 'reset_password'; readonly passwordHash: string }
  /**
   * Uses the code up for a login. If nobody had proved the address for this account, somebody else may have
   * chosen the password: it is removed, and all sessions end.
   */
  | { readonly kind: 'log_in' }

/** The outcome of {@link MailCodeStore.redeem}. */
export type Redeemed =
  | {
      readonly kind: 'done'
      readonly accountId: string
      /** The log position from which a session of this person counts. */
      readonly position: number
    }
  /** The code was used, replaced or voided meanwhile, or it has expired. Nothing was done. */
  | { readonly kind: 'gone' }
  /** Another account has the address or the username. Nothing was done. */
  | { readonly kind: 'taken' }

/** Mailed codes and links. */
export interface MailCodeStore {
  /**
   * Finds the account behind an address: the account that has proved it, otherwise the account whose username it is,
   * otherwise the account that has it without proof.
   */
  findAddressee(emailKey: string): Promise<Addressee | undefined>
  /**
   * Writes a code, its audit line and the mails of the context. Replaces an older code with the same purpose
   * and subject. A code for an unknown address is a decoy: it costs the same work, and no secret matches it.
   * `outdated`, with nothing written, if the account's credentials changed since they were read.
   */
  issue(code: NewMailCode, context: AuditContext): Promise<'issued' | 'outdated'>
  /**
   * Checks what a person presents, and counts a wrong code. After `limits.codeAttemptsMax` wrong codes the
   * row is void. A right code is not used up: `redeem` does that.
   */
  check(
    presented: PresentedCode,
    context: AuditContext,
  ): Promise<
    | {
        readonly ok: true
        readonly by: CodeBearer
        readonly code: MailCode
        /** Undefined for a sign-up. */
        readonly account: Account | undefined
      }
    | { readonly ok: false; readonly code: CodeRefusal; readonly purpose: MailPurpose | undefined }
  >
  /**
   * Returns the row of a presented link or ticket, and which of the two is right. Uses and counts nothing,
   * because scanners of mail systems open links. Ignores the code that a person typed: otherwise it could be
   * guessed without limit. Undefined if the row is over, or neither is right.
   *
   * With the ticket alone, the answer does not depend on the account. Otherwise it would tell whoever asked for
   * a mail whether the address has an account.
   */
  recognise(presented: PresentedCode): Promise<RecognisedCode | undefined>
  /**
   * Uses the code up and takes effect, in one step. Of several calls at once, one is `done`. Every other code
   * of the account is void if its credentials changed.
   */
  redeem(codeId: string, effect: CodeEffect, context: AuditContext): Promise<Redeemed>
  /** Removes up to `limit` expired rows. Returns how many it removed. */
  purge(limit: number): Promise<number>
}
