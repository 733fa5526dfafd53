import { connect, type Socket } from 'node:net'

/**
 * A kept-alive HTTP/1.1 connection that sends one request at a time and reads answers with a
 * `Content-Length` or in chunks. A load generator must be much cheaper than the server: `fetch` costs several
 * times as much as a refresh.
 */
export class HttpConnection {
  readonly #socket: Socket
  #received = ''
  #settle: { resolve(answer: RawAnswer): void; reject(error: Error): void } | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => this.#read(chunk))
    socket.on('error', (error) => this.#settle?.reject(error))
    socket.on('close', () => this.#settle?.reject(new Error('the server closed the connection')))
  }

  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new HttpConnection(socket))
      })
    })
  }

  post(path: string, body: string, type = 'application/json'): Promise<RawAnswer> {
    return this.#send(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  }

  /** Sends JSON with one more header line. */
  postWith(path: string, body: string, header: string): Promise<RawAnswer> {
    return this.#send(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n${header}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  }

  get(path: string, token: string): Promise<RawAnswer> {
    return this.getWith(path, `Authorization: Bearer ${token}`)
  }

  /** Sends a GET with one more header line, such as `Cookie: a=b`. */
  getWith(path: string, header: string): Promise<RawAnswer> {
    return this.#send(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n${header}\r\n\r\n`,
    )
  }

  #send(request: string): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#settle = undefined
    this.#socket.destroy()
  }

  #read(chunk: string): void {
    this.#received += chunk
    const headEnd = this.#received.indexOf('\r\n\r\n')
    if (headEnd === -1) return
    const head = this.#received.slice(0, headEnd)
    const read = CHUNKED.test(head) ? readChunks : readLength(head)
    const body = read(this.#received, headEnd + 4)
    if (body === undefined) return
    this.#received = this.#received.slice(body.end)
    const settle = this.#settle
    this.#settle = undefined
    settle?.resolve({ status: Number(head.slice(9, 12)), head, body: body.text })
  }
}

interface Body {
  readonly text: string
  /** The position after the body. */
  readonly end: number
}

const CHUNKED = /\r\ntransfer-encoding: chunked/i
const LENGTH = /\r\ncontent-length: (\d+)/i

function readLength(head: string): (received: string, start: number) => Body | undefined {
  return (received, start) => {
    const end = start + Number(LENGTH.exec(head)?.[1])
    return received.length < end ? undefined : { text: received.slice(start, end), end }
  }
}

/** Reads chunks without trailers (RFC 9112 §7.1). Returns undefined until the last one has arrived. */
function readChunks(received: string, start: number): Body | undefined {
  let text = ''
  for (let at = start; ;) {
    const sizeEnd = received.indexOf('\r\n', at)
    if (sizeEnd === -1) return undefined
    const size = Number.parseInt(received.slice(at, sizeEnd), 16)
    const end = sizeEnd + 2 + size + 2
    if (received.length < end) return undefined
    if (size === 0) return { text, end }
    text += received.slice(sizeEnd + 2, end - 2)
    at = end
  }
}

export interface RawAnswer {
  readonly status: number
  /** The status line and the headers. */
  readonly head: string
  readonly body: string
}
