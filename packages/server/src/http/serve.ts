import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

import { limits } from '../base/limits.ts'
import { whileStopping } from './public/health.ts'
import { openListeners, type Endpoint, type Listeners } from './listeners.ts'
import { inTurns, type Fetch } from './node-handler.ts'
import { isFeedRequest, type FeedSocket } from './revocations/feed-socket.ts'
import { Turns } from './turns.ts'

/** The handler and the address to listen on. */
export interface ServeOptions extends Endpoint {
  readonly fetch: Fetch
  /** The authority's `feed`, for guards that connect by WebSocket. */
  readonly feed?: FeedSocket | undefined
  /** How long an idle connection stays open, in milliseconds. Default 75 s. */
  readonly keepAliveMs?: number | undefined
}

/** A running server. */
export interface RunningServer {
  readonly port: number
  /**
   * Stops without dropping a request: for one second it still accepts connections, each answer ends its
   * connection, and `/readyz` answers 503, so that load balancers choose other nodes. Then it waits at most 25 s
   * for requests in flight.
   */
  close(): Promise<void>
}

/** Listens on a port. Throws a `SetupError` that names the port if it cannot. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { feed } = options
  const turns = new Turns()
  let isStopping = false
  const fetchLast = whileStopping(options.fetch)
  const server = createServer(
    {
      // Both count from the first byte of a request, so they do not end idle connections.
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: options.keepAliveMs ?? limits.keepAliveMs,
      maxHeaderSize: limits.headerBytesMax,
      // An upgrade on another path is ignored, and answered as HTTP (RFC 9110 §7.8).
      ...(feed === undefined ? {} : { shouldUpgradeCallback: isFeedRequest }),
    },
    inTurns(
      (request, context) => (isStopping ? fetchLast : options.fetch)(request, context),
      turns,
    ),
  )
  const open: Connections = new Map()
  server.on('connection', (socket: Socket) => {
    open.set(socket, performance.now())
    socket.once('close', () => open.delete(socket))
  })
  if (feed !== undefined) {
    server.on('upgrade', (incoming, socket, head) => {
      open.delete(incoming.socket)
      feed.upgrade(incoming, socket, head)
    })
  }
  const listeners = await openListeners(server, options)
  return {
    port: listeners.port,
    close: async () => {
      isStopping = true
      turns.endConnections()
      await untilLeft(open)
      feed?.close()
      await drain(server, listeners, open)
    },
  }
}

/** The open connections that are no WebSockets, and when each was opened, on the monotonic clock. */
type Connections = Map<Socket, number>

/**
 * Gives clients time to use their kept-alive connections once more. Closing an idle connection at once would
 * reset requests that are on their way. Without a connection, there is no request to wait for.
 */
async function untilLeft(open: Connections): Promise<void> {
  if (open.size > 0) await wait(limits.leaveMs)
}

/** Closes idle connections, and the others after their last answer. */
async function drain(server: Server, listeners: Listeners, open: Connections): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), limits.drainMs)
  const sweep = setInterval(() => {
    server.closeIdleConnections()
    closeSilent(open)
  }, 50)
  await listeners.close()
  clearTimeout(cut)
  clearInterval(sweep)
}

/**
 * Closes the connections that have not sent a byte. Browsers and load balancers open some in advance, and Node
 * does not count them as idle. The request of a new connection may still be on its way.
 */
function closeSilent(open: Connections): void {
  const before = performance.now() - limits.leaveMs
  for (const [socket, openedAt] of open) {
    if (socket.bytesRead === 0 && openedAt < before) socket.destroy()
  }
}
