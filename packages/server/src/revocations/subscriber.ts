import type { AuthorityMessage, LogHead } from '@countersign/guard/revocations'

/** A connection to a guard, over any transport. */
export interface FeedLink {
  /** Sends one message: JSON text as bytes. All guards get the same `Buffer`, so do not change it. */
  send(message: Buffer): void
  /** The number of bytes that wait to be sent. */
  readonly heldBackBytes: number
  /** Whether the service account of this connection may still use the feed. */
  readonly isAllowed: () => boolean
  /** Ends the connection. The guard may reconnect. */
  end(why: 'slow' | 'closing' | 'forbidden'): void
}

/**
 * The state of a connection. `greeting`: the guard has not sent its head yet. `behind`: older entries are
 * being sent. `live`: the guard gets each new batch. `unknown`: its copy has entries that this log does not
 * have.
 */
export type SubscriberState = 'greeting' | 'behind' | 'live' | 'unknown' | 'gone'

/** One connection of a guard to the feed. */
export class Subscriber {
  /** Identifies the guard across its connections. */
  readonly guard: string
  readonly link: FeedLink
  state: SubscriberState = 'greeting'
  /** The head up to which entries were sent. */
  sent: LogHead = { position: 0, chain: new Uint8Array() }
  /** Whether the guard's clock differs too much, so that this is reported once. */
  isClockOff = false
  /** The newest position that the guard has confirmed on this connection. */
  applied = 0
  /** Nonces that wait for an echo. */
  nonces: string[] = []
  /** Counts the restarts of this connection. Work from before a restart stops. */
  era = 0

  constructor(guard: string, link: FeedLink) {
    this.guard = guard
    this.link = link
  }
}

/** Encodes a message for sending. */
export function encodeMessage(message: AuthorityMessage): Buffer {
  return Buffer.from(JSON.stringify(message))
}
