import type { Session } from '../session.ts'

/** A way to give a second factor at a login. */
export type FactorMethod = 'passkey' | 'totp' | 'recovery_code' | 'mail'

/** A factor that a person can set up. */
export type EnrolMethod = 'totp' | 'passkey'

/** A way to confirm who one is while one is logged in. */
export type StepUpMethod = FactorMethod | 'password'

/** The next step of a login. */
export type SignInStep = SignedIn | SecondFactorStep | EnrolStep

/** The login is complete. */
export interface SignedIn {
  readonly next: 'signed-in'
  readonly session: Session
  /** Show them: nobody can read them again. Empty unless this login has set up the first factor of the account. */
  readonly recoveryCodes: readonly string[]
}

/** The options of a step that completes a login. */
export interface FactorOptions {
  /**
   * Whether the authority may skip the second factor in this browser for a while. Without effect unless its operator
   * allows it.
   */
  readonly remember?: boolean
}

/**
 * The password was right, and the account needs a second factor. A wrong factor rejects with a `ClientError`, such as
 * `factor_wrong`, and the same step can be tried again. After `ticket_void`, begin with the password.
 */
export interface SecondFactorStep {
  readonly next: 'second-factor'
  /** The methods that this account can use. */
  readonly methods: readonly FactorMethod[]
  /** The code of the authenticator app. */
  readonly totp: (code: string, options?: FactorOptions) => Promise<SignInStep>
  /** One of the recovery codes. It works once. */
  readonly recoveryCode: (code: string, options?: FactorOptions) => Promise<SignInStep>
  /** Asks the browser for a passkey. `signal` closes its dialog. */
  readonly passkey: (
    options?: FactorOptions & { readonly signal?: AbortSignal },
  ) => Promise<SignInStep>
  /** Sends a code by mail. */
  readonly mail: () => Promise<MailedCode<SignInStep, [options?: FactorOptions]>>
}

/** The password was right, and the account must set up a second factor before it can log in. */
export interface EnrolStep {
  readonly next: 'enrol'
  /** The factors that the person can choose from. */
  readonly methods: readonly EnrolMethod[]
  /** Begins to set up an authenticator app. */
  readonly beginTotp: () => Promise<NewTotp<SignInStep>>
  /** Makes a passkey. Without a name, the authority chooses one. `signal` closes the dialog of the browser. */
  readonly passkey: (
    name?: string,
    options?: { readonly signal?: AbortSignal },
  ) => Promise<SignInStep>
}

/** A code that was sent by mail. */
export interface MailedCode<Result, Options extends unknown[] = []> {
  readonly submit: (code: string, ...options: Options) => Promise<Result>
}

/** An authenticator app that is not set up yet. */
export interface NewTotp<Result> {
  /** A QR code for the app: the text of an SVG image. */
  readonly qr: string
  /** The secret in Base32, for people who cannot scan the code. */
  readonly secret: string
  /** The `otpauth:` URI, which opens an app on the same device. */
  readonly uri: string
  /** Sets the app up with the code that it shows. A wrong code can be tried again. */
  readonly submit: (code: string, name?: string) => Promise<Result>
}

/** The options of a login with a passkey alone. */
export interface PasskeyLoginOptions {
  /** The name of the tenant to log in to. Only with cookies. */
  readonly tenant?: string
  /** Whether the browser offers passkeys in the username field, without a dialog. */
  readonly autofill?: boolean
  /** Cancels the login. */
  readonly signal?: AbortSignal
}

/** A request of an API that the person confirms who they are, because it refused a call. */
export interface StepUpRequest {
  /** How the person can confirm it, the strongest first. */
  readonly methods: readonly StepUpMethod[]
  /** The largest age of the login in seconds that the API accepts. Undefined if it demands none. */
  readonly maxAgeSec: number | undefined
  /** The strengths of the login that the API accepts, such as `aal2`. Empty if it demands none. */
  readonly acrValues: readonly string[]
  readonly totp: (code: string) => Promise<void>
  readonly recoveryCode: (code: string) => Promise<void>
  readonly password: (password: string) => Promise<void>
  /** Asks the browser for a passkey. `signal` closes its dialog. */
  readonly passkey: (options?: { readonly signal?: AbortSignal }) => Promise<void>
  /** Sends a code by mail. */
  readonly mail: () => Promise<MailedCode<void>>
  /** Gives up. The refused calls return their first answer. */
  readonly cancel: () => void
  /** Whether the person has confirmed it, here or in another tab. Resolves when the dialog can close. Never rejects. */
  readonly settled: Promise<boolean>
}

/**
 * Asks the person to confirm who they are, with the functions of the request. The refused calls wait until one succeeds,
 * or until `cancel`. If the handler throws or rejects, the request is cancelled.
 */
export type StepUpHandler = (request: StepUpRequest) => unknown
