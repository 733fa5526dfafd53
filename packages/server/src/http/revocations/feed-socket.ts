import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

import type { Logger } from 'pino'
import type { FeedLine } from '@countersign/guard'
import { readGuardMessage } from '@countersign/guard/revocations'
import type { RawData, WebSocket, WebSocketServer } from 'ws'

import { messageOf } from '../../base/faults.ts'
import { limits } from '../../base/limits.ts'
import type { RefusalCode } from '../../base/refusals.ts'
import type { FeedHub } from '../../revocations/hub.ts'
import { isLongText, parseLongJson } from '../../revocations/long-message.ts'
import type { FeedLink, Subscriber } from '../../revocations/subscriber.ts'
import type { Caller } from '../../sessions/services.ts'
import { leaveUpgrade } from '../foreign-upgrade.ts'
import { problemText } from '../problem.ts'
import { BASIC_CHALLENGE, type FeedAuthenticator } from './feed-authentication.ts'
import { guardName, readGuardId } from './guard-name.ts'

/** Used as the id of the service account for guards in this process. */
const INSIDE = 'inside'

/** The path at which guards connect. */
export const FEED_PATH = '/revocations/feed'

/** Whether a request is a WebSocket upgrade on the path of the feed. */
export function isFeedRequest({ url, headers }: IncomingMessage): boolean {
  return url?.split('?', 1)[0] === FEED_PATH && headers.upgrade?.toLowerCase() === 'websocket'
}

/** WebSocket close codes (RFC 6455 §7.4, IANA registry). */
const CLOSE_CODES = { closing: 1001, malformed: 1008, forbidden: 1008, slow: 1013 } as const

/** The feed over WebSockets for a Node HTTP server, and for guards in this process. */
export interface FeedSocket extends FeedLine {
  /**
   * Handles an upgrade (RFC 9110 §7.8). Call it for the server's `upgrade` event, or use `authority.attach`. Other
   * upgrades are left to the server's other listeners. If no listener begins to read the socket, the request is
   * answered over HTTP/1.1: at once if there is no other listener or the client offers HTTP/2, otherwise after 10 s.
   */
  readonly upgrade: (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Closes all connections. Guards reconnect when the server runs again. */
  close(): void
}

/** Dependencies of the feed's WebSockets. */
export interface FeedSocketOptions {
  readonly hub: FeedHub
  readonly authenticate: FeedAuthenticator
  readonly callerOf: (incoming: IncomingMessage) => Caller
  readonly logger: Logger
}

/**
 * Creates the WebSocket side of the feed. Messages are not compressed: signatures and hashes do not shrink.
 */
export function createFeedSocket({
  hub,
  authenticate,
  callerOf,
  logger,
}: FeedSocketOptions): FeedSocket {
  let opened: WebSocketServer | undefined
  let isClosed = false

  // The first guard that connects loads the library. A server without guards does not need it to start.
  async function openServer(): Promise<WebSocketServer> {
    const { WebSocketServer: Server } = await import('ws')
    opened ??= new Server({
      noServer: true,
      maxPayload: limits.feedMessageBytesMax,
      perMessageDeflate: false,
      clientTracking: true,
    })
    return opened
  }

  async function accept(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const url = new URL(incoming.url ?? '', 'http://localhost')
    const guard = readGuardId(url.searchParams.get('guard'))
    if (guard === undefined) return refuse(socket, 'fields_invalid')
    const authorization = incoming.headers.authorization ?? null
    const client = await authenticate(authorization, callerOf(incoming))
    if (!client.ok) return refuse(socket, client.code, client.retryAfterSec)
    const server = await openServer()
    if (isClosed) return refuse(socket, 'store_unavailable')
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
      const text = textOf(data)
      const isRead = isLongText(text)
        ? await takeLong(subscriber, text)
        : await hub.receive(subscriber, text)
      if (!isRead) connection.close(CLOSE_CODES.malformed)
    } catch (error) {
      // The store cannot be read, so there is no echo. The guard's lease expires, and it reconnects.
      logger.error({ event: 'feed_failed', error: messageOf(error) })
      connection.close(CLOSE_CODES.slow)
    }
  }

  async function takeLong(subscriber: Subscriber, text: string): Promise<boolean> {
    const message = readGuardMessage(await parseLongJson(text, BATCH_DEPTH))
    if (message !== undefined) await hub.take(subscriber, message)
    return message !== undefined
  }

  return {
    connect(guardId, { message, ended }) {
      // After the authority was closed, a guard keeps reconnecting, as it would over a network.
      if (isClosed) {
        queueMicrotask(ended)
        return { send: () => {}, close: () => {} }
      }
      const link: FeedLink = {
        // A guard in the authority's own process needs no service account.
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
      // Node no longer handles this socket: an error without a listener would end the process.
      socket.on('error', () => socket.destroy())
      // The application's own server may have other WebSockets with their own listeners.
      if (!isFeedRequest(incoming)) return leaveUpgrade(incoming, incoming.socket, head)
      accept(incoming, socket, head).catch((error: unknown) => {
        logger.error({ event: 'feed_failed', error: messageOf(error) })
        refuse(socket, 'store_unavailable')
      })
    },
    close() {
      isClosed = true
      for (const connection of opened?.clients ?? []) connection.close(CLOSE_CODES.closing)
      setTimeout(() => {
        for (const connection of opened?.clients ?? []) connection.terminate()
      }, CLOSE_WAIT_MS).unref()
    },
  }
}

const CLOSE_WAIT_MS = 1_000
/** The depth of a batch in a message: in the list of batches, in the object of the message. */
const BATCH_DEPTH = 3

function linkOf(connection: WebSocket, isAllowed: () => boolean): FeedLink {
  return {
    isAllowed,
    // Sent as a text frame, although the message is bytes. All guards get the same bytes.
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

/** Refuses an upgrade with a problem document, as other routes do. */
function refuse(socket: Duplex, code: RefusalCode, retryAfterSec?: number): void {
  const { status, headers, text } = problemText(code)
  const all = {
    ...headers,
    ...(status === 401 ? BASIC_CHALLENGE : {}),
    ...(retryAfterSec === undefined ? {} : { 'retry-after': String(retryAfterSec) }),
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }
  // This socket is no longer a connection of the HTTP server, so nothing else ends it.
  socket.once('finish', () => socket.destroy())
  setTimeout(() => socket.destroy(), CLOSE_WAIT_MS).unref()
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}\r\n${text}`)
}
