import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'

import { createAccessTokenVerifier, type AccessTokenResult } from '@countersign/guard'
import { createBatchOpener, decideStanding } from '@countersign/guard/revocations'
import pino, { type Logger } from 'pino'

import { createClientManager, type ClientManager } from './accounts/clients.ts'
import { createAccountManager, type AccountManager } from './accounts/manage.ts'
import { createPasswordHasher } from './accounts/passwords.ts'
import { checkSource, type AccountSource, type CheckedSource } from './accounts/source.ts'
import {
  createRoleManager,
  createTenantManager,
  type RoleManager,
  type TenantManager,
} from './accounts/tenants.ts'
import { createThrottle } from './accounts/throttle.ts'
import { createUserManager, type UserManager } from './accounts/users.ts'
import { systemClock, type Clock } from './base/clock.ts'
import { messageOf, SetupError } from './base/faults.ts'
import { limits } from './base/limits.ts'
import { createSystemRandom, randomId, type Random } from './base/random.ts'
import { callerOfNode, createApp } from './http/app.ts'
import type { RequestContext } from './http/services.ts'
import { createFeedAuthenticator } from './http/revocations/feed-authentication.ts'
import { maybeSameSite } from './http/same-site.ts'
import { createFeedSocket, type FeedSocket } from './http/revocations/feed-socket.ts'
import {
  openForeignSigner,
  openSharedSecrets,
  type ForeignSigner,
  type OpenedSigner,
} from './keys/foreign-signer.ts'
import { ACCESS_TYP, KeyRing, perRingState } from './keys/ring.ts'
import { ringSchedule } from './keys/schedule.ts'
import { createSealer, type Sealer } from './keys/sealing.ts'
import { readOrCreateSecret } from './keys/secret.ts'
import { FeedHub } from './revocations/hub.ts'
import { LogMirror } from './revocations/mirror.ts'
import { createBatchSealer } from './revocations/seal-batch.ts'
import type { TailEvent, Timers } from './revocations/tail.ts'
import { createTopics } from './revocations/topics.ts'
import type { ClaimsHook } from './sessions/access-token.ts'
import { createCsrf } from './sessions/csrf.ts'
import { createFeedAccess } from './sessions/feed-access.ts'
import { createReadiness } from './sessions/readiness.ts'
import type { SessionServices } from './sessions/services.ts'
import { waitUntilEffective } from './sessions/wait-effective.ts'
import { createRefreshTokenVerifier } from './sessions/refresh-token.ts'
import { createRefresher } from './sessions/refresh.ts'
import { parseSettings, type Settings, type SettingsInput } from './settings.ts'
import { openSqliteStore } from './store/sqlite/store.ts'
import type { Store } from './store/store.ts'

/** The settings, and what only tests and embedding applications replace. */
export interface AuthorityConfig extends SettingsInput {
  readonly clock?: Clock
  readonly random?: Random
  readonly logger?: Logger
  /** A key in a key service or an HSM that signs access tokens. */
  readonly signer?: ForeignSigner
  /** Adds the application's own claims to each access token. */
  readonly claims?: ClaimsHook
  /** See {@link SourcedAuthorityConfig}. */
  readonly accounts?: undefined
}

/** The same for an application that keeps its own table of users. */
export interface SourcedAuthorityConfig extends Omit<AuthorityConfig, 'accounts'> {
  /** Asked for accounts and passwords in place of our own table. */
  readonly accounts: AccountSource
}

/** What an authority says of a token: what a guard's verifier says, and what the log does. */
export type AuthorityVerifyResult =
  | AccessTokenResult
  | { readonly ok: false; readonly code: 'session_ended' | 'token_stale' }

/** What every authority has: an authority without a port of its own. */
export interface AuthorityCore {
  /** The whole HTTP API. `context.address` is the client's address, where the caller knows it. */
  readonly fetch: (request: Request, context?: RequestContext) => Promise<Response>
  /**
   * The revocation feed over WebSockets: `serve({ feed: authority.feed, ... })`, or `feed.upgrade` for the
   * `upgrade` event of a server of one's own. A guard in this process takes it as its own option `feed`.
   */
  readonly feed: FeedSocket
  /** Checks an access token of this authority, as a guard would. */
  verify(accessToken: string): AuthorityVerifyResult
  readonly tenants: TenantManager
  readonly roles: RoleManager
  readonly clients: ClientManager
  readonly settings: Settings
  readonly logger: Logger
  /** Closes the database. Call it when no request is in flight any more. */
  close(): Promise<void>
}

/** An authority that keeps the accounts. */
export interface Authority extends AuthorityCore {
  readonly accounts: AccountManager
}

/** An authority whose accounts the application keeps: it is told what has changed in them. */
export interface SourcedAuthority extends AuthorityCore {
  readonly users: UserManager
}

const UPKEEP_INTERVAL_MS = 3_600_000
const KEY_UPKEEP_INTERVAL_MS = 60_000
const PURGE_ROWS = 1_000
const PURGE_AFTER_MS = 86_400_000
const HASH_SAMPLE = 200

/**
 * Opens the authority on its data directory: database, keys, HTTP API. Throws a `SetupError`, whose
 * message is for the operator, where a setting is wrong or the directory cannot be used.
 *
 * With `accounts`, the application's own table of users is asked in place of ours. What it gets then has
 * `users` in place of `accounts`.
 */
export async function createAuthority(config: SourcedAuthorityConfig): Promise<SourcedAuthority>
export async function createAuthority(config?: AuthorityConfig): Promise<Authority>
export async function createAuthority(
  config: AuthorityConfig | SourcedAuthorityConfig = {},
): Promise<Authority | SourcedAuthority> {
  const { clock = systemClock, random = createSystemRandom(), ...others } = config
  const { logger, claims, accounts, signer, ...input } = others
  const source = accounts === undefined ? undefined : checkSource(accounts)
  const settings = parseSettings(input, { production: process.env['NODE_ENV'] === 'production' })
  const store = openSqliteStore(settings.dataDir, { exclusive: true })
  try {
    return await assemble(settings, store, { clock, random, claims, source, signer }, logger)
  } catch (error) {
    await store.close()
    throw error
  }
}

interface Assembled {
  readonly clock: Clock
  readonly random: Random
  readonly claims: ClaimsHook | undefined
  readonly source: CheckedSource | undefined
  readonly signer: ForeignSigner | undefined
}

async function assemble(
  settings: Settings,
  store: Store,
  { clock, random, claims, source, signer }: Assembled,
  logger: Logger = pino({ level: settings.logLevel, base: null }, pino.destination(2)),
): Promise<Authority | SourcedAuthority> {
  const secrets = settings.secrets ?? [readOrCreateSecret(settings.dataDir, random)]
  const sealer = createSealer(secrets, random)
  const isFirst = await isFirstStart(store, settings, signer)
  const ring = await KeyRing.open({
    store: store.keys,
    sealer,
    clock,
    random,
    schedule: ringSchedule(settings),
    foreign: await openOutsideSigner(settings, signer),
  })
  const { publicUrl: issuer, audience } = settings

  const hasher = createPasswordHasher({
    parameters: settings.argon2,
    concurrency: availableParallelism(),
    queueMax: limits.passwordQueueMax,
    random,
    decoySecret: sealer.derive('decoys/v1', 32),
  })
  const imitateHashes = async (): Promise<void> => {
    hasher.imitate(await sampleHashes(store, random))
  }
  await imitateHashes()
  const verifyAccess = perRingState(ring, ({ accessKeys }) =>
    createAccessTokenVerifier({
      keys: accessKeys,
      issuer,
      audience,
      // Its own clock signed the token: nothing to tolerate.
      toleranceSec: 0,
      clock: () => clock.nowMs(),
    }),
  )
  // Both ask the log, which is opened with the ring and the store in place.
  let noteAhead: NonNullable<SessionServices['noteAhead']> = () => {}
  let standingOf: NonNullable<SessionServices['standingOf']> = async () => 'stands'
  const sessions: SessionServices = {
    store,
    source,
    ring,
    hasher,
    throttle: createThrottle(settings.throttle, sealer.deriveEach('throttle/v1', 32), random),
    csrf: createCsrf(sealer.deriveEach('csrf/v1', 32), random),
    clock,
    random,
    access: { issuer, audience, lifetimeSec: settings.accessLifetimeSec, claims },
    rotation: {
      rotates: settings.rotateRefresh,
      idleMs: settings.refreshLifetimeSec * 1000,
      absoluteMs: settings.sessionLifetimeSec * 1000,
      graceMs: settings.rotationGraceMs,
      startedAt: clock.nowMs(),
      healing: settings.healing,
    },
    verifyRefresh: createRefreshTokenVerifier(ring, issuer, clock),
    verifyAccess: { verify: (token) => verifyAccess().verify(token) },
    noteAhead: (rvp) => noteAhead(rvp),
    standingOf: (subjects, position) => standingOf(subjects, position),
  }
  const accounts =
    source === undefined
      ? createAccountManager({ store, hasher, clock, random, publicUrl: issuer })
      : undefined
  warnOfOtherSites(settings, logger)
  await startOverAsOurselves(store, issuer, clock, logger)
  const hub = await openHub({ settings, sessions, sealer, isFirst, logger })
  const mirror =
    settings.redisUrl === undefined
      ? undefined
      : await openMirror(settings.redisUrl, { settings, sessions, hub, logger })
  const unwatch = store.watch(() => {
    hub.tail.changed()
    mirror?.changed()
  })
  noteAhead = createAheadWatch(hub, logger)
  standingOf = async (subjects, position) => {
    if (position > hub.log.position) await hub.tail.read()
    return decideStanding(subjects, hub.log)
  }
  const authenticate = createFeedAuthenticator(createFeedAccess(sessions, hub))
  const fetch = createApp({
    sessions,
    accounts,
    refresh: createRefresher(sessions),
    http: settings.http,
    logger,
    feed: { hub, authenticate },
    isReady: createReadiness({ store, clock }),
    waitUntilEffective: () => waitUntilEffective(store, hub),
  })
  const feed = createFeedSocket({
    hub,
    authenticate,
    callerOf: (incoming) => callerOfNode(incoming, settings.http.trustedProxies),
    logger,
  })
  const upkeep = setInterval(() => {
    void keepUp(logger, 'purge', () => purge(store, clock, logger))
    void keepUp(logger, 'imitate_hashes', imitateHashes)
  }, UPKEEP_INTERVAL_MS)
  upkeep.unref()
  const keyUpkeep = setInterval(() => {
    void keepUp(logger, 'keys', () => ring.keepUp())
  }, KEY_UPKEEP_INTERVAL_MS)
  keyUpkeep.unref()
  const core: AuthorityCore = {
    fetch,
    feed: {
      ...feed,
      close: () => {
        hub.close()
        feed.close()
      },
    },
    verify: (accessToken) => {
      const result = verifyAccess().verify(accessToken)
      if (!result.ok) return result
      const standing = decideStanding(result.claims, hub.log)
      return standing === 'stands' ? result : { ok: false, code: standing }
    },
    tenants: createTenantManager({ store, clock, random }),
    roles: createRoleManager({ store, clock }),
    clients: createClientManager({ store, clock, random }),
    settings,
    logger,
    close: async () => {
      clearInterval(upkeep)
      clearInterval(keyUpkeep)
      unwatch()
      await mirror?.close()
      hub.close()
      feed.close()
      await store.close()
    },
  }
  return accounts === undefined
    ? { ...core, users: createUserManager({ store, clock }) }
    : { ...core, accounts }
}

/** What signs access tokens in place of the ring. */
async function openOutsideSigner(
  { sharedSecrets }: Settings,
  signer: ForeignSigner | undefined,
): Promise<OpenedSigner | undefined> {
  if (signer === undefined) return sharedSecrets && openSharedSecrets(sharedSecrets, ACCESS_TYP)
  if (sharedSecrets === undefined) return openForeignSigner(signer, ACCESS_TYP)
  throw new SetupError('signer and COUNTERSIGN_SHARED_SECRET exclude each other.')
}

/**
 * A copy of the database that was put back says so in the name of the issuer that the command's shell knew. Tokens
 * carry ours: an entry for any other takes none of them back.
 */
async function startOverAsOurselves(
  { revocations }: Store,
  issuer: string,
  clock: Clock,
  logger: Logger,
): Promise<void> {
  const named = await revocations.startedOverFor()
  if (named === undefined || named === issuer) return
  const by = { issuer, at: clock.nowMs(), actor: 'system' }
  logger.warn({ event: 'log_repaired', ...(await revocations.startOverAs(by)) })
}

/** Pages of another site never get the cookies, which are SameSite: whoever lists one waits in vain. */
function warnOfOtherSites({ publicUrl, http }: Settings, logger: Logger): void {
  for (const origin of http.origins) {
    if (maybeSameSite(origin, publicUrl)) continue
    logger.warn({ event: 'origin_of_another_site', setting: 'COUNTERSIGN_ORIGINS', origin })
  }
}

/** A token lives as long as its `exp` and the tolerance of whoever checks it. */
const TOLERANCE_MS_MAX = 60_000

function retainMs({ accessLifetimeSec }: Settings): number {
  return accessLifetimeSec * 1000 + TOLERANCE_MS_MAX
}

const systemTimers: Timers = {
  elapsed: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
}

/**
 * Whether nobody can hold a lease of this issuer yet: there was no key of ours that could have signed a token or a
 * batch, and nothing else that could, or that is read beside the feed.
 */
async function isFirstStart(
  { keys }: Store,
  { sharedSecrets, redisUrl }: Settings,
  signer: ForeignSigner | undefined,
): Promise<boolean> {
  const isAlone = sharedSecrets === undefined && signer === undefined && redisUrl === undefined
  return isAlone && (await keys.list()).length === 0
}

function openHub({
  settings,
  sessions: { store, ring, clock },
  sealer,
  isFirst,
  logger,
}: {
  readonly settings: Settings
  readonly sessions: SessionServices
  readonly sealer: Sealer
  readonly isFirst: boolean
  readonly logger: Logger
}): Promise<FeedHub> {
  const { publicUrl: issuer } = settings
  return createTopics(ring, store.roles).then((topics) =>
    FeedHub.open({
      issuer,
      store: store.revocations,
      sealer: createBatchSealer({
        issuer,
        signer: () => ring.logSigner,
        macKeys: sealer.deriveEach('revocations/v1', 32),
        clock,
      }),
      opener: () => createBatchOpener(ring.logKeys, issuer),
      topics,
      ...systemTimers,
      retainMs: retainMs(settings),
      isFirst,
      nowMs: () => clock.nowMs(),
      onEvent: (event) => noteHubEvent(logger, event),
    }),
  )
}

/** Only who has a Redis pays for its client. */
async function openMirror(
  url: string,
  {
    settings,
    sessions: { store, ring, random },
    hub,
    logger,
  }: {
    readonly settings: Settings
    readonly sessions: SessionServices
    readonly hub: FeedHub
    readonly logger: Logger
  },
): Promise<LogMirror> {
  const { createRedisMirror } = await import('./revocations/redis-mirror.ts')
  const target = createRedisMirror({ url, random, onConnect: () => mirror.forget() })
  const mirror = new LogMirror({
    ...systemTimers,
    issuer: settings.publicUrl,
    target,
    tail: hub.tail,
    store: store.revocations,
    keys: ring,
    retainMs: retainMs(settings),
    onHead: (position) => hub.mirrored(position),
    onEvent: (event) => {
      if (event.event === 'mirror_ready') logger.info(event)
      else logger.error({ event: event.event, error: messageOf(event.error) })
    },
  })
  return mirror
}

/** Many requests may carry such tokens: the log is looked after once at a time. */
function createAheadWatch(hub: FeedHub, logger: Logger): (rvp: number) => void {
  let isBusy = false
  return (rvp) => {
    if (isBusy) return
    isBusy = true
    logger.warn({ event: 'log_behind', position: rvp })
    hub
      .tokenAhead(rvp)
      .catch((error: unknown) => logger.error({ event: 'log_behind', error: messageOf(error) }))
      .finally(() => (isBusy = false))
  }
}

function noteHubEvent(logger: Logger, event: TailEvent): void {
  if (event.event === 'revocations_unreadable') {
    logger.error({ event: event.event, error: messageOf(event.error) })
  } else {
    logger.warn(event)
  }
}

/** Work of the background that failed is tried again with the next round. */
async function keepUp(logger: Logger, work: string, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    logger.error({ event: 'upkeep_failed', work, error: messageOf(error) })
  }
}

/**
 * Sessions are kept a day after their end, so that an old token is still called ended, not unknown;
 * counted tries, until they count no more.
 */
async function purge(store: Store, clock: Clock, logger: Logger): Promise<void> {
  let removed: number
  do {
    removed = await store.sessions.purge(clock.nowMs() - PURGE_AFTER_MS, PURGE_ROWS)
    removed = Math.max(removed, await store.throttles.purge(clock.nowMs(), PURGE_ROWS))
    if (removed > 0) logger.info({ event: 'purged', removed })
    await setImmediate() // requests come first
  } while (removed === PURGE_ROWS)
}

/** From a random place on, since account ids are random: as good as drawing each one. */
async function sampleHashes({ accounts }: Store, random: Random): Promise<readonly string[]> {
  const some = await accounts.sampleHashes(`acct_${randomId(random)}`, HASH_SAMPLE)
  return some.length === HASH_SAMPLE
    ? some
    : [...some, ...(await accounts.sampleHashes('', HASH_SAMPLE - some.length))]
}
