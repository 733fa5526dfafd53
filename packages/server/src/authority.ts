import type { Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'

import { decideStanding } from '@countersign/guard/revocations'
import type { AccessTokenResult } from '@countersign/guard'
import type { Logger } from 'pino'

import { createAuditReader, type AuditReader } from './accounts/audit.ts'
import { createClientManager, type ClientManager } from './accounts/clients.ts'
import { createAccountManager, type AccountManager } from './accounts/manage.ts'
import { createNewPasswords } from './accounts/new-passwords.ts'
import { checkSource, type AccountSource, type CheckedSource } from './accounts/source.ts'
import {
  createRoleManager,
  createTenantManager,
  type RoleManager,
  type TenantManager,
} from './accounts/tenants.ts'
import { usernameKey } from './accounts/usernames.ts'
import { assertSourceId, createUserManager, type UserManager } from './accounts/users.ts'
import { openBreachedPasswords } from './authority/breached.ts'
import { createMailServices } from './authority/by-mail.ts'
import { warnOfExposures } from './authority/exposures.ts'
import { createFactorServices } from './authority/factors.ts'
import { openFeed, type OpenedFeed } from './authority/feed.ts'
import { isFirstStart, repeatStartOver } from './authority/first-start.ts'
import { serveHttp, warnOfOtherSites } from './authority/http.ts'
import { openKeyRing, warnOfAlgorithms } from './authority/keys.ts'
import { openMail } from './authority/mail.ts'
import { startPreload } from './authority/preload.ts'
import { createHasher, createSessionServices } from './authority/services.ts'
import { settled } from './authority/settle.ts'
import { openSso } from './authority/sso.ts'
import { systemClock, type Clock } from './base/clock.ts'
import { createLogger } from './base/logger.ts'
import { createSystemRandom, type Random } from './base/random.ts'
import { createAccountMails, type AccountMails } from './by-mail/manage.ts'
import { createNotices } from './by-mail/notices.ts'
import { attachTo } from './http/attach.ts'
import { toNodeHandler } from './http/node-handler.ts'
import type { RequestContext } from './http/services.ts'
import type { FeedSocket } from './http/revocations/feed-socket.ts'
import type { ForeignSigner } from './keys/foreign-signer.ts'
import { createSealer } from './keys/sealing.ts'
import { readOrCreateSecret } from './keys/secret.ts'
import type { ClaimsHook } from './sessions/access-token.ts'
import type { CreatedSession } from './sessions/create-session.ts'
import { createSessionManager, type SessionManager } from './sessions/manage.ts'
import { isProduction } from './settings-environment.ts'
import type { SettingsInput } from './settings-table.ts'
import { parseSettings, type Settings } from './settings.ts'
import { logStoreEvent } from './authority/store-events.ts'
import { createApplicationManager, type ApplicationManager } from './sso/applications.ts'
import { openServerStore } from './store/open-server.ts'
import type { Store } from './store/store.ts'
import { imitateStoredHashes, startUpkeep } from './upkeep.ts'
import { createFactorManager, type FactorManager } from './with-factors/manage.ts'

/** The settings of an authority, and the options for tests and embedding applications. */
export interface AuthorityConfig extends SettingsInput {
  readonly clock?: Clock
  readonly random?: Random
  readonly logger?: Logger
  /** Signs access tokens in place of the key ring, with a key in a key service or an HSM. */
  readonly signer?: ForeignSigner
  /** Adds the application's own claims to every access token of a person. */
  readonly claims?: ClaimsHook
  /** See {@link SourcedAuthorityConfig}. */
  readonly accounts?: undefined
}

/** The settings of an authority whose accounts the application keeps. */
export interface SourcedAuthorityConfig extends Omit<AuthorityConfig, 'accounts'> {
  /** Looks up accounts and verifies passwords in place of the authority's own table. */
  readonly accounts: AccountSource
}

/**
 * The result of checking an access token: the result of a guard's verifier, or a refusal by the revocation
 * log.
 */
export type AuthorityVerifyResult =
  | AccessTokenResult
  | { readonly ok: false; readonly code: 'session_ended' | 'token_stale' }

/** Manages sessions, and makes the cookies that log a browser in. */
export interface AuthoritySessions extends SessionManager {
  /**
   * Returns the `Set-Cookie` headers that log a browser in to a session from `create`. They equal those of
   * `POST /auth/login`. Throws a `TypeError` unless it was created with `forCookies: true`.
   */
  cookies(session: CreatedSession): readonly string[]
}

/** The members of every authority. It does not listen on a port: see `serve` and `toNodeHandler`. */
export interface AuthorityCore {
  /** Handles a request to the HTTP API. `context.address` is the client's address, if the caller knows it. */
  readonly fetch: (request: Request, context?: RequestContext) => Promise<Response>
  /**
   * The revocation feed over WebSockets. Pass it to `serve({ feed: authority.feed, ... })`, or call
   * `feed.upgrade` in the `upgrade` event of your own server. Pass it as the option `feed` to a guard in the
   * same process.
   */
  readonly feed: FeedSocket
  /**
   * Mounts the authority into your own HTTP server: its paths `/sign-in` and under `/api/token`, `/auth`, `/oauth2`,
   * `/revocations` and `/.well-known`, and the revocation feed. The paths are answered before your own listeners,
   * which get all other requests. Throws a `TypeError` if an authority is attached to the server already.
   */
  attach(server: Server | SecureServer): void
  /**
   * Checks an access token of this authority, as a guard does. It does not read the store. It rejects a token as
   * soon as the call that revoked it has resolved: `fetch`, or a method of this authority.
   */
  verify(accessToken: string): AuthorityVerifyResult
  readonly sessions: AuthoritySessions
  readonly audit: AuditReader
  readonly tenants: TenantManager
  readonly roles: RoleManager
  readonly clients: ClientManager
  readonly applications: ApplicationManager
  readonly factors: FactorManager
  readonly settings: Settings
  readonly logger: Logger
  /** Stops all background work and closes the database. Call it when no request is in flight. */
  close(): Promise<void>
}

/** An authority that keeps the accounts itself. */
export interface Authority extends AuthorityCore {
  readonly accounts: AccountManager & AccountMails
}

/** An authority whose accounts the application keeps. The application reports changes through `users`. */
export interface SourcedAuthority extends AuthorityCore {
  readonly users: UserManager
}

/**
 * Opens the authority on its data directory: database, keys and HTTP API. Throws a `SetupError` if a setting
 * is wrong or the directory cannot be used; its message is for the operator.
 *
 * With `accounts`, the application's own table of users has the accounts and passwords. The authority then
 * has `users` instead of `accounts`.
 */
export async function createAuthority(config: SourcedAuthorityConfig): Promise<SourcedAuthority>
export async function createAuthority(config?: AuthorityConfig): Promise<Authority>
export async function createAuthority(
  config: AuthorityConfig | SourcedAuthorityConfig = {},
): Promise<Authority | SourcedAuthority> {
  const { clock = systemClock, random = createSystemRandom(), ...others } = config
  const { logger: givenLogger, claims, accounts, signer, ...input } = others
  const source = accounts === undefined ? undefined : checkSource(accounts)
  const production = isProduction(process.env)
  const settings = parseSettings(input, { production, nameOf: (key) => key })
  const logger = givenLogger ?? createLogger(settings.logLevel)
  const store = await openServerStore(settings, {
    clock,
    onEvent: (event) => logStoreEvent(logger, event),
  })
  const opened: OpenedFeed[] = []
  try {
    // On PostgreSQL, all nodes have the clock of its server.
    const given = { clock: store.clock, random, claims, source, signer, input, opened }
    return await assemble(settings, store, given, logger)
  } catch (error) {
    for (const feed of opened) await feed.close()
    await store.close()
    throw error
  }
}

interface Parameters {
  readonly clock: Clock
  readonly random: Random
  readonly claims: ClaimsHook | undefined
  readonly source: CheckedSource | undefined
  readonly signer: ForeignSigner | undefined
  /** The settings as they were given, with the paths of secret files. */
  readonly input: SettingsInput
  /** Gets what must be closed if a later step fails. */
  readonly opened: OpenedFeed[]
}

async function assemble(
  settings: Settings,
  store: Store,
  given: Parameters,
  logger: Logger,
): Promise<Authority | SourcedAuthority> {
  const { clock, random, source, signer } = given
  const secrets = settings.secrets ?? [readOrCreateSecret(settings.dataDir, random)]
  const base = { ...given, store, sealer: createSealer(secrets, random), logger }
  const isFirst = await isFirstStart(store, settings, signer)
  const ring = await openKeyRing(settings, store, base)
  const hasher = createHasher(settings, base)
  await imitateStoredHashes({ ...base, hasher })
  const breached = await openBreachedPasswords(settings, (failure) =>
    logger.warn({ event: 'breached_passwords_unavailable', ...failure }),
  )
  const { publicUrl } = settings
  const newPasswords = createNewPasswords({ hasher, publicUrl, breached })
  warnOfOtherSites(settings.http, logger)
  warnOfExposures(given.input, settings, logger)
  warnOfAlgorithms(ring, logger)
  await repeatStartOver(store, settings.publicUrl, clock, logger)
  const mail = await openMail({ ...base, settings })
  const feed = await openFeed({ ...base, settings, ring, isFirst })
  given.opened.push(feed)
  const { settling } = feed
  const notices = mail.mailer && createNotices(mail.mailer)
  const parts = { ...base, ring, hasher, newPasswords, notices, log: feed.log }
  const services = await createSessionServices(settings, parts)
  const accounts =
    source === undefined ? createAccountManager({ ...base, newPasswords }) : undefined
  const byMail =
    mail.mailer &&
    accounts &&
    createMailServices(settings, { ...base, services, mailer: mail.mailer })
  const factors = await createFactorServices(settings, { ...base, services, byMail })
  const sso = await openSso({ ...base, settings, services, ring, leads: feed.leads })
  const http = serveHttp({
    settings,
    services,
    accounts,
    byMail,
    factors,
    sso: sso.login,
    hub: feed.hub,
    effective: feed.effective,
    devOutbox: mail.devOutbox,
    logger,
  })
  const stopUpkeep = startUpkeep({
    ...base,
    retention: settings.retention,
    hasher,
    keepUpKeys: () => ring.keepUp(),
    leads: feed.leads,
    hasNodes: settings.databaseUrl !== undefined,
  })
  const stopPreload = startPreload(store, logger)
  const stopMail = mail.start()
  const stopSso = sso.start()
  const core: AuthorityCore = {
    fetch: async (request, context) => {
      const response = await http.fetch(request, context)
      await settling.settle()
      return response
    },
    feed: {
      ...http.feed,
      close: () => {
        feed.stop()
        http.feed.close()
      },
    },
    attach: (server) =>
      attachTo(server, {
        handle: toNodeHandler(http.fetch),
        upgrade: http.feed.upgrade,
        owns: http.owns,
      }),
    verify: (accessToken) => {
      const result = services.verifyAccess.verify(accessToken)
      if (!result.ok) return result
      // Nobody has proved possession of the key here, so a guard would refuse it too.
      if (result.claims.cnf !== undefined) return { ok: false, code: 'claim_invalid', claim: 'cnf' }
      const standing = decideStanding(result.claims, feed.hub.log)
      return standing === 'stands' ? result : { ok: false, code: standing }
    },
    sessions: { ...settled(createSessionManager(services), settling), cookies: http.cookies },
    audit: createAuditReader(store),
    tenants: settled(
      createTenantManager({ ...base, writeInvitation: byMail?.writeInvitation }),
      settling,
    ),
    roles: settled(createRoleManager(base), settling),
    clients: settled(createClientManager(base), settling),
    applications: settled(
      createApplicationManager({ ...base, production: settings.production }),
      settling,
    ),
    factors: settled(
      createFactorManager({
        ...base,
        notices: () => notices,
        find:
          source === undefined
            ? (username) => store.accounts.find(usernameKey(username))
            : async (id) => (await store.accounts.get(assertSourceId(id))) ?? 'new',
      }),
      settling,
    ),
    settings,
    logger,
    close: async () => {
      stopUpkeep()
      stopPreload()
      await Promise.all([stopMail(), stopSso()])
      await feed.close()
      http.feed.close()
      await store.close()
    },
  }
  return accounts === undefined
    ? { ...core, users: settled(createUserManager(base), settling) }
    : {
        ...core,
        accounts: settled({ ...accounts, ...createAccountMails(() => byMail, base) }, settling),
      }
}
