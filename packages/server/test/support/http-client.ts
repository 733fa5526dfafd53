import { Agent, request } from 'node:http'

import type { Pair } from './authority.ts'

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

export type RequestHeaders = Readonly<Record<string, string>>

/** A client of a server process with its own kept-alive connections. */
export class HttpClient {
  readonly #url: string
  readonly #agent: Agent
  readonly #localAddress: string | undefined

  /** `localAddress` is where it connects from, for example `127.0.0.2`. */
  constructor(url: string, connectionsMax = 64, localAddress?: string) {
    this.#url = url
    this.#localAddress = localAddress
    this.#agent = new Agent({ keepAlive: true, maxSockets: connectionsMax })
  }

  /** Rejects when there is no answer, because the server has stopped or stops meanwhile. */
  post(path: string, body: unknown, headers: RequestHeaders = {}): Promise<HttpAnswer> {
    return this.send('POST', path, headers, JSON.stringify(body))
  }

  get(path: string, headers: RequestHeaders = {}): Promise<HttpAnswer> {
    return this.send('GET', path, headers)
  }

  send(
    method: string,
    path: string,
    headers: RequestHeaders = {},
    body?: string,
  ): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const sent = request(`${this.#url}${path}`, {
        method,
        agent: this.#agent,
        localAddress: this.#localAddress,
        headers: { 'content-type': 'application/json', 'user-agent': 'test-client', ...headers },
      })
      sent.once('error', reject)
      sent.once('response', (answer) => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => (text += chunk))
        answer.once('error', reject)
        answer.once('end', () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }),
        )
      })
      sent.end(body)
    })
  }

  /** Logs in and returns both tokens. Throws when the login fails. */
  async login(credentials: { username: string; password: string }): Promise<Pair> {
    const answer = await this.post('/api/token/', credentials)
    if (answer.status !== 200) throw new Error(`login answered ${answer.status}: ${answer.text}`)
    return JSON.parse(answer.text) as Pair
  }

  close(): void {
    this.#agent.destroy()
  }
}
