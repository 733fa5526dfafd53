import type { EpochMs } from '../base/clock.ts'
import type { AuditContext } from './audit-context.ts'
import type { Change } from './change.ts'
import type { Session } from './rows.ts'

/** A kind of second factor that a person enrols. */
export type FactorKind = 'totp' | 'passkey'

/**
 * Each kind that can be guessed has its own budget of wrong attempts, which all ways in share. `mail` is the
 * mailed code.
 */
export type GuessKind = 'totp' | 'recovery_code' | 'mail'

/** An enrolled factor in a listing, without its secret. */
export interface FactorSummary {
  /** `fac_` and 22 characters. */
  readonly id: string
  readonly kind: FactorKind
  /** The name that the person gave it. */
  readonly name: string
  readonly createdAt: EpochMs
  readonly lastUsedAt: EpochMs | undefined
  /** Only of a passkey: whether the device or its maker keeps a copy of it. */
  readonly isBackedUp: boolean | undefined
  /** Only of a passkey: the id of the credential, as base64url. */
  readonly credentialId: string | undefined
}

/** An authenticator app (RFC 6238). An account has at most one. */
export interface TotpFactor {
  readonly id: string
  readonly kind: 'totp'
  readonly name: string
  /** The shared secret, sealed. */
  readonly secret: Uint8Array
  /** The newest time step that was accepted. This step and older ones are refused. */
  readonly lastStep: number
}

/** A passkey: a WebAuthn credential. */
export interface PasskeyFactor {
  readonly id: string
  readonly kind: 'passkey'
  readonly name: string
  /** The credential id as base64url. Unique among all accounts. */
  readonly credentialId: string
  /** The public key in COSE form. */
  readonly publicKey: Uint8Array
  readonly signCount: number
  readonly transports: readonly string[]
  readonly isBackupEligible: boolean
  readonly isBackedUp: boolean
  readonly aaguid: string
}

/** What a sign-in must know about the factors of an account. */
export interface FactorView {
  readonly hasTotp: boolean
  readonly passkeys: number
  /** How many recovery codes are left. */
  readonly recoveryCodes: number
  /** By when the account must enrol a factor. Undefined: nobody has asked it to. */
  readonly dueAt: EpochMs | undefined
  /** The account's `credentialsVersion` in the same snapshot. It also counts the changes of factors. */
  readonly version: number
}

/** The factors of an account without any. */
export const NO_FACTORS: FactorView = {
  hasTotp: false,
  passkeys: 0,
  recoveryCodes: 0,
  dueAt: undefined,
  version: 0,
}

/**
 * The single use of a factor. It takes effect in the same step as what it allows, so of several uses at once one
 * succeeds.
 */
export type FactorUse =
  /** Moves the last accepted step on to `step`. Void if it has reached that step already. */
  | { readonly kind: 'totp'; readonly factorId: string; readonly step: number }
  /** Deletes the recovery code with one of these hashes: one hash for each secret of the server. */
  | { readonly kind: 'recovery_code'; readonly hashes: readonly Uint8Array[] }
  /** Stores the counter of a passkey. Void if the counter does not grow, unless it is always 0. */
  | {
      readonly kind: 'passkey'
      readonly factorId: string
      readonly signCount: number
      readonly isBackedUp: boolean
    }
  /** Uses up a mailed code. */
  | { readonly kind: 'mail'; readonly codeId: string }
  /** Enrols a factor. It replaces an older authenticator app. */
  | { readonly kind: 'enrol'; readonly factor: NewFactor; readonly recovery: readonly Uint8Array[] }

/** A factor that is to be enrolled. */
export type NewFactor = TotpFactor | PasskeyFactor

/** A factor is used to open a session: the sign-in ticket is used up with it. */
export interface SignInUse {
  readonly ticketId: string | undefined
  readonly use: FactorUse | undefined
}

/**
 * What a challenge is for. It works for one purpose and one subject only.
 *
 * - `sign_in`: the ticket of a person who has proved the first factor.
 * - `totp_enrol`, `passkey_enrol`: the factor that is being enrolled.
 * - `passkey_second`: a passkey as second factor or for a step-up.
 * - `passkey_login`: a log-in with a passkey alone.
 * - `mail_second`: a mailed code as second factor or for a step-up.
 */
export type ChallengePurpose =
  | 'sign_in'
  | 'totp_enrol'
  | 'passkey_enrol'
  | 'passkey_second'
  | 'passkey_login'
  | 'mail_second'

/** Something that the server has asked for and expects once. */
export interface Challenge {
  /** 22 characters. Not secret. */
  readonly id: string
  readonly purpose: ChallengePurpose
  /** The ticket or session that it belongs to, or an empty text. */
  readonly subject: string
  readonly accountId: string | undefined
  /** SHA-256 of the secret that whoever asked has besides the id. Empty if `subject` protects the challenge. */
  readonly secretHash: Uint8Array
  /** What the purpose needs, sealed. */
  readonly details: Uint8Array
  readonly createdAt: EpochMs
  readonly expiresAt: EpochMs
}

/** A browser in which a second factor was given, and which need not give it again. */
export interface TrustedDevice {
  /** SHA-256 of the secret in the cookie. */
  readonly hash: Uint8Array
  readonly accountId: string
  /** The account's `credentialsVersion`. Another password or factor voids the device. */
  readonly version: number
  readonly createdAt: EpochMs
  readonly expiresAt: EpochMs
  readonly userAgent: string
  readonly address: string
}

/** Whether another guess is allowed now. It was counted if it is. */
export type GuessDecision =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'wait'; readonly retryAfterSec: number }
  /** Too many wrong guesses. Another factor, or an operator, unlocks it. */
  | { readonly kind: 'locked' }

/** The session that changes the factors of its account, and the version for which it was checked that it may. */
export interface FactorOwner {
  readonly accountId: string
  readonly sessionId: string
  /** The account's `credentialsVersion`, read before the check. */
  readonly version: number
}

/** The outcome of {@link FactorStore.raise}. */
export type Raised = 'raised' | 'used' | 'over' | 'outdated'

/** What `reset` removes. */
export type FactorReset = FactorKind | 'recovery_codes' | 'all'

/** Second factors, challenges and remembered devices. */
export interface FactorStore {
  /** Reads the facts for a sign-in. An unknown account has no factors. */
  view(accountId: string): Promise<FactorView>
  /** Lists the factors of an account, the oldest first. */
  list(accountId: string): Promise<readonly FactorSummary[]>
  /** Reads the authenticator app of an account. */
  totp(accountId: string): Promise<TotpFactor | undefined>
  /** Reads the passkeys of an account, the oldest first. */
  passkeys(accountId: string): Promise<readonly PasskeyFactor[]>
  /** Finds a passkey and its account by the id of the credential. */
  findPasskey(
    credentialId: string,
  ): Promise<{ readonly factor: PasskeyFactor; readonly accountId: string } | undefined>
  /**
   * Returns the random bytes by which authenticators know the account (WebAuthn `user.id`). The first call stores
   * `fresh`. Undefined if there is no such account.
   */
  userHandle(accountId: string, fresh: Uint8Array): Promise<Uint8Array | undefined>
  /** Counts a guess before it is checked, and decides whether it may be made. A use resets all budgets of the account. */
  countGuess(accountId: string, kind: GuessKind): Promise<GuessDecision>
  /** Whether one of these hashes is a recovery code of the account. Uses nothing up. */
  hasRecoveryCode(accountId: string, hashes: readonly Uint8Array[]): Promise<boolean>
  /** Sets by when the account must enrol a factor, unless it is set. */
  setDue(accountId: string, dueAt: EpochMs): Promise<void>

  /** Writes a challenge. A newer one with the same purpose and subject replaces the older one, if it has a subject. */
  addChallenge(challenge: Challenge, context: AuditContext): Promise<void>
  /** Reads a challenge that has not expired, and does not use it up. */
  findChallenge(id: string, purpose: ChallengePurpose): Promise<Challenge | undefined>
  /** Uses a challenge up. Undefined if it was used, has expired, or belongs to another purpose or subject. */
  takeChallenge(
    id: string,
    purpose: ChallengePurpose,
    subject: string,
  ): Promise<Challenge | undefined>

  /**
   * Raises a session after a step-up: uses the factor, writes what the proofs reached, and makes the tokens of the
   * session stale. `used` if the factor was used meanwhile, `over` if the session no longer stands, `outdated` if the
   * account no longer has `version`. Then nothing was written.
   */
  raise(
    sessionId: string,
    to: Pick<Session, 'authenticatedAt' | 'amr' | 'acr' | 'secondFactor'>,
    proof: { readonly use: FactorUse | undefined; readonly version?: number | undefined },
    context: AuditContext,
  ): Promise<Raised>
  /** Gives a factor another name. `unknown` if the account has no such factor. */
  rename(accountId: string, factorId: string, name: string, context: AuditContext): Promise<Change>
  /**
   * Removes a factor for one of the account's own sessions, ends all other sessions, and voids remembered devices and
   * mailed codes. The recovery codes go with the last factor. `outdated` if the session no longer stands or the account
   * no longer has that version. Then nothing was written.
   */
  remove(by: FactorOwner, factorId: string, context: AuditContext): Promise<Change | 'outdated'>
  /** Replaces all recovery codes. Remembered devices and mailed codes become void. `outdated` like `remove`. */
  replaceRecoveryCodes(
    by: FactorOwner,
    hashes: readonly Uint8Array[],
    context: AuditContext,
  ): Promise<Change | 'outdated'>
  /** Removes factors for an operator, ends all sessions, and forgets all guesses. `unchanged` if there are none. */
  reset(accountId: string, what: FactorReset, context: AuditContext): Promise<Change>

  /** Remembers a device for the current credentials. False if the session that gave the factor no longer stands. */
  trust(device: Omit<TrustedDevice, 'version'>, sessionId: string): Promise<boolean>
  /** Whether one of these hashes is a remembered device of the account, for its current credentials. */
  isTrusted(accountId: string, hash: Uint8Array): Promise<boolean>
  /** Lists the remembered devices of an account, the newest first. */
  trusted(accountId: string): Promise<readonly Omit<TrustedDevice, 'hash' | 'version'>[]>
  /** Forgets all remembered devices of an account. Returns how many there were. */
  forgetDevices(accountId: string, context: AuditContext): Promise<number>

  /** Returns the RP ID that was chosen for passkeys. Undefined before the first choice. */
  rpId(): Promise<string | undefined>
  /** Whether any account has a factor of this kind. */
  hasAny(kind: FactorKind): Promise<boolean>
  /** Stores the RP ID. If an account has a passkey already, it keeps the stored one. Returns the stored one. */
  chooseRpId(rpId: string): Promise<string>
  /** Removes up to `limit` expired challenges and devices. Returns how many. */
  purge(limit: number): Promise<number>
}
