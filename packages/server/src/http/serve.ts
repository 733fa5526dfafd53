import type { AddressInfo, Socket } from 'node:net'
import type { Server } from 'node:http'

import { createAdaptorServer, type HttpBindings } from '@hono/node-server'

import { SetupError, messageOf } from '../base/faults.ts'
import { limits } from '../base/limits.ts'
import type { RequestContext } from './app.ts'

export interface ServeOptions {
  readonly fetch: (request: Request, context: RequestContext) => Promise<Response>
  readonly port: number
  readonly host: string
}

export interface RunningServer {
  readonly port: number
  /** Takes no new connections, lets requests in flight end, for at most 25 s. */
  close(): Promise<void>
}

/** Listens. Throws a `SetupError` that names the port when that cannot be done. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  // Without TLS options the adaptor gives a plain HTTP/1.1 server.
  const server = createAdaptorServer({
    fetch: (request, bindings) =>
      options.fetch(request, { address: addressOf(bindings as HttpBindings) }),
    // Stands in for the Host that HTTP/1.0 may leave out, as load balancers do when they ask /healthz.
    hostname: 'localhost',
    serverOptions: {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: 75_000, // longer than a proxy's in front, so that it never writes into a closed one
      maxHeaderSize: limits.headerBytesMax,
    },
  }) as Server
  const silent = trackSilent(server)
  await listen(server, options)
  return {
    port: (server.address() as AddressInfo).port,
    close: () => drain(server, silent),
  }
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
