import type { IncomingMessage, ServerResponse } from 'node:http'

import { getRequestListener, type HttpBindings } from '@hono/node-server'

import { limits } from '../base/limits.ts'
import { problemText } from './problem.ts'
import { POLL_PATH } from './revocations/poll.ts'
import type { RequestContext } from './services.ts'
import { unlessGivenUp, watchForStalls } from './stalls.ts'
import { Turns } from './turns.ts'

/** The handler of a web-standard request, as `authority.fetch`. */
export type Fetch = (request: Request, context: RequestContext) => Promise<Response>

/** A listener for the `request` event of a Node server. */
export type NodeHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => void

/**
 * Turns `authority.fetch` into a `node:http` handler, for Express and similar servers:
 * `app.all('/auth{/*rest}', handler)`. Do not mount it with `app.use(PATH, ...)`, which removes the path.
 * Mount it before body parsers: it throws if the body was read already.
 */
export function toNodeHandler(fetch: Fetch): NodeHandler {
  return inTurns(fetch, new Turns())
}

/** Like `toNodeHandler`, with the turns of a server that ends its connections when it stops. */
export function inTurns(fetch: Fetch, turns: Turns): NodeHandler {
  const answer = getRequestListener(
    (request, bindings) => fetch(request, { address: addressOf(bindings as HttpBindings) }),
    // Used if the Host header is missing. Some load balancers request /healthz with HTTP/1.0 and without
    // Host.
    { hostname: 'localhost' },
  )
  watchForStalls()
  return (incoming, outgoing) => {
    if (incoming.readableDidRead) {
      throw new Error('The body was read already. Mount the authority before body parsers.')
    }
    turns.take(incoming, outgoing, () => {
      if (isAmbiguous(incoming)) refuse(outgoing, 'request_ambiguous')
      else if (hasOneSpelling(incoming.url ?? '')) {
        withBody(incoming, () => unlessGivenUp(incoming, () => void answer(incoming, outgoing)))
      } else refuse(outgoing, 'not_found')
    })
  }
}

function refuse(outgoing: ServerResponse, code: 'not_found' | 'request_ambiguous'): void {
  const { status, headers, text } = problemText(code)
  // After an ambiguous request, it is not certain where the next request begins.
  if (code === 'request_ambiguous') outgoing.setHeader('connection', 'close')
  outgoing.writeHead(status, headers).end(text)
}

/**
 * Whether a proxy could understand the request differently: it has two Host lines (RFC 9112 §3.2), or a transfer
 * encoding other than `chunked` (§6.1). Node's parser accepts both.
 */
function isAmbiguous({ headers, rawHeaders }: IncomingMessage): boolean {
  const encoding = headers['transfer-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') return true
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  return hosts > 1
}

/**
 * Whether the path of a request target has only one spelling: no escapes, no empty or dotted segments, and no
 * fragment, which RFC 9112 §3.2 forbids. The adaptor would resolve or drop them. A second spelling of an
 * endpoint would then bypass the limits of a proxy that compares the raw path.
 */
function hasOneSpelling(target: string): boolean {
  const path = (target.split('?', 1)[0] ?? '').replace(/^[a-z][a-z\d+.-]*:\/\/[^/]*/i, '')
  return !/%|#|\\|\/\/|\/\.{1,2}(?:\/|$)/.test(path)
}

/**
 * Reads the body into `rawBody` before the request is passed on. The adaptor then makes no web stream, which
 * saves a third of the time of a small POST. A body that is too long is cut just after the limit, so the
 * handler sees that it is too long and no more is read into memory.
 */
function withBody(incoming: IncomingMessage, next: () => void): void {
  const hasNone = incoming.method === 'GET' || incoming.method === 'HEAD'
  // Entries that guards hand back may be long. The handler reads them after it has authenticated the guard.
  if (incoming.url === POLL_PATH) return next()
  // A body whose Content-Length is too large is refused without reading it.
  if (hasNone || Number(incoming.headers['content-length']) > limits.bodyBytesMax) return next()
  const chunks: Buffer[] = []
  let length = 0
  const take = (chunk: Buffer): void => {
    chunks.push(chunk)
    length += chunk.length
    if (length > limits.bodyBytesMax) end()
  }
  const end = (): void => {
    incoming.off('data', take).off('end', end)
    const [first = Buffer.alloc(0)] = chunks
    Object.assign(incoming, { rawBody: chunks.length < 2 ? first : Buffer.concat(chunks, length) })
    next()
  }
  // A client that disconnects before the end of the body gets no answer.
  incoming.on('data', take).once('end', end)
}

function addressOf({ incoming }: HttpBindings): string {
  const address = incoming.socket.remoteAddress ?? ''
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
