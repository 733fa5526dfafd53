import { lookup as systemLookup } from 'node:dns/promises'
import { request as requestHttp, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, isIPv6, type LookupFunction } from 'node:net'

import { messageOf } from './faults.ts'
import { limits } from './limits.ts'
import { outboundKindOf } from './outbound-addresses.ts'

/** Why a request of the server to another host failed. A stable code without values. */
export type OutboundReason =
  /** Not an http or https URL, or one with a username. */
  | 'url_invalid'
  /** The name leads only to addresses that the server must not call. No connection was made. */
  | 'address_forbidden'
  /** Plain http to a public address. No connection was made. */
  | 'plain_http'
  | 'name_unresolved'
  | 'connection_failed'
  | 'timeout'
  | 'redirected'
  | 'too_large'
  /** The caller ended the request. */
  | 'stopped'

/** A request that failed before its whole answer was there. */
export class OutboundFault extends Error {
  override readonly name = 'OutboundFault'
  readonly reason: OutboundReason
  constructor(reason: OutboundReason, options?: ErrorOptions) {
    super(`The request failed: ${reason}.`, options)
    this.reason = reason
  }
}

/** A request to a URL that somebody else has chosen. */
export interface OutboundRequest {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Ends the request early. */
  readonly signal?: AbortSignal | undefined
}

/** The whole answer. Its status is never a redirect. */
export interface OutboundAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/**
 * Sends one request to a URL that an operator, an application or its metadata has chosen. Rejects with an
 * `OutboundFault`.
 *
 * Such a URL could lead into the network of the server (SSRF). So the name is resolved once, its addresses are checked,
 * and the connection goes to one of the checked addresses: a name that changes between check and connection (DNS
 * rebinding) gains nothing. Redirects are not followed, because they would lead past the check. No proxy is used. The
 * certificate must be valid for the name.
 */
export type Outbound = (url: string, request?: OutboundRequest) => Promise<OutboundAnswer>

/** Returns all addresses of a host name. */
export type ResolveHost = (host: string) => Promise<readonly string[]>

/** The dependencies of outbound requests. */
export interface OutboundOptions {
  /** Whether private and loopback addresses may be called (`COUNTERSIGN_OUTBOUND_PRIVATE`). */
  readonly allowPrivate: boolean
  /** Default: the resolver of the system. */
  readonly resolve?: ResolveHost
  /** The time for a whole request, in milliseconds. */
  readonly answerMs?: number
}

/** Creates the function that sends requests to URLs that others have chosen. */
export function createOutbound({
  allowPrivate,
  resolve = resolveBySystem,
  answerMs = limits.outboundAnswerMs,
}: OutboundOptions): Outbound {
  return async (given, { method = 'GET', headers = {}, body, signal } = {}) => {
    const url = parseUrl(given)
    const timeout = AbortSignal.timeout(answerMs)
    const stop = signal === undefined ? timeout : AbortSignal.any([timeout, signal])
    const failed = (reason: OutboundReason, cause: unknown): OutboundFault => {
      if (cause instanceof OutboundFault) return cause
      const why = signal?.aborted === true ? 'stopped' : timeout.aborted ? 'timeout' : reason
      return new OutboundFault(why, { cause })
    }
    const addresses = await unlessAborted(resolveUrl(url, resolve), stop).catch(
      (error: unknown) => {
        throw failed('name_unresolved', error)
      },
    )
    const checked = checkAddresses(url, addresses, allowPrivate)
    try {
      return await send(url, checked, { method, headers, body, signal: stop })
    } catch (error) {
      throw failed('connection_failed', error)
    }
  }
}

function parseUrl(given: string): URL {
  const url = URL.parse(given)
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:'
  if (url === null || !isHttp || url.username + url.password !== '') {
    throw new OutboundFault('url_invalid')
  }
  return url
}

/** The parser of URLs has already written `127.1`, `2130706433` and `0x7f.1` as `127.0.0.1`. */
async function resolveUrl({ hostname }: URL, resolve: ResolveHost): Promise<readonly string[]> {
  const host = hostname.replace(/^\[|\]$/g, '')
  return isIP(host) === 0 ? resolve(host) : [host]
}

async function resolveBySystem(host: string): Promise<readonly string[]> {
  return (await systemLookup(host, { all: true })).map(({ address }) => address)
}

/** Returns the addresses that may be called. There is at least one. */
function checkAddresses(
  { protocol }: URL,
  addresses: readonly string[],
  allowPrivate: boolean,
): readonly string[] {
  if (addresses.length === 0) throw new OutboundFault('name_unresolved')
  const kinds = addresses.map((address) => ({ address, kind: outboundKindOf(address) }))
  const allowed = kinds.filter(
    ({ kind }) => kind === 'public' || (kind === 'internal' && allowPrivate),
  )
  if (allowed.length === 0) throw new OutboundFault('address_forbidden')
  const secure = allowed.filter(({ kind }) => protocol === 'https:' || kind === 'internal')
  if (secure.length === 0) throw new OutboundFault('plain_http')
  return secure.map(({ address }) => address)
}

/** Gives work up that has no signal of its own, such as a look-up. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let abort: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort)
  }
}

interface Sending {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly signal: AbortSignal
}

async function send(
  url: URL,
  addresses: readonly string[],
  { method, headers, body, signal }: Sending,
): Promise<OutboundAnswer> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp
  const sent = request(url, {
    method,
    headers: { 'user-agent': 'Countersign', 'accept-encoding': 'identity', ...headers },
    // A connection of its own: a kept one could belong to addresses that were checked for another request.
    agent: false,
    lookup: lookupOf(addresses),
    signal,
    maxHeaderSize: limits.headerBytesMax,
  })
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve)
    sent.on('error', reject)
    // An answer that switches protocols closes the connection without an error.
    sent.on('close', () => reject(new Error('The connection was closed without an answer.')))
  })
  sent.end(body)
  const answer = await unlessAborted(answered, signal)
  try {
    const { statusCode: status = 0, headers: fields } = answer
    if (status >= 300 && status < 400) throw new OutboundFault('redirected')
    return { status, headers: fields, body: await readBody(answer) }
  } finally {
    answer.destroy()
  }
}

/** Answers every look-up with the checked addresses. Node does not look up a host that is an address itself. */
function lookupOf(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }))
  return (_host, { all }, done) => {
    const [first] = found
    if (all === true) done(null, found)
    else done(null, first?.address ?? '', first?.family)
  }
}

async function readBody(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  // Without an encoding, chunks are buffers.
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > limits.outboundAnswerBytesMax) throw new OutboundFault('too_large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Returns a stable code for what went wrong, and the text of the system if there is one. It contains no URL. */
export function describeOutboundFault(error: unknown): {
  readonly reason: OutboundReason
  readonly error?: string
} {
  if (!(error instanceof OutboundFault)) throw error
  const { reason, cause } = error
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return reason === 'connection_failed' || reason === 'name_unresolved'
    ? { reason, error: typeof code === 'string' ? code : messageOf(cause) }
    : { reason }
}
