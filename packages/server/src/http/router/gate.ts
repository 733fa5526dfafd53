import type { RefusalCode } from '../../base/refusals.ts'
import type { Caller } from '../../sessions/services.ts'
import type { HttpServices } from '../services.ts'
import type { Authentication, CsrfRule, RefusalEntry } from './route.ts'

/** The caller that a gate authenticated, or the answer that ends the request. */
export type Entered<Who> =
  | { readonly ok: true; readonly who: Who }
  | { readonly ok: false; readonly response: Response }

/** The input of a gate. `body` is the parsed body if the gate runs after the body. */
export interface Visit<Body = unknown> {
  readonly request: Request
  readonly caller: Caller
  readonly body: Body
  /** The parameters of the path, as they were sent. */
  readonly params: Readonly<Record<string, string>>
}

/**
 * The check before a handler: it authenticates the request and applies the CSRF rule. `Body` is the
 * part of the parsed body that it needs.
 */
export interface Gate<Who, Body = unknown> {
  readonly authentication: Authentication
  readonly csrf: CsrfRule
  /** The permission that it requires of the account. */
  readonly permission?: string
  /** Its refusals, for the documentation. */
  readonly refusals: readonly (RefusalCode | RefusalEntry)[]
  /** Whether the gate runs after the body was parsed. Mistakes in the body are then reported first. */
  readonly isAfterBody: boolean
  readonly enter: (
    services: HttpServices,
    visit: Visit<Body>,
  ) => Entered<Who> | Promise<Entered<Who>>
}

/** Lets every request in. */
export const anyone: Gate<undefined> = {
  authentication: 'none',
  csrf: 'none',
  refusals: [],
  isAfterBody: false,
  enter: () => ({ ok: true, who: undefined }),
}
