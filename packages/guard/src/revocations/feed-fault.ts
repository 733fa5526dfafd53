import { withReason } from '../errors.ts'
import type { FeedFaultCode } from './feed.ts'

/** Why the feed is not connected. `FeedFault.needsOperator` tells which faults need an operator. */
export type FeedConnectionFaultCode =
  | FeedFaultCode
  | 'feed_unreachable'
  | 'feed_unauthorized'
  | 'feed_forbidden'
  | 'feed_throttled'
  | 'feed_refused'
  | 'feed_silent'
  | 'feed_clock_differs'

const TEXTS: Readonly<Record<FeedConnectionFaultCode, string>> = {
  feed_unreachable: 'The revocation feed cannot be reached.',
  feed_unauthorized:
    'The service account or its secret is wrong, or the account is disabled. Check feed.clientId and feed.clientSecret.',
  feed_forbidden:
    'This service account cannot use the revocation feed because it is bound to a tenant. Use a service account without a tenant.',
  feed_throttled:
    'The authority blocks further attempts from this address for a while, because too many have failed. Check feed.clientId and feed.clientSecret, and that the service account is not disabled.',
  feed_refused: 'The authority refused the revocation feed.',
  feed_silent: 'The authority stopped answering on the revocation feed.',
  feed_clock_differs:
    'The clocks of this service and of the authority differ too much. Synchronize both with NTP.',
  feed_malformed: 'The revocation feed sent a message that cannot be read.',
  feed_keys_missing: 'The revocation feed sent entries before any key.',
  feed_batch_refused: 'A batch of the revocation feed was not signed by a key of the authority.',
  feed_issuer_differs:
    'The authority at this address has another issuer. Set issuer to exactly its COUNTERSIGN_PUBLIC_URL, and feed.url to the address where this service reaches it.',
  feed_batch_gap: "A batch of the revocation feed does not follow this guard's copy of the log.",
  feed_chain_differs: 'A batch of the revocation feed belongs to another log.',
  feed_went_backwards: "The log of the authority ends before this guard's copy of the log.",
}

/** A connection to the feed that failed or was closed. The guard retries automatically. */
export class FeedFault extends Error {
  override readonly name = 'FeedFault'
  readonly code: FeedConnectionFaultCode
  /** How many milliseconds the authority demands before a retry; 0 if it sent no wait. */
  readonly retryAfterMs: number

  constructor(
    code: FeedConnectionFaultCode,
    { retryAfterMs = 0, ...options }: ErrorOptions & { readonly retryAfterMs?: number } = {},
  ) {
    super(withReason(TEXTS[code], options.cause), options)
    this.code = code
    this.retryAfterMs = retryAfterMs
  }

  /** Whether only an operator can fix the cause: an option or a service account is wrong. */
  get needsOperator(): boolean {
    return NEEDS_OPERATOR.has(this.code)
  }
}

const NEEDS_OPERATOR: ReadonlySet<FeedConnectionFaultCode> = new Set([
  'feed_unauthorized',
  'feed_forbidden',
  'feed_throttled',
  'feed_issuer_differs',
  'feed_clock_differs',
])
