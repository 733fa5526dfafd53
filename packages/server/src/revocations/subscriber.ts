import type { AuthorityMessage, LogHead } from '@countersign/guard/revocations'

/** A connection to a guard, whatever carries it. */
export interface FeedLink {
  /** One message: JSON text as bytes, the same ones for all guards where it is the same message. */
  send(message: Buffer): void
  /** Bytes that wait to be sent. */
  readonly heldBackBytes: number
  /** Whether whoever is behind it may still have the feed. */
  readonly isAllowed: () => boolean
  /** Ends the connection; the guard may come back. */
  end(why: 'slow' | 'closing' | 'forbidden'): void
}

/**
 * How far a guard has been served: `greeting` until it says what it holds, `behind` while older entries
 * are sent, `live` when each new batch goes to it, `unknown` while it holds what this log does not have.
 */
export type SubscriberState = 'greeting' | 'behind' | 'live' | 'unknown' | 'gone'

/** One connection of a guard to the feed. */
export class Subscriber {
  /** Names the guard over all its connections. */
  readonly guard: string
  readonly link: FeedLink
  state: SubscriberState = 'greeting'
  /** Up to where it was sent entries. */
  sent: LogHead = { position: 0, chain: new Uint8Array() }
  /** Nonces that wait for an echo. */
  nonces: string[] = []
  /** Counts what it was begun anew with: work for an earlier one stops. */
  era = 0

  constructor(guard: string, link: FeedLink) {
    this.guard = guard
    this.link = link
  }

  send(message: AuthorityMessage): void {
    this.link.send(encodeMessage(message))
  }
}

/** A message as it goes out. */
export function encodeMessage(message: AuthorityMessage): Buffer {
  return Buffer.from(JSON.stringify(message))
}
