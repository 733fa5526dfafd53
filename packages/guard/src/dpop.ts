import { DpopCheck, type DpopResult } from './dpop/dpop-check.ts'
import { DPOP_RULE_NAMES, type DpopRules, readDpopRules } from './dpop/dpop-options.ts'
import type { ProvenRequest } from './dpop/proof.ts'
import { comparableUrl } from './dpop/url.ts'

export type { DpopResult } from './dpop/dpop-check.ts'
export type { DpopNonceOptions, DpopRules } from './dpop/dpop-options.ts'
export type { DpopAlgorithm } from './dpop/proof-keys.ts'
export { createReplayMemory, type DpopReplayStore } from './dpop/replays.ts'

/** A request whose sender should prove possession of a key. */
export interface DpopRequest {
  /** The values of all DPoP header lines of the request. */
  readonly proofs: readonly string[]
  /** The method of the request, such as `POST`. */
  readonly method: string
  /** The public URL of the request, as the client sees it. Query and fragment are ignored. */
  readonly url: string
  /** The access token that the request presents. Its hash must be in the proof (`ath`). */
  readonly token?: string
  /** The thumbprint that the token, code or refresh token is bound to. Another key is `token_invalid`. */
  readonly jkt?: string
  /**
   * Whether the proof may be used again. It is then not remembered. For a request that proves itself otherwise, such as a
   * login with a password: if each such proof were remembered, strangers could fill the store. Default false.
   */
  readonly mayRepeat?: boolean
}

/** Checks proofs of possession at endpoints of an authorization server. */
export interface DpopChecker {
  /** The accepted algorithms, for `dpop_signing_alg_values_supported`. */
  readonly algorithms: readonly string[]
  /**
   * Checks the proof of a request and uses it up. Returns the thumbprint of its key, or a refusal: with
   * `dpop_nonce_required` and some others, its `dpopNonce` belongs into the header `DPoP-Nonce` of the answer.
   */
  check(request: DpopRequest): Promise<DpopResult>
}

/** The options of `createDpopChecker`. */
export interface DpopCheckerOptions extends DpopRules {
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly clock?: () => number
  /** Called with what the store of used proofs threw. The request gets `dpop_unavailable`. */
  readonly onFault?: (error: unknown) => void
}

/**
 * Makes a checker of proofs by the same rules as the guard's option `dpop`, for endpoints that have no guard, such as
 * the token endpoint of an authorization server. Throws a TypeError that names the first invalid option.
 */
export function createDpopChecker(options: DpopCheckerOptions = {}): DpopChecker {
  const { clock = Date.now, onFault = () => {}, ...rules } = options
  const known: readonly string[] = DPOP_RULE_NAMES
  for (const name of Object.keys(rules)) if (!known.includes(name)) fail(name, 'is not known')
  const checker = new DpopCheck(readDpopRules(rules, { clock, onFault }, fail))
  return {
    algorithms: checker.algorithms,
    async check({ proofs, url, ...request }) {
      const comparable = comparableUrl(url)
      if (comparable === undefined) throw new TypeError('url must be an http or https URL.')
      const proven: ProvenRequest = { ...request, urls: [comparable] }
      return checker.check(proofs, proven)
    },
  }
}

function fail(name: string, problem: string): never {
  throw new TypeError(`createDpopChecker: ${name} ${problem}.`)
}
