import cluster from 'node:cluster'
import { createServer, type AddressInfo, type ListenOptions, type Server } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

import { SetupError, messageOf } from '../base/faults.ts'
import { limits } from '../base/limits.ts'

/** The address to listen on. Port 0 takes a free port. */
export interface Endpoint {
  readonly port: number
  readonly host: string
}

/** The open sockets of a server that listens. */
export interface Listeners {
  readonly port: number
  /** Accepts no more connections. Resolves when all accepted connections have ended. */
  close(): Promise<void>
}

/**
 * Opens the listening sockets of a server. Node accepts one connection for each listening socket and turn of
 * its event loop. With one socket, a thousand clients that connect at once would delay everybody for a
 * thousand turns. So on Linux several sockets share the port. Throws a `SetupError` that names the port if it
 * cannot listen.
 */
export async function openListeners(server: Server, endpoint: Endpoint): Promise<Listeners> {
  // The port of a worker of `node:cluster` is not free, because the other workers have it.
  const isTaken = cluster.isWorker && endpoint.port !== 0
  const port = isTaken ? endpoint.port : await assertPortFree(endpoint)
  const isShared = process.platform === 'linux'
  const options = { ...endpoint, port, backlog: limits.backlogMax, reusePort: isShared }
  const others = Array.from({ length: isShared ? limits.listeners - 1 : 0 }, () =>
    // An HTTP server needs sockets with these options, as its own have.
    createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      server.emit('connection', socket),
    ),
  )
  const all = [server, ...others]
  for (const each of all) await listen(each, options)
  return {
    port,
    close: async () => {
      await untilAllAccepted(server)
      await Promise.all(all.map((each) => new Promise((resolve) => each.close(resolve))))
    },
  }
}

/** The system resets connections that wait to be accepted when their socket is closed. */
async function untilAllAccepted(server: Server): Promise<void> {
  let accepted = 0
  const count = (): void => void (accepted += 1)
  server.on('connection', count)
  for (let turns = 0, before = -1; before < accepted && turns < TURNS_MAX; turns += 1) {
    before = accepted
    await turn()
  }
  server.off('connection', count)
}

/** Clients that never stop connecting must not delay the end. */
const TURNS_MAX = 200

/**
 * Checks that the port is free, and returns its number. Sockets that share a port would not fail beside
 * another server of the same user: each server would get some of the connections. Throws a `SetupError` that names the
 * port if it is not free.
 */
export async function assertPortFree(endpoint: Endpoint): Promise<number> {
  const probe = createServer()
  await listen(probe, endpoint)
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

function listen(server: Server, options: ListenOptions & Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      reject(new SetupError(whyNotListening(error, options.port, options.host), { cause: error }))
    server.once('error', fail)
    server.listen(options, () => {
      server.off('error', fail)
      resolve()
    })
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
