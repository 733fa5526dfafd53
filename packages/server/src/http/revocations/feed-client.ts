import { createHash } from 'node:crypto'

import type { RefusalCode } from '../../base/refusals.ts'
import type { FeedHub } from '../../revocations/hub.ts'
import { proveClient } from '../../sessions/client-credentials.ts'
import type { Caller, SessionServices } from '../../sessions/services.ts'
import { readClientAuth } from '../oauth2/client-auth.ts'

/** The service account behind a guard, or why it may not have the feed. */
export type FeedClient =
  | {
      readonly ok: true
      readonly clientId: string
      /** Whether the service account still stands, as far as the log tells. */
      readonly isAllowed: () => boolean
    }
  | { readonly ok: false; readonly code: RefusalCode; readonly retryAfterSec?: number }

/** Checks an Authorization header. */
export type FeedAuthenticator = (
  authorization: string | null,
  caller: Caller,
) => Promise<FeedClient>

/** How long a header that was found right is known again. Guards that poll send it every second. */
const KNOWN_MS = 60_000
const KNOWN_MAX = 10_000

/**
 * Makes the check of who wants the feed: a service account with its secret in the Authorization header
 * (RFC 7617), not an access token, which the feed would take back under its own reader. One that is
 * bound to a tenant may not know of the others.
 */
export function createFeedAuthenticator(
  sessions: SessionServices,
  hub: FeedHub,
): FeedAuthenticator {
  const known = new Map<string, { readonly client: FeedClient & { ok: true }; until: number }>()

  return async (authorization, caller) => {
    // A hash: the header itself is a secret, and does not stay in memory.
    const key = createHash('sha256')
      .update(authorization ?? '')
      .digest('base64url')
    const now = sessions.clock.nowMs()
    const seen = known.get(key)
    if (seen !== undefined && now < seen.until && seen.client.isAllowed()) return seen.client
    known.delete(key)
    const client = await prove(authorization, caller)
    if (!client.ok) return client
    const [oldest] = known.keys()
    if (known.size >= KNOWN_MAX && oldest !== undefined) known.delete(oldest)
    known.set(key, { client, until: now + KNOWN_MS })
    return client
  }

  async function prove(authorization: string | null, caller: Caller): Promise<FeedClient> {
    const auth = readClientAuth(authorization, { clientId: undefined, secret: undefined })
    if (!auth.ok) return auth
    const proven = await proveClient(sessions, auth.credentials, caller, (each) => each)
    if (!proven.ok) return proven
    const { id, tenantId } = proven.client
    if (tenantId !== undefined) return { ok: false, code: 'feed_forbidden' }
    // Disabled, or a secret removed: both are entries of this client.
    const limit = proven.position * 2 + 1
    return { ok: true, clientId: id, isAllowed: () => hub.log.find('client', id) <= limit }
  }
}

/** What a 401 says: how to authenticate (RFC 9110 §11.6.1). */
export const BASIC_CHALLENGE = { 'www-authenticate': 'Basic realm="revocations", charset="UTF-8"' }
