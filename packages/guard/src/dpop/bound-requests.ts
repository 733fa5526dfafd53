import type { RequestView } from '../request/request-view.ts'
import { DpopCheck, type DpopResult } from './dpop-check.ts'
import type { DpopSettings } from './dpop-options.ts'
import { publicUrlsOf } from './url.ts'

/** How a guard checks requests with a token that is bound to a key. */
export interface BoundRequestSettings extends DpopSettings {
  /** The public URLs of the service, without a slash at the end. */
  readonly publicUrls: readonly string[]
  /** Whether tokens that are bound to no key are refused. */
  readonly isRequired: boolean
}

interface Checked {
  readonly token: string
  readonly proof: string | undefined
  readonly result: DpopResult | Promise<DpopResult>
}

/** Checks that the sender of a request holds the key that the request's token is bound to. */
export class BoundRequests {
  readonly isRequired: boolean
  readonly algorithms: readonly string[]
  readonly #publicUrls: readonly string[]
  readonly #check: DpopCheck
  /**
   * The results of requests that were checked. Two middlewares may check one request, and each message of a socket
   * comes with the headers of its handshake. The second check of a proof would find a replay.
   */
  readonly #checked = new WeakMap<object, Checked>()

  constructor(settings: BoundRequestSettings) {
    this.isRequired = settings.isRequired
    this.#publicUrls = settings.publicUrls
    this.#check = new DpopCheck(settings)
    this.algorithms = this.#check.algorithms
  }

  /** Checks the proof of a request. `jkt` is the thumbprint that its verified token is bound to. */
  check(request: RequestView, token: string, jkt: string): DpopResult | Promise<DpopResult> {
    const proofs = request.values('dpop')
    const [proof] = proofs
    const { original } = request
    const isKnown = typeof original === 'object' && original !== null
    const before = isKnown ? this.#checked.get(original) : undefined
    if (before !== undefined && before.token === token && before.proof === proof) {
      return before.result
    }
    const urls = publicUrlsOf(request.target, this.#publicUrls)
    const result = this.#check.check(proofs, { method: request.method, urls, token, jkt })
    if (isKnown) this.#checked.set(original, { token, proof, result })
    return result
  }
}
