import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { limits } from '../base/limits.ts'

interface Turn {
  readonly outgoing: ServerResponse
  readonly run: () => void
}

/** The requests of one connection that are not answered yet. */
interface Line {
  current: ServerResponse
  readonly waiting: Turn[]
}

/**
 * Handles the requests of each connection one after the other. Without it, Node starts all pipelined requests
 * of a connection at once, and they are answered in order anyway.
 */
export class Turns {
  readonly #lines = new Map<Socket, Line>()
  #isEnding = false

  /**
   * Runs a request when the earlier ones of its connection were answered. A connection on which too many
   * requests wait is closed without an answer.
   */
  take(incoming: IncomingMessage, outgoing: ServerResponse, run: () => void): void {
    // The requests of an HTTP/2 connection are answered in any order, and HTTP/2 limits their number itself.
    if (incoming.httpVersionMajor > 1) return run()
    const { socket } = incoming
    const line = this.#lines.get(socket)
    if (line === undefined) {
      if (socket.destroyed) return
      const first: Line = { current: outgoing, waiting: [] }
      this.#lines.set(socket, first)
      this.#run(socket, first, { outgoing, run })
    } else if (line.waiting.length < limits.pipelinedMax) line.waiting.push({ outgoing, run })
    else socket.destroy()
  }

  /** From now on, every connection is closed after its answers. Clients learn it from the last answer. */
  endConnections(): void {
    this.#isEnding = true
    for (const line of this.#lines.values()) markLast(line)
  }

  #run(socket: Socket, line: Line, { outgoing, run }: Turn): void {
    line.current = outgoing
    if (this.#isEnding) markLast(line)
    outgoing.once('close', () => this.#next(socket, line))
    run()
  }

  #next(socket: Socket, line: Line): void {
    // Not writable: the connection ended, so nobody would get the answer (RFC 9112 §9.6).
    const turn = socket.writable ? line.waiting.shift() : undefined
    if (turn === undefined) this.#lines.delete(socket)
    else this.#run(socket, line, turn)
  }
}

/** Requests that wait on the connection are still answered, so only the last answer ends it. */
function markLast({ current, waiting }: Line): void {
  if (waiting.length === 0 && !current.headersSent) current.setHeader('connection', 'close')
}
