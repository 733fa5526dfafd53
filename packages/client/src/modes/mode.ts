import type { ClientError } from '../error.ts'
import type { Credentials, Session } from '../types.ts'

/** The result of a login or a refresh. */
export interface Grant {
  readonly sid: string
  /** The remaining lifetime of the access token in milliseconds. Undefined if it is not known. */
  readonly lifeMs: number | undefined
}

/** A session, and what is known about its access token. */
export interface Loaded {
  readonly session: Session
  /** Undefined if the access token is the same as before. */
  readonly lifeMs: number | undefined
}

/** How the client proves who is logged in: with cookies, or with tokens in memory. */
export interface Mode {
  /** Whether other tabs of the browser use the same access token. */
  readonly isShared: boolean
  /** The CSRF token of the session. Undefined if it is not known, or not needed. */
  csrf: string | undefined
  /** Returns the headers that a call needs. */
  headers(method: string): Promise<Readonly<Record<string, string>>>
  login(credentials: Credentials): Promise<Grant>
  refresh(tenant?: string | null): Promise<Grant>
  load(): Promise<Loaded>
  logout(): Promise<void>
  /** Forgets the session, because it is over. */
  forget(): Promise<void>
  /** Whether a failed `refresh` or `load` means that nobody is logged in any more. */
  isOver(error: ClientError): boolean
}
