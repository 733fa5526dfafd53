import type { IncomingMessage } from 'node:http'

import type { ExecutionContext } from '@nestjs/common'

import { type RequestView, viewOfNode, viewOfRequest } from '../../request/request-view.ts'

/** The request that a function in the requirements receives: the members that both platforms have. */
export interface NestRequestView {
  readonly params: Readonly<Record<string, string | undefined>>
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly url: string
}

/**
 * The result of `getRequest`: the request of Express or Fastify, the handshake of a socket, a web-standard
 * request, or an object that you make, with lower-case names of headers:
 * `{ headers: { authorization: 'Bearer ...' } }`.
 */
export interface NestRequestSource {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>> | Headers
  readonly method?: string | undefined
  readonly rawHeaders?: readonly string[] | undefined
  /** The path of the request. Only tokens that are bound to a key need it. */
  readonly url?: string | undefined
  readonly originalUrl?: string | undefined
  readonly raw?: IncomingMessage | undefined
}

/** The request of an execution context. */
export interface FoundRequest {
  readonly view: RequestView
  /** The objects that carry the claims afterwards: the request, and what `@Auth()` can reach. */
  readonly carriers: readonly object[]
}

/**
 * Finds the request of an execution context. In HTTP, it is NestJS's request. Everywhere else `getRequest`
 * returns it. Throws an error that says what is missing.
 */
export function requestOf(
  context: ExecutionContext,
  getRequest: ((context: ExecutionContext) => NestRequestSource) | undefined,
): FoundRequest {
  const type = context.getType<string>()
  if (type === 'http') {
    const request = context.switchToHttp().getRequest<IncomingMessage & NestRequestSource>()
    return { view: viewOfNode(request.raw ?? request, request), carriers: [request] }
  }
  if (getRequest === undefined) {
    throw new Error(
      `The guard cannot read the request of a "${type}" context. ` +
        'Give createNestGuard or CountersignModule the option getRequest, which returns it.',
    )
  }
  const source: Partial<NestRequestSource> | undefined = getRequest(context)
  if (typeof source?.headers !== 'object' || source.headers === null) {
    throw new TypeError(`getRequest must return an object with headers (context "${type}").`)
  }
  const view = viewOfSource(source as NestRequestSource, type)
  return { view, carriers: [source, carrierOf(context)] }
}

function viewOfSource(source: NestRequestSource, type: string): RequestView {
  const { headers, method, rawHeaders, raw } = source
  const url = source.originalUrl ?? source.url ?? raw?.url
  if (headers instanceof Headers) {
    const request = { headers, method: method ?? '', ...(url === undefined ? {} : { url }) }
    return viewOfRequest(request, source)
  }
  // A page of any site may open a socket, also with the plain GET of long polling. With `upgrade`, a cookie
  // counts only from an accepted origin.
  const isSocket = type === 'ws'
  const node = {
    method: method ?? raw?.method ?? (isSocket ? 'GET' : ''),
    headers: isSocket ? { ...headers, upgrade: 'websocket' } : headers,
    rawHeaders: rawHeaders ?? raw?.rawHeaders ?? [],
    url,
  }
  return viewOfNode(node, source)
}

/** Where the claims of a context are found again by `@Auth()`, which does not know `getRequest`. */
export function carrierOf(context: ExecutionContext): object {
  const [first, second, third] = context.getArgs<unknown[]>()
  // GraphQL passes (root, arguments, context, info), a microservice (data, context), a gateway (client, data).
  const places: Readonly<Record<string, unknown>> = { graphql: third, rpc: second }
  const type = context.getType<string>()
  const carrier = type in places ? places[type] : first
  if (typeof carrier === 'object' && carrier !== null) return carrier
  throw new Error(`The guard found nothing in a "${type}" context that could carry the claims.`)
}
