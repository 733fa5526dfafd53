import type { Logger } from 'pino'

import type { AccountManager } from '../accounts/manage.ts'
import type { MailServices } from '../by-mail/services.ts'
import { createApp } from '../http/app.ts'
import { ownerOf } from '../http/attach.ts'
import { createCookies } from '../http/browser/cookies.ts'
import { signedInCookies } from '../http/browser/session-answers.ts'
import { createCallers } from '../http/caller.ts'
import { createFeedAuthenticator } from '../http/revocations/feed-authentication.ts'
import { createFeedSocket, type FeedSocket } from '../http/revocations/feed-socket.ts'
import { pageRoutes } from '../http/pages/routes.ts'
import { routes } from '../http/routes.ts'
import { maybeSameSite } from '../http/same-site.ts'
import type { RequestContext } from '../http/services.ts'
import type { DevOutbox } from '../mail/dev-outbox.ts'
import type { EffectiveReport } from '../revocations/confirmations.ts'
import type { FeedHub } from '../revocations/hub.ts'
import type { CreatedSession } from '../sessions/create-session.ts'
import { createFeedAccess } from '../sessions/feed-access.ts'
import { createReadiness } from '../sessions/readiness.ts'
import { createRefresher } from '../sessions/refresh.ts'
import type { SessionServices } from '../sessions/services.ts'
import { waitUntilEffective } from '../sessions/wait-effective.ts'
import type { Settings } from '../settings.ts'
import type { UpstreamServices } from '../upstream/services.ts'
import type { FactorServices } from '../with-factors/services.ts'
import type { Sso } from '../sso/sso.ts'
import { openSite } from './site.ts'

/** The HTTP side of an authority. */
export interface HttpSide {
  readonly fetch: (request: Request, context?: RequestContext) => Promise<Response>
  readonly feed: FeedSocket
  readonly cookies: (session: CreatedSession) => readonly string[]
  /** Whether a request target is a path of the API. */
  readonly owns: (target: string) => boolean
}

/** Creates the HTTP API and the socket of the revocation feed. */
export function serveHttp(options: {
  readonly settings: Settings
  readonly services: SessionServices
  /** Undefined if the application keeps the accounts. */
  readonly accounts: AccountManager | undefined
  /** Undefined if the server sends no mail. */
  readonly byMail: MailServices | undefined
  readonly factors: FactorServices
  /** Undefined if applications cannot log people in. */
  readonly sso: Sso | undefined
  /** Undefined without providers of identities. */
  readonly upstream: UpstreamServices | undefined
  readonly hub: FeedHub
  /** Resolves when a log position is in force at the guards of all nodes. */
  readonly effective: (position: number) => Promise<EffectiveReport>
  readonly devOutbox: DevOutbox | undefined
  readonly logger: Logger
}): HttpSide {
  const { settings, services, accounts, byMail, factors, upstream, sso } = options
  const { hub, effective, devOutbox, logger } = options
  const { http } = settings
  const authenticate = createFeedAuthenticator(createFeedAccess(services, hub))
  const cookies = createCookies({ publicUrl: http.publicUrl, domain: http.cookieDomain })
  return {
    fetch: createApp({
      sessions: services,
      accounts,
      byMail,
      factors,
      sso,
      upstream,
      refresh: createRefresher(services),
      http,
      site: openSite(settings),
      logger,
      feed: { hub, authenticate },
      devOutbox,
      isReady: createReadiness(services),
      waitUntilEffective: () => waitUntilEffective(services.store, effective),
    }),
    feed: createFeedSocket({
      hub,
      authenticate,
      callerOf: createCallers(http, logger).ofNode,
      logger,
    }),
    owns: ownerOf(http.pages ? routes : routes.filter((row) => !pageRoutes.includes(row))),
    cookies: (session) => {
      if (session.forCookies) return signedInCookies(services, cookies, session)
      throw new TypeError('cookies needs a session that was created with forCookies: true.')
    },
  }
}

/**
 * Browsers do not send SameSite cookies from another site, so such an origin in the settings has no effect. Native
 * shells send tokens, not cookies.
 */
export function warnOfOtherSites({ publicUrl, origins }: Settings['http'], logger: Logger): void {
  for (const origin of origins) {
    if (!origin.startsWith('http') || maybeSameSite(origin, publicUrl)) continue
    logger.warn({ event: 'origin_of_another_site', setting: 'COUNTERSIGN_ORIGINS', origin })
  }
}
