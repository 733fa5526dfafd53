import type { Refused } from '../refusals.ts'
import type { DpopSettings } from './dpop-options.ts'
import { KEY_MISMATCH, type Proof, type ProvenRequest, readProof } from './proof.ts'
import { ProofKeys } from './proof-keys.ts'

/** The key that a request has proved to hold, or the refusal. */
export type DpopResult = { readonly ok: true; readonly jkt: string } | Refused

/**
 * Checks proofs of possession (RFC 9449). Each proof is accepted once. The result is a promise only if the store of
 * used proofs returned one. It never throws because of a request or of that store.
 */
export class DpopCheck {
  /** The values of `algs` in a challenge (RFC 9449 §5.1 and §7.1). */
  readonly algorithms: readonly string[]
  readonly #settings: DpopSettings
  readonly #keys: ProofKeys

  constructor(settings: DpopSettings) {
    this.#settings = settings
    this.#keys = new ProofKeys(settings.algorithms)
    this.algorithms = settings.algorithms.flatMap((each) =>
      each === 'Ed25519' ? [each, 'EdDSA'] : each,
    )
  }

  /** Checks the values of all DPoP headers of a request, and uses the proof up. */
  check(proofs: readonly string[], request: ProvenRequest): DpopResult | Promise<DpopResult> {
    const now = this.#settings.clock()
    const proof = readProof(proofs, request, this.#keys)
    if (!proof.ok) {
      const code = proof.reason === KEY_MISMATCH ? 'token_invalid' : 'dpop_proof_invalid'
      return this.#refuse(code, proof.reason, now)
    }
    const expiresAt = this.#expiryOf(proof, now)
    if (typeof expiresAt !== 'number') return expiresAt
    if (request.mayRepeat === true) return { ok: true, jkt: proof.jkt }
    try {
      const used = this.#settings.replays.use(proof.id, expiresAt)
      if (typeof used === 'boolean') return this.#conclude(used, proof, now)
      return used.then(
        (isFirst) => this.#conclude(isFirst, proof, now),
        (error: unknown) => this.#fail(error),
      )
    } catch (error) {
      return this.#fail(error)
    }
  }

  /**
   * Returns the first millisecond at which a proof is not accepted any more, or the refusal of one that is not fresh. With nonces, the time in the
   * nonce counts and `iat` does not: a client whose clock is wrong can then prove possession too.
   */
  #expiryOf({ issuedAtMs, nonce }: Proof, now: number): number | Refused {
    const { nonces, needsNonce, maxAgeMs } = this.#settings
    const usesIat = nonces === undefined || (nonce === undefined && !needsNonce)
    if (usesIat && Math.abs(now - issuedAtMs) <= maxAgeMs) {
      return Math.floor(issuedAtMs + maxAgeMs) + 1
    }
    if (nonces === undefined) return this.#refuse('dpop_proof_invalid', 'dpop_iat', now)
    const reason = nonce === undefined ? 'dpop_nonce_absent' : 'dpop_nonce_invalid'
    return nonces.read(nonce, now) ?? this.#refuse('dpop_nonce_required', reason, now)
  }

  #conclude(isFirst: boolean, { jkt }: Proof, now: number): DpopResult {
    return isFirst ? { ok: true, jkt } : this.#refuse('dpop_proof_invalid', 'dpop_replayed', now)
  }

  // Without the answer of the store, the proof may be a replay.
  #fail(error: unknown): Refused {
    this.#settings.onFault(error)
    return { ok: false, code: 'dpop_unavailable', reason: 'dpop_replays_failed', isDpop: true }
  }

  #refuse(code: Refused['code'], reason: string, now: number): Refused {
    const { nonces } = this.#settings
    const refused: Refused = { ok: false, code, reason, isDpop: true }
    return nonces === undefined ? refused : { ...refused, dpopNonce: nonces.issue(now) }
  }
}
