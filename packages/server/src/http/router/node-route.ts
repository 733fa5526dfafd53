import { IncomingMessage, ServerResponse, type RequestListener } from 'node:http'
import { Socket } from 'node:net'

import type { Caller } from '../../sessions/services.ts'
import { readBytes } from '../body.ts'
import { styles } from './styles.ts'
import type { ApiRoute } from './define.ts'
import type { Feature, Method, RouteDescription } from './route.ts'
import type { HttpServices } from '../services.ts'

/** A handler written for `node:http`, such as another library's callback. */
export interface NodeRouteSpec extends Pick<
  RouteDescription,
  'id' | 'path' | 'tag' | 'summary' | 'description' | 'style' | 'csrf' | 'answers'
> {
  readonly methods: readonly Method[]
  readonly feature?: Feature
  /** Creates the handler once, when the application is created. */
  readonly handle: (services: HttpServices) => RequestListener
}

/**
 * Makes the rows of a handler of `node:http`, one for each method. It works wherever the API is mounted,
 * because its Node request and response are made from the `Request`. Bodies are limited to
 * `limits.bodyBytesMax`. Security headers and CORS are added as for every row.
 */
export function defineNodeRoute({ methods, handle, id, ...about }: NodeRouteSpec): ApiRoute[] {
  return methods.map((method) => ({
    feature: undefined,
    ...about,
    id: methods.length === 1 ? id : `${id}${method}`,
    method,
    isExact: false,
    kind: 'node',
    authentication: 'none',
    permission: undefined,
    revokes: false,
    hashes: false,
    params: undefined,
    query: undefined,
    body: undefined,
    refusals: [],
    bind: (services) => {
      const listener = handle(services)
      return async (request, caller) => {
        const body = await readBytes(request)
        return body === undefined
          ? styles[about.style].refuse('body_too_large', request)
          : callListener(listener, request, body, caller)
      }
    },
  }))
}

/** Runs a handler of `node:http` for one `Request` and collects its answer. */
export function callListener(
  listener: RequestListener,
  request: Pick<Request, 'method' | 'url' | 'headers'>,
  body: Buffer,
  caller: Caller,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const socket = new Socket()
    Object.defineProperty(socket, 'remoteAddress', { value: caller.address })
    const incoming = new IncomingMessage(socket)
    const { pathname, search } = new URL(request.url)
    incoming.method = request.method
    incoming.url = pathname + search
    incoming.headers = Object.fromEntries(request.headers)
    incoming.rawHeaders = [...request.headers].flat()
    incoming.push(body)
    incoming.push(null)
    const outgoing = new CollectedResponse(incoming, resolve)
    try {
      // A listener may be async, although its type returns nothing.
      Promise.resolve(listener(incoming, outgoing) as unknown).catch(reject)
    } catch (error) {
      reject(error)
    }
  })
}

/** A Node response that becomes a `Response` instead of being written to a socket. */
class CollectedResponse extends ServerResponse {
  readonly #chunks: Buffer[] = []
  readonly #resolve: (response: Response) => void

  constructor(incoming: IncomingMessage, resolve: (response: Response) => void) {
    super(incoming)
    this.#resolve = resolve
  }

  override writeHead(status: number, ...more: readonly unknown[]): this {
    this.statusCode = status
    const headers = more.find((each) => typeof each === 'object' && each !== null) ?? {}
    const pairs = Array.isArray(headers) ? pairsOf(headers) : Object.entries(headers)
    // The values are valid for `setHeader`, by the signature of the method that this method overrides.
    for (const [name, value] of pairs) this.setHeader(name, value as string)
    return this
  }

  override write(chunk: string | Uint8Array, ...more: readonly unknown[]): boolean {
    this.#take(chunk, more)
    return true
  }

  override end(...args: readonly unknown[]): this {
    const [chunk, ...more] = args
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) this.#take(chunk, more)
    else callIn(args)
    const headers = new Headers()
    for (const [name, value] of Object.entries(this.getHeaders())) {
      for (const each of Array.isArray(value) ? value : [value]) headers.append(name, String(each))
    }
    // The server in front frames the body again.
    headers.delete('transfer-encoding')
    const isEmpty = this.#chunks.length === 0
    const body = isEmpty ? null : Buffer.concat(this.#chunks)
    this.#resolve(new Response(body, { status: this.statusCode, headers }))
    this.emit('finish')
    this.emit('close')
    return this
  }

  #take(chunk: string | Uint8Array, more: readonly unknown[]): void {
    const [encoding] = more
    this.#chunks.push(
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : Buffer.from(chunk),
    )
    callIn(more)
  }
}

/** Calls the callback among the last arguments of `write` and `end`. */
function callIn(args: readonly unknown[]): void {
  const callback = args.find((each) => typeof each === 'function')
  if (callback !== undefined) queueMicrotask(() => callback())
}

function pairsOf(raw: readonly unknown[]): [string, unknown][] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[String(name), raw[at + 1]]] : []))
}
