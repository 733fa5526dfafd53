import { no, yes, type Managed } from '../accounts/managed.ts'
import { assertLimit, cutPage } from '../accounts/paging.ts'
import type { EpochMs } from '../base/clock.ts'
import { assertOptions } from '../base/options.ts'
import type { Change } from '../store/change.ts'
import type { SessionSummary } from '../store/store.ts'
import {
  createSession,
  type CreatedSession,
  type CreateSessionOptions,
  type SessionNotCreated,
  type SignInAttempt,
} from './create-session.ts'
import type { SessionServices } from './services.ts'

/** A session for listings. It contains no token and no value from which a token can be made. */
export interface SessionInfo {
  readonly id: string
  readonly accountId: string
  /** The username. For an account of the application, it is the username at the last sign-in or refresh. */
  readonly username: string
  readonly tenantId: string | undefined
  /** Whether a refresh would succeed now. An application that keeps the accounts is not asked. */
  readonly isLive: boolean
  readonly createdAt: EpochMs
  /** When the session was opened or last refreshed. */
  readonly lastUsedAt: EpochMs
  /** When it expires if it is not refreshed. */
  readonly expiresAt: EpochMs
  /** When it expires in any case. */
  readonly endsAt: EpochMs
  /**
   * When this single session was ended. Undefined if it is live, has expired, or ended with its account or
   * tenant.
   */
  readonly endedAt: EpochMs | undefined
  /** When the person last proved who they are; see `CreateSessionOptions`. */
  readonly authenticatedAt: EpochMs
  readonly amr: readonly string[]
  readonly acr: string | undefined
  /** The address of the last use. Empty if it is not known. */
  readonly address: string
  readonly userAgent: string
}

/** Selects the sessions to list. */
export interface SessionFilter {
  /** Only sessions of this account. */
  readonly accountId?: string | undefined
  /** Only live sessions. Ended sessions are kept until a day after their absolute end. */
  readonly live?: boolean | undefined
  /** The `next` of the previous page. */
  readonly before?: string | undefined
  /** The number of sessions in the page: 1 to 1,000, by default 100. */
  readonly limit?: number | undefined
}

/** A page of sessions, newest first. */
export interface SessionPage {
  readonly sessions: readonly SessionInfo[]
  /** Pass it as `before` to get the next page; undefined on the last page. */
  readonly next: string | undefined
}

/** Opens, lists and ends sessions, for embedding applications. */
export interface SessionManager {
  /** Begins a sign-in. Call it before the first proof, and spread the result into the options of `create`. */
  begin(): Promise<SignInAttempt>
  /** Opens a session for a person that the application authenticated itself; see {@link createSession}. */
  create(
    accountId: string,
    options: CreateSessionOptions,
  ): Promise<CreatedSession | SessionNotCreated>
  /** Lists sessions, newest first. Throws a `TypeError` if an argument is not valid. */
  list(filter?: SessionFilter): Promise<SessionPage>
  /**
   * Ends a session and revokes its tokens. `by` is the actor in the audit. The value is `unchanged` if the
   * session had already ended. The code is `session_unknown` if there is no such session.
   */
  end(sessionId: string, by: string): Promise<Managed<Change>>
}

/** Creates the manager of an authority's sessions. */
export function createSessionManager(services: SessionServices): SessionManager {
  const { store, clock } = services
  return {
    async begin() {
      const { position } = await store.revocations.head()
      return { position }
    },

    create: async (accountId, options) => createSession(services, accountId, options),

    async list(filter = {}) {
      assertOptions('sessions.list', filter, ['accountId', 'live', 'before', 'limit'])
      const { accountId, live = false, before, limit: wanted } = filter
      const limit = assertLimit(wanted)
      const found = await store.sessions.list({
        accountId,
        live,
        before: readCursor(before),
        limit: limit + 1,
      })
      const { rows, next } = cutPage(found, limit, ({ createdAt, id }) => `${createdAt}.${id}`)
      return { sessions: rows.map(describe), next }
    },

    async end(sessionId, by) {
      const context = { at: clock.nowMs(), actor: by }
      const change = await store.sessions.end(sessionId, { event: 'session_ended' }, context)
      return change === 'unknown'
        ? no('session_unknown', 'There is no session with this id.')
        : yes(change)
    },
  }
}

/** Copies each member by name, so that a new column of the row is not shown by accident. */
function describe(session: SessionSummary): SessionInfo {
  return {
    id: session.id,
    accountId: session.accountId,
    username: session.username,
    tenantId: session.tenantId,
    isLive: session.live,
    createdAt: session.createdAt,
    lastUsedAt: session.rotatedAt,
    expiresAt: session.expiresAt,
    endsAt: session.endsAt,
    endedAt: session.endedAt,
    authenticatedAt: session.authenticatedAt,
    amr: session.amr,
    acr: session.acr,
    address: session.address,
    userAgent: session.userAgent,
  }
}

function readCursor(
  before: string | undefined,
): { readonly createdAt: EpochMs; readonly id: string } | undefined {
  if (before === undefined) return undefined
  const cursor = typeof before === 'string' ? /^(\d{1,15})\.(.{1,64})$/.exec(before) : null
  const [, createdAt, id] = cursor ?? []
  if (createdAt === undefined || id === undefined) {
    throw new TypeError('before must be the next of an earlier page.')
  }
  return { createdAt: Number(createdAt), id }
}
