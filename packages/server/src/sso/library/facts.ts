import type { IncomingMessage } from 'node:http'

import { Provider, type Context } from 'oidc-provider'

import type { ApplicationView, SsoRefreshChain } from '../../store/sso.ts'

/** The facts of one request to the library: those that the server knows, and those that the library reports. */
export interface RequestFacts {
  /** The session of the browser's cookies. Undefined if it has none, or none that a page of another site shows. */
  readonly sessionId: string | undefined
  readonly address: string
  readonly userAgent: string
  /** The error that no application can be told about. The person sees a page. */
  failure?: {
    readonly error: string
    readonly description: string | undefined
    readonly isExpired: boolean
  }
  /** A fault in the server. The router answers it, as in all other routes. */
  fault?: Error
  /** The head of the revocation log, read before everything that the tokens of the answer depend on. */
  position?: number
  /** The application that the library has looked up last. Its secret is compared with the same snapshot. */
  application?: ApplicationView
  /** The refresh tokens that this request rotated. */
  rotated?: SsoRefreshChain
}

const known = new WeakMap<IncomingMessage, RequestFacts>()

/** Remembers the facts of a request until it is answered. */
export function rememberFacts(incoming: IncomingMessage, facts: RequestFacts): void {
  known.set(incoming, facts)
}

/** The facts of the request that the library answers. */
export function factsOf({ req }: Pick<Context, 'req'>): RequestFacts {
  const facts = known.get(req)
  if (facts === undefined) throw new TypeError('The request did not come through the route table.')
  return facts
}

/** The facts of the current request. Undefined outside of a request to the library. */
export function currentFacts(): RequestFacts | undefined {
  return Provider.ctx === undefined ? undefined : factsOf(Provider.ctx)
}

/** Notes an application that was just read. The first position counts, because everything else was read after it. */
export function noteApplication(view: ApplicationView): void {
  const facts = currentFacts()
  if (facts === undefined) return
  facts.position ??= view.position
  facts.application = view
}
