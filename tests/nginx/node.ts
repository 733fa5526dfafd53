import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as it arrived behind nginx. */
export interface Arrival {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
}

/** An HTTP server behind nginx that records what arrives, and answers 200 with its name. */
export interface RecordingNode extends AsyncDisposable {
  readonly port: number
  readonly arrivals: Arrival[]
  /** How many connections it has accepted. */
  connections(): number
  /** Reads each request from now on, then closes its connection without an answer, as a node does that is killed. */
  dropRequests(): void
  /** Closes the port and all connections. */
  stop(): Promise<void>
}

/** Starts it on a free port of 127.0.0.1. */
export async function startRecordingNode(name: string): Promise<RecordingNode> {
  const arrivals: Arrival[] = []
  let drops = false
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming
    arrivals.push({ method, path: url, headers })
    incoming
      .resume()
      .once('end', () => void (drops ? incoming.socket.destroy() : outgoing.end(name)))
  })
  let connections = 0
  server.on('connection', () => (connections += 1))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const stop = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  }
  return {
    port: (server.address() as AddressInfo).port,
    arrivals,
    connections: () => connections,
    dropRequests: () => (drops = true),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
