import { connect, type Socket } from 'node:net'

/**
 * A kept-alive HTTP/1.1 connection that sends one request at a time and reads answers with a
 * `Content-Length`. A load generator must be much cheaper than the server: `fetch` costs several times as
 * much as a refresh.
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

  post(path: string, json: string): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#socket.write(
        `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
      )
    })
  }

  get(path: string, token: string): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      )
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
    const length = Number(/content-length: (\d+)/i.exec(this.#received.slice(0, headEnd))?.[1])
    const bodyAt = headEnd + 4
    if (this.#received.length < bodyAt + length) return
    const status = Number(this.#received.slice(9, 12))
    const body = this.#received.slice(bodyAt, bodyAt + length)
    this.#received = this.#received.slice(bodyAt + length)
    const settle = this.#settle
    this.#settle = undefined
    settle?.resolve({ status, body })
  }
}

export interface RawAnswer {
  readonly status: number
  readonly body: string
}
