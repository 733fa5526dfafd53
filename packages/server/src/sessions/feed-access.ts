import { createHash } from 'node:crypto'

import type { FeedHub } from '../revocations/hub.ts'
import { proveClient, type ClientCredentials } from './client-credentials.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'

/** A service account that may read the revocation feed. */
export interface FeedReader {
  readonly ok: true
  readonly clientId: string
  /** Whether the log shows that the service account and its secret are still valid. */
  readonly isAllowed: () => boolean
}

/** Checks the credentials of a service account that asks for the revocation feed. */
export type FeedAccess = (
  credentials: ClientCredentials,
  caller: Caller,
) => Promise<FeedReader | Refusal>

// Guards that poll authenticate every second. Correct credentials are not checked again for this long.
const KNOWN_MS = 60_000
const KNOWN_MAX = 10_000

/**
 * Creates the check for readers of the feed. It requires a service account with its secret, not an access
 * token, because the feed itself could revoke that token during the connection. A service account that is
 * bound to a tenant gets `feed_forbidden`, because the feed covers all tenants.
 */
export function createFeedAccess(services: SessionServices, hub: FeedHub): FeedAccess {
  const known = new Map<string, { readonly reader: FeedReader; readonly until: number }>()

  return async (credentials, caller) => {
    const key = cacheKey(credentials)
    const now = services.clock.nowMs()
    const seen = known.get(key)
    if (seen !== undefined && now < seen.until && seen.reader.isAllowed()) return seen.reader
    known.delete(key)
    const reader = await prove(credentials, caller)
    if (!reader.ok) return reader
    const [oldest] = known.keys()
    if (known.size >= KNOWN_MAX && oldest !== undefined) known.delete(oldest)
    known.set(key, { reader, until: now + KNOWN_MS })
    return reader
  }

  async function prove(
    credentials: ClientCredentials,
    caller: Caller,
  ): Promise<FeedReader | Refusal> {
    const proven = await proveClient(services, credentials, caller, (each) => each)
    if (!proven.ok) return proven
    const { id, tenantId } = proven.client
    if (tenantId !== undefined) return refuse('feed_forbidden')
    // Disabling the client and removing a secret each write an entry for this client. `find` returns twice
    // the position, plus one for a hard entry.
    const limit = proven.position * 2 + 1
    return { ok: true, clientId: id, isAllowed: () => hub.log.find('client', id) <= limit }
  }
}

/** Returns a hash, because the secret must not stay in memory. JSON keeps the two values separate. */
function cacheKey({ clientId, secret }: ClientCredentials): string {
  return createHash('sha256')
    .update(JSON.stringify([clientId, secret]))
    .digest('base64url')
}
