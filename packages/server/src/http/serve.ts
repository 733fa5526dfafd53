import type { AddressInfo, Socket } from 'node:net'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

import { getRequestListener, type HttpBindings } from '@hono/node-server'

import { SetupError, messageOf } from '../base/faults.ts'
import { limits } from '../base/limits.ts'
import type { RequestContext } from './services.ts'
import { problemText } from './problem.ts'
import { isFeedRequest, type FeedSocket } from './revocations/feed-socket.ts'
import { POLL_PATH } from './revocations/poll.ts'

export interface ServeOptions {
  readonly fetch: (request: Request, context: RequestContext) => Promise<Response>
  readonly port: number
  readonly host: string
  /** The authority's `feed`: guards connect to it by WebSocket. */
  readonly feed?: FeedSocket | undefined
}

export interface RunningServer {
  readonly port: number
  /** Takes no new connections, lets requests in flight end, for at most 25 s. */
  close(): Promise<void>
}

/** Listens. Throws a `SetupError` that names the port when that cannot be done. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: 75_000, // longer than a proxy's in front, so that it never writes into a closed one
      maxHeaderSize: limits.headerBytesMax,
      // Whoever asks for another protocol elsewhere is answered in this one (RFC 9110 §7.8).
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
 * The authority as a handler of Node's, for Express and its like: `app.all('/auth{/*rest}', handler)`. Not
 * under `app.use(PATH, ...)`, which cuts the path off, and before anything that reads bodies: throws where
 * the body was read already.
 */
export function toNodeHandler(
  fetch: ServeOptions['fetch'],
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const answer = getRequestListener(
    (request, bindings) => fetch(request, { address: addressOf(bindings as HttpBindings) }),
    // Stands in for the Host that HTTP/1.0 may leave out, as load balancers do when they ask /healthz.
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
 * Whether the path of a request target is written plainly: no escapes, no empty or dotted segments, and
 * no fragment, which no request has (RFC 9112 §3.2). The adaptor would resolve or drop those, and a limit
 * in front of the server that compares paths as they are sent would be passed by another spelling of the
 * same endpoint.
 */
function hasOneSpelling(target: string): boolean {
  const path = (target.split('?', 1)[0] ?? '').replace(/^[a-z][a-z\d+.-]*:\/\/[^/]*/i, '')
  return !/%|#|\\|\/\/|\/\.{1,2}(?:\/|$)/.test(path)
}

/**
 * Reads the body before the request is handed on, as `rawBody`, which the adaptor takes instead of
 * making a web stream of it: that saves a third of the time of a small POST. What is longer than any
 * body may be is cut there: the handler sees that it is too long, and nothing more is read into memory.
 */
function withBody(incoming: IncomingMessage, next: () => void): void {
  const hasNone = incoming.method === 'GET' || incoming.method === 'HEAD'
  // What guards hand back may be long, and is read by its handler, once it knows whose it is.
  if (incoming.url === POLL_PATH) return next()
  // A body that declares itself too long is refused unread.
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
  // A client that goes away before the end gets no answer, and needs none.
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
      return `Port ${port} on ${host} is taken by another program. Stop it, or set PORT to another one.`
    case 'EACCES':
      return `Port ${port} on ${host} may not be opened by this user. Set PORT to one above 1023.`
    default:
      return `The server cannot listen on ${host}:${port}: ${messageOf(error)}. Check HOST and PORT.`
  }
}

/**
 * The connections that have not sent a byte. Browsers and load balancers open some in advance; Node does
 * not count them as idle, and they would hold up the end.
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
    // A kept-alive connection turns idle when its last answer is out.
    const sweep = setInterval(() => server.closeIdleConnections(), 50)
    server.close(() => {
      clearTimeout(cut)
      clearInterval(sweep)
      resolve()
    })
    for (const socket of silent()) socket.destroy()
  })
}
