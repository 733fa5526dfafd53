import type { Session } from '../session.ts'

/** The result of a login or a refresh. */
export interface Grant {
  readonly sid: string
  /** The remaining lifetime of the access token in milliseconds. Undefined if it is not known. */
  readonly lifeMs?: number | undefined
  /** New recovery codes, if the login has set up the first factor. */
  readonly recoveryCodes?: unknown
}

/** A session, and what is known about its access token. */
export interface Loaded {
  readonly session: Session
  /** Undefined if the access token is the same as before. */
  readonly lifeMs?: number | undefined
}

/** How the client proves who is logged in: with cookies, or with tokens in memory. */
export interface Mode {
  /** Whether other tabs of the browser use the same access token. */
  readonly isShared: boolean
  /** The CSRF token of the session. Undefined if it is not known, or not needed. */
  csrf: string | undefined
  /** Returns the headers that a call needs. */
  headers(method: string): Promise<Readonly<Record<string, string>>>
  /** Sends a request that logs in, for example to the path `/second-factor` below the one for passwords. */
  login(body: object, path: string): Promise<Grant>
  refresh(tenant?: string | null): Promise<Grant>
  load(): Promise<Loaded>
  logout(): Promise<void>
  /** Forgets the session, because it is over. */
  forget(): Promise<void>
}
