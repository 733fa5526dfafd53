import type { PasskeyLoginOptions, SignInStep, StepUpHandler } from './factors/types.ts'
import type { Session } from './session.ts'

/** The input of a login. */
export interface Credentials {
  readonly username: string
  readonly password: string
  /** The name of the tenant to log in to. Only with cookies. */
  readonly tenant?: string
}

/** Keeps the refresh token of a native application. The functions of Expo's SecureStore fit. */
export interface TokenStorage {
  get(key: string): Promise<string | null>
  set(key: string, value: string): Promise<void>
  remove(key: string): Promise<void>
}

/**
 * Sends a request like `fetch`, and adds a proof that this device holds its key (RFC 9449) where one is needed.
 * `createDpop` of `@countersign/client/dpop` makes it.
 */
export type BoundFetch = (
  input: Parameters<typeof globalThis.fetch>[0],
  init?: RequestInit,
) => Promise<Response>

/** The options of `createClient`. */
export interface ClientOptions {
  /** The public URL of the authority. Default: the origin of the page. */
  readonly authority?: string
  /**
   * The origins of your APIs, such as `https://api.example.com`. Only these and the authority get cookies, CSRF
   * tokens and access tokens from `fetch`.
   */
  readonly origins?: readonly string[]
  /**
   * `cookies` (default): the tokens are in HttpOnly cookies, and the client never holds one. `memory`: for native
   * applications. The access token stays in memory and goes into the `Authorization` header.
   */
  readonly mode?: 'cookies' | 'memory'
  /** Where the mode `memory` keeps the refresh token. Default: in memory, so that a restart logs the person out. */
  readonly storage?: TokenStorage
  /**
   * Binds the tokens of the mode `memory` to a key of this device: `createDpop()` of `@countersign/client/dpop`. Default:
   * whoever copies a token can use it.
   */
  readonly dpop?: BoundFetch
}

/** The headers of a request, and what `shouldRepeat` must know about it later. */
export interface Prepared {
  /** Whether the request may carry the session: its URL is of the authority or of one of `origins`. */
  readonly isOurs: boolean
  /** The headers to add, in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Whether the browser must send cookies, also to another origin. */
  readonly withCookies: boolean
  /** The number of renewals and the session at the time of sending. */
  readonly renewals: number
  readonly session: Session | null | undefined
}

/** Logs a person in and keeps the session. One object for a page or an application. */
export interface Client {
  /** The public URL of the authority. */
  readonly authority: string
  /**
   * Logs in. The result says what comes next: the session, a second factor, or the setup of one. Rejects with a
   * {@link ClientError}, for example with the code `credentials_invalid`.
   */
  readonly login: (credentials: Credentials) => Promise<SignInStep>
  /**
   * Logs in with a passkey alone. With `autofill`, the browser offers passkeys in the username field, which needs
   * `autocomplete="username webauthn"`. Rejects with the code `passkey_cancelled` if the person or `signal` cancels.
   */
  readonly loginWithPasskey: (options?: PasskeyLoginOptions) => Promise<SignInStep>
  /**
   * Sets the handler that asks the person to confirm who they are, when an answer demands it (RFC 9470). It replaces the
   * one before. Without a handler, `fetch` returns such answers. Returns a function that removes it.
   */
  readonly onStepUp: (handler: StepUpHandler) => () => void
  /**
   * Sends the person to the sign-in page of the authority, which leads back to `returnTo`: an absolute URL of the
   * authority or of a configured origin. Default: this page. Does nothing outside of a page.
   */
  readonly signIn: (returnTo?: string) => void
  /**
   * Logs out. With cookies, rejects if the authority cannot be reached: the person is then still logged in. In the
   * mode `memory`, the tokens are gone in any case.
   */
  readonly logout: () => Promise<void>
  /**
   * Returns the session, or null if nobody is logged in. Asks the authority at the first call, and with `reload`.
   * Rejects if the authority cannot be reached.
   */
  readonly session: (options?: { readonly reload?: boolean }) => Promise<Session | null>
  /** Returns what is known without a request. Undefined: not known yet. The same object until something changes. */
  readonly peek: () => Session | null | undefined
  /**
   * Refreshes now. With `tenant` (only with cookies), moves the session to that tenant; null leaves the tenant.
   * `fetch` refreshes by itself.
   */
  readonly refresh: (options?: { readonly tenant?: string | null }) => Promise<Session | null>
  /**
   * Calls an API like the global `fetch`. If the access token has expired or is out of date, refreshes and repeats
   * the call once. If the answer demands a fresh or stronger login, calls the handler of `onStepUp`, and repeats the
   * call once if the person has confirmed who they are. Rejects with a {@link ClientError} if the authority cannot refresh at the moment.
   */
  readonly fetch: typeof globalThis.fetch
  /** Calls the listener after each change of the session, in every tab. Returns a function that removes it. */
  readonly onChange: (listener: (session: Session | null | undefined) => void) => () => void
  /** For bindings to other HTTP libraries: gives the headers of a request. Refreshes first if needed. */
  readonly prepare: (url: string, method: string) => Promise<Prepared>
  /**
   * For bindings to other HTTP libraries: decides about the answer to a prepared request, after a refresh or a step-up
   * if that can help. If true, prepare the request again and repeat it once. `code` is that of the problem document,
   * `challenge` the header `WWW-Authenticate`, if any.
   */
  readonly shouldRepeat: (
    prepared: Prepared,
    status: number,
    code: string | undefined,
    challenge?: string | null,
  ) => Promise<boolean>
  /**
   * For `@countersign/client/factors`: logs in with a body of its own at a path below the one for passwords, such as
   * `/passkey`.
   */
  readonly logInAt: (path: '' | '/passkey' | '/second-factor', body: object) => Promise<SignInStep>
  /** Stops listening to the page and to other tabs. */
  readonly close: () => void
}
