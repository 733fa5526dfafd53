import type { FeedAccess, FeedReader } from '../../sessions/feed-access.ts'
import type { Caller, Refusal } from '../../sessions/services.ts'
import { readClientAuth } from '../oauth2/client-auth.ts'

/** Checks the Authorization header of a request for the feed. */
export type FeedAuthenticator = (
  authorization: string | null,
  caller: Caller,
) => Promise<FeedReader | Refusal>

/** Creates the check for readers of the feed: a service account in the Authorization header (RFC 7617). */
export function createFeedAuthenticator(access: FeedAccess): FeedAuthenticator {
  return async (authorization, caller) => {
    const auth = readClientAuth(authorization, { clientId: undefined, secret: undefined })
    return auth.ok ? access(auth.credentials, caller) : auth
  }
}

/** The challenge header of a 401 (RFC 9110 §11.6.1). */
export const BASIC_CHALLENGE = { 'www-authenticate': 'Basic realm="revocations", charset="UTF-8"' }
