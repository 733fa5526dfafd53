import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

import { freePort } from '../../scripts/lib/processes.ts'

// One side may end while the other one still sends.
const HALF_OPEN = { allowHalfOpen: true, noDelay: true }

/** A network between clients and a server of 127.0.0.1. Tests cut it and slow it down. */
export class TcpProxy implements AsyncDisposable {
  readonly port: number
  /** Bytes that have arrived from clients and from the server. */
  readonly bytes = { fromClients: 0, fromServer: 0 }
  /** How many connections clients have made so far. */
  accepted = 0
  #target: number
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #isSilent = false
  #delayMs = 0

  private constructor(port: number, target: number) {
    this.port = port
    this.#target = target
  }

  /** Starts a proxy in front of a port. The server behind it may start later. */
  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(await freePort(), target)
    await proxy.#listen()
    return proxy
  }

  /** How many connections of clients are open now. */
  get open(): number {
    return this.#sockets.size / 2
  }

  /**
   * Cuts the network. `refuse`, as when the machine has crashed and restarted: connections are reset, and new ones are
   * refused. `silence`, as behind a broken router: connections stay open and new ones open, but nothing passes.
   */
  async cut(how: 'refuse' | 'silence'): Promise<void> {
    if (how === 'silence') {
      this.#isSilent = true
      for (const socket of this.#sockets) socket.pause()
    } else {
      await this.#close()
    }
  }

  /** Mends the network. Connections from before a silence are reset. */
  async restore(): Promise<void> {
    if (this.#isSilent) for (const socket of this.#sockets) socket.resetAndDestroy()
    this.#isSilent = false
    await this.#listen()
  }

  /** Leads new connections to another server, as a name whose address changes. Those that are open stay. */
  leadTo(target: number): void {
    this.#target = target
  }

  /** Delays everything that arrives from now on, in each direction. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) return
    this.#server = createServer(HALF_OPEN, (client) => this.#accept(client))
    await once(this.#server.listen(this.port, '127.0.0.1'), 'listening')
  }

  async #close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    for (const socket of this.#sockets) socket.resetAndDestroy()
    if (server !== undefined) await new Promise((resolve) => server.close(resolve))
  }

  #accept(client: Socket): void {
    this.accepted += 1
    const server = connect({ ...HALF_OPEN, port: this.#target, host: '127.0.0.1' })
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => other.resetAndDestroy())
      socket.once('close', () => {
        this.#sockets.delete(socket)
        other.destroySoon()
      })
    }
    this.#forward(client, server, 'fromClients')
    this.#forward(server, client, 'fromServer')
    if (this.#isSilent) for (const socket of [client, server]) socket.pause()
  }

  #forward(from: Socket, to: Socket, counter: 'fromClients' | 'fromServer'): void {
    const waiting: (() => void)[] = []
    const pass = (act: () => void): void => {
      if (this.#delayMs === 0 && waiting.length === 0) return act()
      // Timers of different lengths may overtake each other. The order of the queue counts.
      waiting.push(act)
      setTimeout(() => waiting.shift()?.(), this.#delayMs)
    }
    from.on('data', (chunk: Buffer) => {
      this.bytes[counter] += chunk.length
      pass(() => {
        if (to.destroyed || this.#isSilent || to.write(chunk)) return
        from.pause()
        to.once('drain', () => {
          if (!this.#isSilent) from.resume()
        })
      })
    })
    from.once('end', () => pass(() => to.end()))
  }
}
