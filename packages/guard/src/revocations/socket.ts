import { FeedFault } from './feed-fault.ts'
import type { GuardMessage } from './messages.ts'

/** A message that is longer is not read: a snapshot comes in pages of some 200 kB. */
export const FEED_MESSAGE_CHARS_MAX = 32 * 1024 * 1024

/** How long a WebSocket may take to open, in milliseconds: below the 3 s of strict routes. */
const OPEN_MS = 2_500

/** A connection to the feed. */
export interface FeedSocket {
  /** Resolves when it is open; rejects with a `FeedFault` when it does not open. */
  readonly opened: Promise<void>
  send(message: GuardMessage): void
  /** Each message as text, until the connection ends. Throws a `FeedFault` when none comes for a while. */
  messages(silenceMs: number): AsyncIterable<string>
  close(): void
}

/** The feed of an authority that runs in the same process: no network, no service account. */
export interface FeedLine {
  /**
   * Connects a guard: 16 to 64 characters of base64url name it over all its connections. `message` is called
   * with each message of the authority, `ended` once when it says no more.
   */
  connect(
    guardId: string,
    receiver: { readonly message: (text: string) => void; readonly ended: () => void },
  ): { send(text: string): void; close(): void }
}

/** Who connects, and where to. */
export interface FeedAddress {
  /** The authority's URL, without a slash at its end. */
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  readonly guardId: string
}

/** The Authorization header (RFC 7617; both parts are encoded as RFC 6749 §2.3.1 says). */
export function basicAuthorization({ clientId, clientSecret }: FeedAddress): string {
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

/** Opens a connection with the WebSocket that Node has (22 or later). */
export function openFeedSocket(address: FeedAddress, signal: AbortSignal): FeedSocket {
  const url = `${address.url.replace(/^http/, 'ws')}/revocations/feed?guard=${address.guardId}`
  // Node's own takes headers, which the standard's does not: credentials have no place in a URL.
  const headers = { authorization: basicAuthorization(address) }
  const socket = new WebSocket(url, { headers })
  const queue = new MessageQueue()
  const close = (): void => socket.close()
  signal.addEventListener('abort', close)
  socket.addEventListener('message', ({ data }: { readonly data: unknown }) => {
    if (typeof data === 'string' && data.length <= FEED_MESSAGE_CHARS_MAX) queue.push(data)
    else queue.end(new FeedFault('feed_malformed'))
  })
  const opened = new Promise<void>((resolve, reject) => {
    // A proxy may swallow the opening without a word.
    const late = setTimeout(() => {
      reject(new FeedFault('feed_unreachable', { cause: 'the WebSocket does not open' }))
      socket.close()
    }, OPEN_MS)
    late.unref()
    socket.addEventListener('open', () => {
      clearTimeout(late)
      resolve()
    })
    socket.addEventListener('close', ({ code }) => {
      clearTimeout(late)
      signal.removeEventListener('abort', close)
      const fault = new FeedFault('feed_unreachable', { cause: `closed with ${code}` })
      queue.end(fault)
      reject(fault)
    })
    // Without a listener the error would be thrown; `close` follows it.
    socket.addEventListener('error', () => {})
  })
  return {
    opened,
    send: (message) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
    },
    messages: (silenceMs) => queue.read(silenceMs),
    close,
  }
}

/** Connects to an authority in this process. */
export function openFeedLine(line: FeedLine, guardId: string, signal: AbortSignal): FeedSocket {
  const queue = new MessageQueue()
  const ended = (): void => queue.end(new FeedFault('feed_unreachable', { cause: 'it is closed' }))
  const connection = line.connect(guardId, { message: (text) => queue.push(text), ended })
  const close = (): void => {
    signal.removeEventListener('abort', close)
    connection.close()
    ended()
  }
  signal.addEventListener('abort', close)
  return {
    opened: Promise.resolve(),
    send: (message) => connection.send(JSON.stringify(message)),
    messages: (silenceMs) => queue.read(silenceMs),
    close,
  }
}

/** Messages that have come and were not read yet. */
class MessageQueue {
  #texts: string[] = []
  #fault: FeedFault | undefined
  #wake: () => void = () => {}

  push(text: string): void {
    this.#texts.push(text)
    this.#wake()
  }

  end(fault: FeedFault): void {
    this.#fault ??= fault
    this.#wake()
  }

  async *read(silenceMs: number): AsyncIterable<string> {
    for (;;) {
      const texts = this.#texts
      this.#texts = []
      yield* texts
      if (this.#texts.length > 0) continue
      if (this.#fault !== undefined) throw this.#fault
      const isSilent = await this.#next(silenceMs)
      if (isSilent) throw new FeedFault('feed_silent')
    }
  }

  #next(silenceMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(true), silenceMs)
      timer.unref()
      this.#wake = () => {
        clearTimeout(timer)
        resolve(false)
      }
    })
  }
}
