import type { AddressInfo, Socket } from 'node:net'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

import { getRequestListener, type HttpBindings } from '@hono/node-server'

import { SetupError, messageOf } from '../base/faults.ts'
import { limits } from '../base/limits.ts'
import type { RequestContext } from './services.ts'
import { problemText } from './problem.ts'
import { isFeedRequest, type FeedSocket } from './revocations/feed-socket.ts'
import { POLL_PATH } from './revocations/poll.ts'

/** The handler and the address to listen on. */
export interface ServeOptions {
  readonly fetch: (request: Request, context: RequestContext) => Promise<Response>
  readonly port: number
  readonly host: string
  /** The authority's `feed`, for guards that connect by WebSocket. */
  readonly feed?: FeedSocket | undefined
}

/** A running server. */
export interface RunningServer {
  readonly port: number
  /** Accepts no new connections, and waits at most 25 s for requests in flight. */
  close(): Promise<void>
}

/** Listens on a port. Throws a `SetupError` that names the port if it cannot. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: 2_000,
      // Longer than the timeout of a proxy in front. Otherwise the proxy could write to a closed connection.
      keepAliveTimeout: 75_000,
      maxHeaderSize: limits.headerBytesMax,
      // An upgrade on another path is ignored, and answered as HTTP (RFC 9110 §7.8).
      ...(options.feed === undefined ? {} : { shouldUpgradeCallback: isFeedRequest }),
    },
    toNodeHandler(options.fetch),
  )
  const { feed } = options
  if (feed !== undefined) {
    server.on('upgrade', (incoming, socket, head) => feed.upgrade(incoming, socket, head))
  }
  const silent = trackSilent(server)
  await listen(server, options)
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      feed?.close()
      return drain(server, silent)
    },
  }
}

/**
 * Turns `authority.fetch` into a `node:http` handler, for Express and similar servers:
 * `app.all('/auth{/*rest}', handler)`. Do not mount it with `app.use(PATH, ...)`, which removes the path.
 * Mount it before body parsers: it throws if the body was read already.
 */
export function toNodeHandler(
  fetch: ServeOptions['fetch'],
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const answer = getRequestListener(
    (request, bindings) => fetch(request, { address: addressOf(bindings as HttpBindings) }),
    // Used if the Host header is missing. Some load balancers request /healthz with HTTP/1.0 and without
    // Host.
    { hostname: 'localhost' },
  )
  return (incoming, outgoing) => {
    if (incoming.readableDidRead) {
      throw new Error('The body was read already. Mount the authority before body parsers.')
    }
    if (hasOneSpelling(incoming.url ?? '')) {
      withBody(incoming, () => void answer(incoming, outgoing))
    } else {
      const { status, headers, text } = problemText('not_found')
      outgoing.writeHead(status, headers).end(text)
    }
  }
}

/**
 * Whether the path of a request target has only one spelling: no escapes, no empty or dotted segments, and no
 * fragment, which RFC 9112 §3.2 forbids. The adaptor would resolve or drop them. A second spelling of an
 * endpoint would then bypass the limits of a proxy that compares the raw path.
 */
function hasOneSpelling(target: string): boolean {
  const path = (target.split('?', 1)[0] ?? '').replace(/^[a-z][a-z\d+.-]*:\/\/[^/]*/i, '')
  return !/%|#|\\|\/\/|\/\.{1,2}(?:\/|$)/.test(path)
}

/**
 * Reads the body into `rawBody` before the request is passed on. The adaptor then makes no web stream, which
 * saves a third of the time of a small POST. A body that is too long is cut just after the limit, so the
 * handler sees that it is too long and no more is read into memory.
 */
function withBody(incoming: IncomingMessage, next: () => void): void {
  const hasNone = incoming.method === 'GET' || incoming.method === 'HEAD'
  // Entries that guards hand back may be long. The handler reads them after it has authenticated the guard.
  if (incoming.url === POLL_PATH) return next()
  // A body whose Content-Length is too large is refused without reading it.
  if (hasNone || Number(incoming.headers['content-length']) > limits.bodyBytesMax) return next()
  const chunks: Buffer[] = []
  let length = 0
  const take = (chunk: Buffer): void => {
    chunks.push(chunk)
    length += chunk.length
    if (length > limits.bodyBytesMax) end()
  }
  const end = (): void => {
    incoming.off('data', take).off('end', end)
    const [first = Buffer.alloc(0)] = chunks
    Object.assign(incoming, { rawBody: chunks.length < 2 ? first : Buffer.concat(chunks, length) })
    next()
  }
  // A client that disconnects before the end of the body gets no answer.
  incoming.on('data', take).once('end', end)
}

function addressOf({ incoming }: HttpBindings): string {
  const address = incoming.socket.remoteAddress ?? ''
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

function listen(server: Server, { port, host }: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new SetupError(whyNotListening(error, port, host), { cause: error })),
    )
    server.listen(port, host, resolve)
  })
}

function whyNotListening(error: NodeJS.ErrnoException, port: number, host: string): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} on ${host} is used by another program. Stop that program, or set PORT to another port.`
    case 'EACCES':
      return `This user is not allowed to open port ${port} on ${host}. Set PORT to a port above 1023.`
    default:
      return `The server cannot listen on ${host}:${port}: ${messageOf(error)}. Check HOST and PORT.`
  }
}

/**
 * Tracks the connections that have not sent a byte. Browsers and load balancers open some in advance.
 * Node does not count them as idle, so they would delay the shutdown.
 */
function trackSilent(server: Server): () => readonly Socket[] {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return () => [...open].filter((socket) => socket.bytesRead === 0)
}

function drain(server: Server, silent: () => readonly Socket[]): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), limits.drainMs)
    // A kept-alive connection becomes idle after its last answer was sent.
    const sweep = setInterval(() => server.closeIdleConnections(), 50)
    server.close(() => {
      clearTimeout(cut)
      clearInterval(sweep)
      resolve()
    })
    for (const socket of silent()) socket.destroy()
  })
}
