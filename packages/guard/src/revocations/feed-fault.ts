import { withReason } from '../errors.ts'
import type { FeedFaultCode } from './feed.ts'

/** Why the feed is not connected: see `FeedFault.needsOperator` for those that do not mend themselves. */
export type FeedConnectionFaultCode =
  | FeedFaultCode
  | 'feed_unreachable'
  | 'feed_unauthorized'
  | 'feed_forbidden'
  | 'feed_throttled'
  | 'feed_refused'
  | 'feed_silent'

const TEXTS: Readonly<Record<FeedConnectionFaultCode, string>> = {
  feed_unreachable: 'The revocation feed cannot be reached.',
  feed_unauthorized:
    'The authority does not know this service account or its secret, or has disabled it. Check feed.clientId and feed.clientSecret.',
  feed_forbidden:
    'This service account may not have the revocation feed: it is bound to a tenant. Use one that is not.',
  feed_throttled:
    'The authority takes no more tries from here for now: too many have failed. Check feed.clientId and feed.clientSecret, and that the service account is not disabled.',
  feed_refused: 'The authority refuses the revocation feed.',
  feed_silent: 'The authority has not answered for too long.',
  feed_malformed: 'The revocation feed sent something that cannot be read.',
  feed_keys_missing: 'The revocation feed sent entries before any key.',
  feed_batch_refused: 'A batch of the revocation feed is not signed by a key of the authority.',
  feed_issuer_differs:
    'The authority at this address is another issuer. The option issuer must be its COUNTERSIGN_PUBLIC_URL, letter by letter; where it is reached is feed.url.',
  feed_batch_gap: 'A batch of the revocation feed does not follow what is held.',
  feed_chain_differs: 'A batch of the revocation feed belongs to another history.',
  feed_went_backwards: 'The authority offers a log that ends before the one that is held.',
}

/** A connection to the feed that failed or was given up. It is tried again by itself. */
export class FeedFault extends Error {
  override readonly name = 'FeedFault'
  readonly code: FeedConnectionFaultCode
  /** When the authority said that it is worth trying again, in milliseconds from then; else 0. */
  readonly retryAfterMs: number

  constructor(
    code: FeedConnectionFaultCode,
    { retryAfterMs = 0, ...options }: ErrorOptions & { readonly retryAfterMs?: number } = {},
  ) {
    super(withReason(TEXTS[code], options.cause), options)
    this.code = code
    this.retryAfterMs = retryAfterMs
  }

  /** Whether waiting does not mend it: an option or a service account is wrong. */
  get needsOperator(): boolean {
    return NEEDS_OPERATOR.has(this.code)
  }
}

const NEEDS_OPERATOR: ReadonlySet<FeedConnectionFaultCode> = new Set([
  'feed_unauthorized',
  'feed_forbidden',
  'feed_throttled',
  'feed_issuer_differs',
])
