import type { AccessTokenVerifier } from '@countersign/guard'
import type { DpopChecker } from '@countersign/guard/dpop'
import type { Standing, TokenSubjects } from '@countersign/guard/revocations'

import type { NewPasswords } from '../accounts/new-passwords.ts'
import type { PasswordVerifier } from '../accounts/passwords.ts'
import type { CheckedSource } from '../accounts/source.ts'
import type { Throttle } from '../accounts/throttle.ts'
import type { Clock, EpochMs } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { RefusalCode } from '../base/refusals.ts'
import type { FactorMethod } from '../factors/decide.ts'
import type { FactorPolicy } from '../factors/policy.ts'
import type { KeyRing } from '../keys/ring.ts'
import type { FactorChange } from '../mail/kinds.ts'
import type { Account, AccountClaims, GrantedSession, NewMail } from '../store/rows.ts'
import type { FactorKind } from '../store/factors.ts'
import type { Store } from '../store/store.ts'
import type { AccessTokenSettings } from './access-token.ts'
import type { Csrf } from './csrf.ts'
import type { RefreshTokenVerifier } from './refresh-token.ts'

/** The calls from the session operations to the authority's own copy of the revocation log. */
export interface LogQuestions {
  /**
   * Checks a token against the log, by the guard's own rule. `position` is the head at which its session was
   * read. The copy of the log is first brought up to that position.
   */
  readonly standingOf: (claims: TokenSubjects, position: number) => Promise<Standing>
  /**
   * Reports a token of this authority whose position is above the head of the store's log: the store has lost
   * entries.
   */
  readonly noteAhead: (rvp: number) => void
  /**
   * Notes the position of a token whose key has not signed yet. If it is ahead of the log, the store has lost
   * that the key became active.
   */
  readonly notePendingKey: (rvp: number) => void
}

/**
 * Makes the mails that tell a person about a change of their account. Each call returns no mail if the account
 * has no verified address.
 */
export interface Notices {
  readonly passwordChanged: (
    account: Account,
    caller: Caller,
    at: EpochMs,
  ) => Promise<readonly NewMail[]>
  /** For a login from a device that the account has not used before. */
  readonly newDevice: (account: Account, caller: Caller, at: EpochMs) => Promise<readonly NewMail[]>
  readonly emailChanged: (
    account: Account,
    newAddress: string,
    at: EpochMs,
  ) => Promise<readonly NewMail[]>
  readonly factorChanged: (
    account: Account,
    change: FactorChange,
    caller: Caller,
    at: EpochMs,
  ) => Promise<readonly NewMail[]>
  readonly accountDeleted: (account: Account, at: EpochMs) => Promise<readonly NewMail[]>
}

/** The dependencies of all session operations. There is one object for the life of an authority. */
export interface SessionServices extends Partial<LogQuestions> {
  readonly store: Store
  /** The accounts of the application, if it keeps them. Otherwise the accounts are in the store. */
  readonly source?: CheckedSource | undefined
  readonly ring: KeyRing
  readonly hasher: PasswordVerifier
  /** Makes the hashes of new passwords. */
  readonly newPasswords: NewPasswords
  readonly throttle: Throttle
  /** Undefined if the server sends no mail. */
  readonly notices?: Notices | undefined
  readonly csrf: Csrf
  readonly clock: Clock
  readonly random: Random
  readonly access: AccessTokenSettings
  readonly rotation: RotationSettings
  readonly factors: FactorPolicy
  /**
   * How many live sessions an account may have. A sign-in ends the oldest sessions beyond this number.
   * Undefined: any number.
   */
  readonly sessionsPerAccountMax?: number | undefined
  readonly verifyRefresh: RefreshTokenVerifier
  readonly verifyAccess: AccessTokenVerifier
  readonly dpop: DpopChecker
}

/** Settings of refresh tokens. Times are in milliseconds. */
export interface RotationSettings {
  /** If false, a refresh returns only a new access token. */
  readonly rotates: boolean
  /** The idle lifetime of a refresh token. */
  readonly idleMs: number
  /** The absolute lifetime of a session. */
  readonly absoluteMs: number
  /** How long a predecessor of the current refresh token is accepted again. */
  readonly graceMs: number
  /** When the authority started. */
  readonly startedAt: EpochMs
  /** Whether a session continues from a genuine newer token if the store lost its last write. */
  readonly healing: 'accept' | 'refuse'
}

/** The origin of a request, as far as it is known. Unknown values are empty texts. */
export interface Caller {
  readonly address: string
  readonly userAgent: string
  /** The device cookie of an earlier login. It may be any text that a client sent. */
  readonly device?: string | undefined
  /** The secret of a remembered device. It may be any text that a client sent. */
  readonly trusted?: string | undefined
  /** The thumbprint of the key that the caller has proved to hold (RFC 9449). Tokens for the caller are bound to it. */
  readonly jkt?: string | undefined
}

/** An operation that was refused. */
export interface Refusal {
  readonly ok: false
  readonly code: RefusalCode
  /** With `throttled`: the seconds to wait. */
  readonly retryAfterSec?: number
  /** Replaces the text of the code, for example with the password rule that failed. */
  readonly text?: string
  /** With `second_factor_required` and `second_factor_enrolment_required`: how the sign-in continues. */
  readonly pending?: PendingSignIn
  /** With `insufficient_user_authentication`: what the proof must satisfy (RFC 9470 §3). */
  readonly stepUp?: { readonly max_age?: string; readonly acr_values?: string }
}

/** A sign-in that waits for a second factor. There is no session, cookie or token yet. */
export interface PendingSignIn {
  /** Proves that the first factor was given. Keep it secret. It works once, for a short time. */
  readonly ticket: string
  /** How the person can continue. Empty if a factor must be enrolled first. */
  readonly methods: readonly FactorMethod[]
  /** The factors that the person can enrol. Empty if the account has one. */
  readonly enrol: readonly FactorKind[]
  /** The lifetime of the ticket in seconds. */
  readonly expiresInSec: number
}

/** Makes the refusal with this code. */
export function refuse(code: RefusalCode): Refusal {
  return { ok: false, code }
}

/** The tokens for the client. `refresh` is undefined after a refresh without rotation. */
export interface Granted {
  readonly ok: true
  readonly access: string
  readonly refresh: string | undefined
  readonly session: GrantedSession
  readonly account: AccountClaims
}
