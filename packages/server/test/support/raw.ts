import { request, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'

/** An answer of a running server. Header names are in lower case. */
export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export interface RawRequest {
  readonly method?: string
  /** The path in the request line, without any normalisation. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** Sends one request on its own connection, with only these headers, Host and Content-Length. */
export function send(url: string, question: RawRequest): Promise<RawAnswer> {
  const { method = 'POST', path, headers = {}, body } = question
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
  return new Promise((resolve, reject) => {
    const options = { method, path, headers: { ...length, ...headers }, agent: false }
    const outgoing = request(url, options, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.once('error', reject)
      incoming.once('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      )
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

/** The answers on a raw connection, and who closed it. */
export interface Exchange {
  readonly text: string
  /** The status of each answer, in order. */
  readonly statuses: readonly number[]
  /** False when the server was still waiting at the end. */
  readonly closedByServer: boolean
}

const CONNECT_MS = 10_000
const FIRST_ANSWER_MS = 1_000
const AFTER_ANSWER_MS = 150

/**
 * Writes these bytes and reads until the server closes the connection, or is silent for a second at
 * first, or for 150 ms after an answer. A server that answers early and closes gets no more bytes.
 */
export function exchange(url: string, parts: readonly (string | Uint8Array)[]): Promise<Exchange> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    let text = ''
    let closedByServer = true
    const giveUp = (): void => {
      closedByServer = false
      socket.destroy()
    }
    let quiet = setTimeout(giveUp, CONNECT_MS)
    const wait = (ms: number): void => {
      clearTimeout(quiet)
      quiet = setTimeout(giveUp, ms)
    }
    socket.setEncoding('latin1')
    socket.on('data', (data: string) => {
      text += data
      wait(AFTER_ANSWER_MS)
    })
    // Writing to a closed connection is normal here. The event `close` follows.
    socket.on('error', () => {})
    socket.once('close', () => {
      clearTimeout(quiet)
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))
      resolve({ text, statuses, closedByServer })
    })
    socket.once('connect', () => {
      void writeAll(socket, parts).then(() => text === '' && wait(FIRST_ANSWER_MS))
    })
  })
}

async function writeAll(
  socket: ReturnType<typeof connect>,
  parts: readonly (string | Uint8Array)[],
): Promise<void> {
  for (const part of parts) {
    if (!socket.writable) return
    await new Promise<void>((resolve) => socket.write(part, () => resolve()))
  }
}
