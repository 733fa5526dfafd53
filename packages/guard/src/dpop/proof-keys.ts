import {
  importVerifyingKey,
  jwkThumbprint,
  type Algorithm,
  type VerifyingKey,
} from '@countersign/jwt'

/** The algorithms that a proof may have. All are asymmetric (RFC 9449 §4.3). */
export type DpopAlgorithm = Extract<
  Algorithm,
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'Ed25519'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
>

/** Every algorithm that a guard can accept, the usual ones first. */
export const DPOP_ALGORITHMS: readonly DpopAlgorithm[] = [
  'ES256',
  'Ed25519',
  'PS256',
  'RS256',
  'ES384',
  'ES512',
  'PS384',
  'PS512',
  'RS384',
  'RS512',
]

/** The key in the header of a proof, and its thumbprint (RFC 7638); or why there is none. */
export type ProofKey =
  | { readonly ok: true; readonly key: VerifyingKey; readonly jkt: string }
  | { readonly ok: false; readonly reason: string }

/**
 * Reads the public key in the header of a proof. Refuses an algorithm outside the list, and a key that is private,
 * secret, weak, on another curve, or written in another spelling. Pure.
 */
export function readProofKey(
  header: Readonly<Record<string, unknown>>,
  algorithms: readonly DpopAlgorithm[],
): ProofKey {
  const { alg: name, jwk, kid } = header
  // `EdDSA` is the name of Ed25519 before RFC 9864, and many clients still send it.
  const alg = algorithms.find((each) => each === (name === 'EdDSA' ? 'Ed25519' : name))
  if (alg === undefined) return { ok: false, reason: 'dpop_algorithm' }
  if (typeof jwk !== 'object' || jwk === null) return { ok: false, reason: 'dpop_key' }
  // The `kid` of the JWK has no meaning here. The one of the header, if any, names this key.
  const members = { ...jwk, kid: undefined, ...(name === 'EdDSA' ? { alg: name } : {}) }
  const named = typeof kid === 'string' ? { alg, kid } : { alg }
  try {
    const key = importVerifyingKey({ jwk: members }, named)
    return { ok: true, key, jkt: jwkThumbprint(jwk) }
  } catch (error) {
    // The importer throws a TypeError for each key that it does not accept.
    if (error instanceof TypeError) return { ok: false, reason: 'dpop_key' }
    throw error
  }
}

/** How many keys are remembered, at about 2 kB each. */
const KEYS_MAX = 1_000

/**
 * Remembers the keys of proofs that were accepted. A client sends the same header with each proof, and importing its
 * key costs as much as verifying the signature.
 */
export class ProofKeys {
  readonly #algorithms: readonly DpopAlgorithm[]
  readonly #known = new Map<string, ProofKey>()

  constructor(algorithms: readonly DpopAlgorithm[]) {
    this.#algorithms = algorithms
  }

  /** Returns the key of a header. `encoded` is the header as the proof contains it. */
  find(encoded: string, header: Readonly<Record<string, unknown>>): ProofKey {
    return this.#known.get(encoded) ?? readProofKey(header, this.#algorithms)
  }

  /** Remembers the key of an accepted proof, and forgets the oldest one if there are too many. */
  keep(encoded: string, key: ProofKey): void {
    if (this.#known.has(encoded)) return
    const [oldest] = this.#known.keys()
    if (oldest !== undefined && this.#known.size >= KEYS_MAX) this.#known.delete(oldest)
    this.#known.set(encoded, key)
  }
}
