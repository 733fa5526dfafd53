import type { Caller } from '../../sessions/services.ts'
import type { RequestFacts } from '../../sso/library/facts.ts'
import type { Sso } from '../../sso/sso.ts'
import { readBytes } from '../body.ts'
import { callListener } from '../router/node-route.ts'
import type { HttpServices } from '../services.ts'

/** The answer of the OpenID Connect library, and what it does not say. */
export interface LibraryAnswer {
  readonly response: Response
  readonly failure: RequestFacts['failure']
}

/**
 * Lets the library answer a request. Returns undefined if the body is too long. Throws what went wrong in the server.
 *
 * The library makes URLs from the headers of the request. It gets the host and the scheme of the public URL, and no
 * header by which a client or a proxy could change them.
 */
export async function askLibrary(
  { http }: HttpServices,
  sso: Sso,
  { request, caller, sessionId }: AskedBy,
): Promise<LibraryAnswer | undefined> {
  const body = await readBytes(request)
  if (body === undefined) return undefined
  const library = await sso.library()
  const { host, protocol } = new URL(http.publicUrl)
  const headers = new Headers(request.headers)
  for (const name of request.headers.keys()) {
    if (name === 'forwarded' || name.startsWith('x-forwarded-')) headers.delete(name)
  }
  headers.set('host', host)
  headers.set('x-forwarded-proto', protocol.slice(0, -1))
  headers.delete('transfer-encoding')
  if (body.length > 0) headers.set('content-length', String(body.length))
  const { address, userAgent } = caller
  const facts: RequestFacts = { sessionId, address, userAgent }
  const response = await callListener(
    (incoming, outgoing) => library.handle(incoming, outgoing, facts),
    { method: request.method, url: request.url, headers },
    body,
    caller,
  )
  if (facts.fault !== undefined) throw facts.fault
  return { response, failure: facts.failure }
}

/** A request, who sent it, and the session of its cookies. */
interface AskedBy {
  readonly request: Request
  readonly caller: Caller
  readonly sessionId: string | undefined
}

/** Returns single sign-on. The routes that call it exist only with it. */
export function ssoOf({ sso }: HttpServices): Sso {
  if (sso === undefined) throw new TypeError('Single sign-on is off.')
  return sso
}
