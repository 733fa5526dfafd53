import type { IncomingMessage } from 'node:http'

import type { Logger } from 'pino'

import { clientAddress } from '../base/address.ts'
import { parseHops, parseNode } from '../base/forwarded.ts'
import { limits } from '../base/limits.ts'
import type { Caller } from '../sessions/services.ts'
import type { HttpSettings, RequestContext } from './services.ts'

/** Tells who sent a request, for throttling and audit. */
export interface Callers {
  readonly ofRequest: (request: Request, context: RequestContext | undefined) => Caller
  /** The caller of a request to Node's HTTP server, by the same rules. */
  readonly ofNode: (incoming: IncomingMessage) => Caller
}

/** Applications may pass the address with a port, or a name of their own. */
function readConnection(connection: string = ''): string {
  const address = parseNode(connection)
  return address === '' ? connection : address
}

/**
 * Creates the reader of callers. The first request without an address is logged: throttling by address does
 * not work without addresses, and sessions cannot be told apart.
 */
export function createCallers(
  { trustedProxies, forwardedHeader }: Pick<HttpSettings, 'trustedProxies' | 'forwardedHeader'>,
  logger: Logger,
): Callers {
  let hasWarned = false
  const callerOf = (
    connection: string | undefined,
    forwarded: string | undefined,
    userAgent: string | undefined,
  ): Caller => {
    const hops = forwarded === undefined ? [] : parseHops(forwardedHeader, forwarded)
    const address = clientAddress(readConnection(connection), hops, trustedProxies)
    if (address === '' && !hasWarned) {
      hasWarned = true
      logger.warn({ event: 'client_address_missing' })
    }
    return { address, userAgent: (userAgent ?? '').slice(0, limits.userAgentCharsMax) }
  }
  return {
    ofRequest: ({ headers }, context) =>
      callerOf(
        context?.address,
        headers.get(forwardedHeader) ?? undefined,
        headers.get('user-agent') ?? undefined,
      ),
    ofNode: ({ headers, socket }) => {
      const forwarded = headers[forwardedHeader]
      return callerOf(
        socket.remoteAddress,
        Array.isArray(forwarded) ? forwarded.join(',') : forwarded,
        headers['user-agent'],
      )
    },
  }
}
