import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import { FeedFault } from './feed-fault.ts'
import type { GuardMessage } from './messages.ts'

/** The longest message that is read, in characters. A snapshot comes in pages of about 200 kB. */
export const FEED_MESSAGE_CHARS_MAX = 32 * 1024 * 1024

/** How long a WebSocket may take to open, in milliseconds. This is below the 3 s of strict routes. */
const OPEN_MS = 2_500

/** How long the other side may take to answer the end of a WebSocket, in milliseconds. */
const CLOSE_MS = 1_000

/** An open connection to the feed. */
export interface FeedSocket {
  /** Resolves when the connection is open. Rejects with a `FeedFault` if it does not open. */
  readonly opened: Promise<void>
  send(message: GuardMessage): void
  /**
   * Yields each message as text until the connection ends. Throws a `FeedFault` if none arrives for
   * `silenceMs`, which is called for each wait.
   */
  messages(silenceMs: () => number): AsyncIterable<string>
  close(): void
}

/** The feed of an authority in the same process: no network and no service account. */
export interface FeedLine {
  /**
   * Connects a guard. `guardId`, 16 to 64 characters of base64url, identifies the guard across its
   * connections. `message` is called with each message of the authority. `ended` is called once, after the
   * last message.
   */
  connect(
    guardId: string,
    receiver: { readonly message: (text: string) => void; readonly ended: () => void },
  ): { send(text: string): void; close(): void }
}

/** The address of the authority and the credentials of the guard. */
export interface FeedAddress {
  /** The authority's URL, without a trailing slash. */
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  readonly guardId: string
}

/** Returns the Authorization header (RFC 7617). Both parts are encoded as RFC 6749 §2.3.1 requires. */
export function basicAuthorization({ clientId, clientSecret }: FeedAddress): string {
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

/** Opens a connection with Node's WebSocket (22 or later). */
export function openFeedSocket(address: FeedAddress, signal: AbortSignal): FeedSocket {
  const path = `/revocations/feed?guard=${address.guardId}`
  const url = `${address.url.replace(/^http/, 'ws')}${path}`
  const connection = watchConnection(path)
  // Node's WebSocket accepts headers, which the standard's does not. Credentials must not be in a URL.
  const headers = { authorization: basicAuthorization(address) }
  const socket = new WebSocket(url, { headers })
  const queue = new MessageQueue()
  const close = (): void => {
    socket.close()
    // A peer that has vanished never answers. Its connection would stay open and keep the process alive.
    setTimeout(connection.destroy, CLOSE_MS).unref()
  }
  signal.addEventListener('abort', close)
  socket.addEventListener('message', ({ data }: { readonly data: unknown }) => {
    if (typeof data === 'string' && data.length <= FEED_MESSAGE_CHARS_MAX) queue.push(data)
    else queue.end(new FeedFault('feed_malformed'))
  })
  const opened = new Promise<void>((resolve, reject) => {
    // A proxy may drop the opening request without an answer.
    const late = setTimeout(() => {
      reject(new FeedFault('feed_unreachable', { cause: 'the WebSocket did not open' }))
      close()
    }, OPEN_MS)
    late.unref()
    socket.addEventListener('open', () => {
      clearTimeout(late)
      connection.found()
      resolve()
    })
    socket.addEventListener('close', ({ code }) => {
      clearTimeout(late)
      connection.found()
      signal.removeEventListener('abort', close)
      const fault = new FeedFault('feed_unreachable', { cause: `closed with ${code}` })
      queue.end(fault)
      reject(fault)
    })
    // Without a listener the error would be thrown. A `close` event follows it.
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

/**
 * Finds the TCP connection of the WebSocket that is opened next for this path, which no other request has.
 * Node's WebSocket has no method that ends it without the peer. Call `found` when the WebSocket is open or has
 * ended.
 */
function watchConnection(path: string): {
  readonly found: () => void
  readonly destroy: () => void
} {
  let connection: { destroy(): void } | undefined
  const note = (message: unknown): void => {
    const { request, socket } = message as SentHeaders
    if (request.path.endsWith(path)) connection = socket
  }
  subscribe(SENT_HEADERS, note)
  return {
    found: () => void unsubscribe(SENT_HEADERS, note),
    destroy: () => connection?.destroy(),
  }
}

/** Published by Node's HTTP client, which also opens its WebSockets. */
const SENT_HEADERS = 'undici:client:sendHeaders'
interface SentHeaders {
  readonly request: { readonly path: string }
  readonly socket: { destroy(): void }
}

/** Connects to an authority in the same process. */
export function openFeedLine(line: FeedLine, guardId: string, signal: AbortSignal): FeedSocket {
  const queue = new MessageQueue()
  const ended = (): void =>
    queue.end(new FeedFault('feed_unreachable', { cause: 'the connection is closed' }))
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

/** Received messages that were not read yet. */
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

  async *read(silenceMs: () => number): AsyncIterable<string> {
    for (;;) {
      const texts = this.#texts
      this.#texts = []
      yield* texts
      if (this.#texts.length > 0) continue
      if (this.#fault !== undefined) throw this.#fault
      const isSilent = await this.#next(silenceMs())
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
