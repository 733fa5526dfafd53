import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

import type { Logger } from 'pino'
import type { FeedLine } from '@countersign/guard'
import { WebSocketServer, type RawData, type WebSocket } from 'ws'

import { messageOf } from '../../base/faults.ts'
import { limits } from '../../base/limits.ts'
import type { RefusalCode } from '../../base/refusals.ts'
import type { FeedHub } from '../../revocations/hub.ts'
import type { FeedLink, Subscriber } from '../../revocations/subscriber.ts'
import type { Caller } from '../../sessions/services.ts'
import { problemText } from '../problem.ts'
import { BASIC_CHALLENGE, type FeedAuthenticator } from './feed-authentication.ts'
import { guardName, readGuardId } from './guard-name.ts'

/** In the place of a service account's id, for guards in this process. */
const INSIDE = 'inside'

/** Where guards connect. */
export const FEED_PATH = '/revocations/feed'

/** Whether a request wants to be a connection of the feed. */
export function isFeedRequest({ url, headers }: IncomingMessage): boolean {
  return url?.split('?', 1)[0] === FEED_PATH && headers.upgrade?.toLowerCase() === 'websocket'
}

/** WebSocket close codes (RFC 6455 §7.4, IANA registry). */
const CLOSE_CODES = { closing: 1001, malformed: 1008, forbidden: 1008, slow: 1013 } as const

/** The feed over WebSockets, for a server of Node's, and for guards in this process. */
export interface FeedSocket extends FeedLine {
  /**
   * Takes an upgrade (RFC 9110 §7.8): to be called for the server's `upgrade` event. One to something else is left
   * to the server's other listeners, and ended when none of them has begun to read it within 10 s.
   */
  readonly upgrade: (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Ends all connections: guards come back to whoever serves then. */
  close(): void
}

export interface FeedSocketOptions {
  readonly hub: FeedHub
  readonly authenticate: FeedAuthenticator
  readonly callerOf: (incoming: IncomingMessage) => Caller
  readonly logger: Logger
}

/** Makes the socket side of the feed. Nothing of it is compressed: signatures and hashes do not shrink. */
export function createFeedSocket({
  hub,
  authenticate,
  callerOf,
  logger,
}: FeedSocketOptions): FeedSocket {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: limits.feedMessageBytesMax,
    perMessageDeflate: false,
    clientTracking: true,
  })

  async function accept(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const url = new URL(incoming.url ?? '', 'http://localhost')
    const guard = readGuardId(url.searchParams.get('guard'))
    if (guard === undefined) return refuse(socket, 'fields_invalid')
    const authorization = incoming.headers.authorization ?? null
    const client = await authenticate(authorization, callerOf(incoming))
    if (!client.ok) return refuse(socket, client.code, client.retryAfterSec)
    server.handleUpgrade(incoming, socket, head, (connection) => {
      serve(connection, guardName(client.clientId, guard), client.isAllowed)
    })
  }

  function serve(connection: WebSocket, guard: string, isAllowed: () => boolean): void {
    const subscriber = hub.connect(guard, linkOf(connection, isAllowed))
    const silence = setTimeout(() => connection.terminate(), limits.feedSilenceMs)
    connection.on('message', (data, isBinary) => {
      silence.refresh()
      if (isBinary) connection.close(CLOSE_CODES.malformed)
      else void take(connection, subscriber, data)
    })
    connection.on('error', () => connection.terminate())
    connection.once('close', () => {
      clearTimeout(silence)
      hub.disconnect(subscriber)
    })
  }

  async function take(connection: WebSocket, subscriber: Subscriber, data: RawData): Promise<void> {
    try {
      const isRead = await hub.receive(subscriber, textOf(data))
      if (!isRead) connection.close(CLOSE_CODES.malformed)
    } catch (error) {
      // The store cannot be read: no echo, so the guard's lease runs out, and it tries again.
      logger.error({ event: 'feed_failed', error: messageOf(error) })
      connection.close(CLOSE_CODES.slow)
    }
  }

  let isClosed = false
  return {
    connect(guardId, { message, ended }) {
      // After the authority was closed, a guard tries on like one behind a network.
      if (isClosed) {
        queueMicrotask(ended)
        return { send: () => {}, close: () => {} }
      }
      const link: FeedLink = {
        // Whoever runs the authority needs nobody's leave.
        isAllowed: () => !isClosed,
        send: (bytes) => message(bytes.toString()),
        heldBackBytes: 0,
        end: ended,
      }
      const subscriber = hub.connect(guardName(INSIDE, guardId), link)
      return {
        send(text) {
          hub.receive(subscriber, text).catch((error: unknown) => {
            logger.error({ event: 'feed_failed', error: messageOf(error) })
            ended()
          })
        },
        close: () => hub.disconnect(subscriber),
      }
    },
    upgrade(incoming, socket, head) {
      // Node has let go of this socket: an error that nobody hears of would end the process.
      socket.on('error', () => socket.destroy())
      // A server of the application's own may have other WebSockets: they are for whoever serves them.
      if (!isFeedRequest(incoming)) {
        setTimeout(() => {
          if (isUnclaimed(socket)) refuse(socket, 'not_found')
        }, UNCLAIMED_MS).unref()
        return
      }
      accept(incoming, socket, head).catch((error: unknown) => {
        logger.error({ event: 'feed_failed', error: messageOf(error) })
        refuse(socket, 'store_unavailable')
      })
    },
    close() {
      isClosed = true
      for (const connection of server.clients) connection.close(CLOSE_CODES.closing)
      setTimeout(() => {
        for (const connection of server.clients) connection.terminate()
      }, CLOSE_WAIT_MS).unref()
    },
  }
}

const CLOSE_WAIT_MS = 1_000
/** How long an upgrade to something else may wait for somebody who serves it, in milliseconds. */
const UNCLAIMED_MS = 10_000

function isUnclaimed(socket: Duplex): boolean {
  return socket.listenerCount('data') === 0 && socket.listenerCount('readable') === 0
}

function linkOf(connection: WebSocket, isAllowed: () => boolean): FeedLink {
  return {
    isAllowed,
    // As text, though it is bytes already: the same ones go to every guard.
    send: (message) => connection.send(message, { binary: false }),
    get heldBackBytes() {
      return connection.bufferedAmount
    },
    end: (why) => connection.close(CLOSE_CODES[why]),
  }
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString()
  return (data instanceof ArrayBuffer ? Buffer.from(data) : data).toString()
}

/** Answers an upgrade with a problem document, as every other request is. */
function refuse(socket: Duplex, code: RefusalCode, retryAfterSec?: number): void {
  const { status, headers, text } = problemText(code)
  const all = {
    ...headers,
    ...(status === 401 ? BASIC_CHALLENGE : {}),
    ...(retryAfterSec === undefined ? {} : { 'retry-after': String(retryAfterSec) }),
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }
  // Nobody else ends this socket: it is no connection of the HTTP server any more.
  socket.once('finish', () => socket.destroy())
  setTimeout(() => socket.destroy(), CLOSE_WAIT_MS).unref()
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}\r\n${text}`)
}
