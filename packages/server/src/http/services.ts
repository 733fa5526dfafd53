import type { BlockList } from 'node:net'

import type { Logger } from 'pino'

import type { ForwardedHeader } from '../base/forwarded.ts'
import type { MailServices } from '../by-mail/services.ts'
import type { AccountManager } from '../accounts/manage.ts'
import type { DevOutbox } from '../mail/dev-outbox.ts'
import type { Refresher } from '../sessions/refresh.ts'
import type { SessionServices } from '../sessions/services.ts'
import type { Effective } from '../sessions/wait-effective.ts'
import type { UpstreamServices } from '../upstream/services.ts'
import type { FactorServices } from '../with-factors/services.ts'
import type { Sso } from '../sso/sso.ts'
import type { Cookies } from './browser/cookies.ts'
import type { Site } from './pages/look/site.ts'
import type { FeedServices } from './revocations/poll.ts'
import type { RouteDescription } from './router/route.ts'

/** Facts about a request that only the HTTP server knows. */
export interface RequestContext {
  /** The client's address. Without it, the audit records no address. */
  readonly address?: string | undefined
}

/** The settings that concern browsers and proxies. */
export interface HttpSettings {
  readonly publicUrl: string
  readonly cookieDomain: string | undefined
  /** Origins, besides the server's own, whose pages may call the API. */
  readonly origins: readonly string[]
  /** The proxies whose forwarding header is trusted. */
  readonly trustedProxies: BlockList | undefined
  readonly forwardedHeader: ForwardedHeader
  /** Request headers that pages of other origins may send, besides the usual ones. */
  readonly corsHeaders: readonly string[]
  /** Whether `Strict-Transport-Security` also covers the subdomains of the public URL. */
  readonly hstsSubdomains: boolean
  readonly signUp: boolean
  /** Whether the server has pages for people. */
  readonly pages: boolean
  /** Whether a sign-up needs a proved e-mail address. */
  readonly signUpVerified: boolean
  /** Where the pages of the server send people afterwards: the application, or the start page of the server. */
  readonly applicationUrl: string
  /** Whether people can log in with a mailed code. */
  readonly mailLogin: boolean
  /** Whether applications can log people in (OpenID Connect). */
  readonly sso: boolean
  /** The name of the field with the username in `POST /api/token/`. */
  readonly usernameField: string
}

/** The services that the HTTP API needs from the rest of the authority. */
export interface AppServices {
  readonly sessions: SessionServices
  /** Undefined if the application keeps the accounts. The API then changes no accounts. */
  readonly accounts: AccountManager | undefined
  /** Undefined if the server sends no mail, or the application keeps the accounts. */
  readonly byMail: MailServices | undefined
  readonly factors: FactorServices
  /** Undefined if applications cannot log people in. */
  readonly sso?: Sso | undefined
  /** Undefined if nobody can log in with identities of other issuers. */
  readonly upstream?: UpstreamServices | undefined
  readonly refresh: Refresher
  readonly http: HttpSettings
  /** How the pages look. */
  readonly site: Site
  readonly logger: Logger
  readonly feed: FeedServices
  /** The mails of a server in development without SMTP. */
  readonly devOutbox?: DevOutbox | undefined
  /** Whether the store can be read and written now. */
  readonly isReady: () => Promise<boolean>
  /** Resolves when all revocations up to now are in force at every guard. */
  readonly waitUntilEffective: () => Promise<Effective>
}

/** The services of the application, and the values that are derived from the settings and the route table. */
export interface HttpServices extends AppServices {
  readonly cookies: Cookies
  /** The server's own origin and the configured origins. Their pages may use the cookies. */
  readonly origins: ReadonlySet<string>
  /** The rows of the route table that this server answers. */
  readonly routes: readonly RouteDescription[]
}
