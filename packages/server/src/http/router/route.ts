import type { z } from 'zod'

import type { Caller } from '../../sessions/services.ts'

/** A method that a row of the table answers. The router adds HEAD to GET, and OPTIONS to each path. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/**
 * The form of a route's errors: `contract` is SimpleJWT's form, `problem` is RFC 9457, `oauth` is
 * RFC 6749 §5.2, and `html` is a page for people.
 */
export type AnswerStyle = 'contract' | 'problem' | 'oauth' | 'html'

/**
 * The authentication that a request must bring:
 * - `none`: no authentication; a token or a password in the body is input
 * - `session`: the access token of a person, in the Authorization header or in the access cookie
 * - `refresh_cookie`: the refresh cookie
 * - `session_or_cookie`: the access token in the header, otherwise the refresh cookie
 * - `page_cookies`: the access cookie of a person, otherwise the refresh cookie; without a session, the answer is the
 *   sign-in page
 * - `client`: a service account's id and secret, in a Basic header or in the form
 * - `guard`: a service account's id and secret in a Basic header; it must not be bound to a tenant
 */
export type Authentication =
  | 'none'
  | 'session'
  | 'refresh_cookie'
  | 'session_or_cookie'
  | 'page_cookies'
  | 'client'
  | 'guard'

/**
 * How a route is protected from requests of other sites' pages:
 * - `none`: it changes nothing, or uses no cookie
 * - `cookie`: with a cookie, it requires an allowed origin and the CSRF token; with an access token in the
 *   header, it requires neither
 * - `always`: it always requires an allowed origin and the CSRF token
 * - `origin`: it rejects a browser whose page is from another origin; programs that are not browsers need
 *   nothing
 * - `own`: it accepts only forms of the server's own pages
 * - `form`: like `own`, with the CSRF token of the session in the field `csrf`
 */
export type CsrfRule = 'none' | 'cookie' | 'always' | 'origin' | 'own' | 'form'

/** The features that a server can have on or off. */
export interface Features {
  /** Whether anybody may create an account (`COUNTERSIGN_SIGN_UP`). */
  readonly signUp: boolean
  /** Whether a sign-up needs a proved e-mail address (`COUNTERSIGN_SIGN_UP_VERIFIED`). */
  readonly signUpVerified: boolean
  /** Whether the server sends mail to the people whose accounts it keeps. */
  readonly mail: boolean
  /** Whether people can log in with a mailed code (`COUNTERSIGN_MAIL_LOGIN`). */
  readonly mailLogin: boolean
  /** Whether Countersign keeps the accounts. False when the application passes its own `accounts`. */
  readonly ownAccounts: boolean
  /** Whether this is a server in development without SMTP, which keeps its mails in memory. */
  readonly devOutbox: boolean
  /** Whether the server has pages for people (`COUNTERSIGN_PAGES`). */
  readonly pages: boolean
  /** Whether applications can log people in (`COUNTERSIGN_SSO`). */
  readonly sso: boolean
  /** Whether people can log in with identities of other issuers. */
  readonly upstreams: boolean
}

/** A feature that adds routes, and the setting that an operator has to change. */
export interface Feature {
  readonly isOn: (features: Features) => boolean
  /** A sentence for the reference: the condition under which the route exists. */
  readonly requires: string
}

/** A refusal for the documentation. The guard package has its own codes and texts. */
export interface RefusalEntry {
  readonly code: string
  readonly status: number
  readonly text: string
}

/** One documented answer. */
export interface Answer {
  readonly status: number
  readonly description: string
  /** The media type of the body. Undefined when there is no body. */
  readonly media?: string
  /** The body. Undefined for HTML and files. */
  readonly schema?: z.ZodType
  readonly example?: unknown
}

/** How a route reads a body. */
export interface BodyRule<Body = unknown> {
  /**
   * `fields`: JSON object or either kind of HTML form. `form`: only `application/x-www-form-urlencoded`.
   * Both are read and parsed before the handler. `own`: the handler reads the request itself.
   */
  readonly format: 'fields' | 'form' | 'own'
  /** The media types in the documentation. */
  readonly media: readonly [string, ...string[]]
  readonly schema: () => z.ZodType<Body>
  /** Whether the request may leave the body out. */
  readonly isOptional?: boolean
  readonly example: Readonly<Record<string, unknown>>
}

/** The description of a route, without its handler. The documentation is made from it. */
export interface RouteDescription {
  /** A unique name in camelCase: the `operationId` of the OpenAPI document. */
  readonly id: string
  readonly method: Method
  /** With parameters in braces, as in `/auth/sessions/{id}`; `/*` at the end matches all paths below. */
  readonly path: string
  /**
   * Whether only this spelling of the path is answered. Otherwise the path is answered with and without a
   * slash at its end. Operational paths are exact, so that a proxy rule for exactly `/revocations` blocks
   * every spelling.
   */
  readonly isExact: boolean
  readonly tag: string
  /** A few words that begin with a verb, without a full stop. */
  readonly summary: string
  readonly description: string
  readonly style: AnswerStyle
  readonly authentication: Authentication
  readonly csrf: CsrfRule
  /** The permission that the account needs. */
  readonly permission: string | undefined
  /** Whether the route revokes something. It then accepts `?wait=effective`. */
  readonly revokes: boolean
  /** Whether the route hashes a password. When many such requests arrive together, other routes go first. */
  readonly hashes: boolean
  readonly feature: Feature | undefined
  readonly kind: 'api' | 'page' | 'asset' | 'node'
  readonly params: (() => z.ZodType) | undefined
  readonly query: (() => z.ZodType) | undefined
  readonly body: BodyRule | undefined
  /** All answers except the refusals. In the style `contract` they include the errors of SimpleJWT. */
  readonly answers: () => readonly Answer[]
  /** All refusals, including those of the gate, the body and the store. */
  readonly refusals: readonly RefusalEntry[]
}

/** The handler of a bound route. */
export type Answerer = (
  request: Request,
  caller: Caller,
  params: Readonly<Record<string, string>>,
) => Response | Promise<Response>

/** One row of the table, for handlers that need `Services`. */
export interface Route<Services> extends RouteDescription {
  /** Creates the handler once, when the application is created. */
  readonly bind: (services: Services) => Answerer
}
