import { request as ask, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

import type { Certificate } from '../support/certificate.ts'

/** A request as it arrived, with its answer. */
export interface Arrival {
  readonly method: string
  readonly path: string
  readonly origin: string | undefined
  readonly secFetchSite: string | undefined
  readonly userAgent: string | undefined
  readonly forwardedFor: string | undefined
  readonly cookies: ReadonlyMap<string, string>
  readonly status: number
  /** What a page can see of the answer: its headers without Set-Cookie, and its body. */
  readonly readable: string
}

export interface ProxyOptions {
  readonly port: number
  /** Returns the server for a request, by its path. */
  readonly target: (path: string) => string
  /** Changes the forwarded request, as deploy/nginx does. */
  readonly cookies?: (path: string, header: string) => string
  readonly tls?: Certificate
  /** Answers a request instead of the server. */
  readonly instead?: (path: string) => Instead | undefined
}

/** An answer of the proxy itself, as when the server behind it cannot be reached. */
export interface Instead {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

/** A proxy in front of the servers, like nginx, that records all requests. */
export interface Proxy extends AsyncDisposable {
  readonly arrivals: Arrival[]
  /** Holds the requests for a path until this many have arrived, then forwards them all at once. */
  gather(path: string, count: number): void
}

/** Starts a proxy on all addresses of `localhost` that a browser uses. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const arrivals: Arrival[] = []
  const gates = new Map<string, { count: number; waiting: (() => void)[] }>()

  const note = (request: IncomingMessage, status: number, readable: string): void =>
    void arrivals.push({
      method: request.method ?? '',
      path: request.url ?? '/',
      origin: request.headers.origin,
      secFetchSite: request.headers['sec-fetch-site']?.toString(),
      userAgent: request.headers['user-agent'],
      forwardedFor: request.headers['x-forwarded-for']?.toString(),
      cookies: parseCookies(request.headers.cookie ?? ''),
      status,
      readable,
    })

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '/'
    const gate = gates.get(path)
    if (gate !== undefined && request.method !== 'OPTIONS') await pass(gate)
    const instead = options.instead?.(path)
    if (instead !== undefined) {
      note(request, instead.status, '')
      response.writeHead(instead.status, instead.headers).end()
      return
    }
    const answer = await forward(request, options)
    const { 'set-cookie': _, ...headers } = answer.headers
    const body = await buffer(answer)
    note(request, answer.statusCode ?? 0, `${JSON.stringify(headers)}\n${body.toString()}`)
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders).end(body)
  }
  const pass = (gate: { count: number; waiting: (() => void)[] }): Promise<void> =>
    new Promise((resolve) => {
      gate.waiting.push(resolve)
      if (gate.waiting.length < gate.count) return
      gates.clear()
      for (const go of gate.waiting) go()
    })

  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    // A browser that closes cancels its requests.
    void handle(request, response).catch(() => response.destroy())
  const server =
    options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener)
  await new Promise<void>((resolve) => server.listen(options.port, '127.0.0.1', resolve))
  return {
    arrivals,
    gather: (path, count) => void gates.set(path, { count, waiting: [] }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function forward(
  request: IncomingMessage,
  { target, cookies }: ProxyOptions,
): Promise<IncomingMessage> {
  const path = request.url ?? '/'
  const headers = { ...request.headers }
  if (cookies !== undefined && headers.cookie !== undefined) {
    headers.cookie = cookies(path, headers.cookie)
  }
  return new Promise((resolve, reject) => {
    const url = `${target(path)}${path}`
    const onward = ask(url, { method: request.method, headers }, resolve)
    onward.once('error', reject)
    request.pipe(onward)
  })
}

function parseCookies(header: string): Map<string, string> {
  const pairs = header.split('; ').filter((pair) => pair.includes('='))
  return new Map(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )
}

/** Returns the port of a listening server. */
export function portOf(server: { address(): AddressInfo | string | null }): number {
  return (server.address() as AddressInfo).port
}
