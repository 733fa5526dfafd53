import { randomBytes } from 'node:crypto'

import { isSharedSecret, SHARED_SECRET_CHARS_MIN } from '../keys/shared-secret.ts'
import { createDpopNonces, type DpopNonces } from './nonces.ts'
import { DPOP_ALGORITHMS, type DpopAlgorithm } from './proof-keys.ts'
import { createReplayMemory, type DpopReplayStore } from './replays.ts'

/** How proofs are checked. Every member has a default. */
export interface DpopRules {
  /**
   * The accepted algorithms. Default: ES256, ES384, ES512, Ed25519, PS256, PS384, PS512, RS256, RS384 and RS512. With
   * Ed25519, a proof may also have its old name `EdDSA`.
   */
  readonly algorithms?: readonly DpopAlgorithm[]
  /** How far `iat` of a proof may be from now, before or after, in seconds: 5 to 300. Default 60. */
  readonly maxAgeSec?: number
  /**
   * Whether a proof must contain a nonce of this service (RFC 9449 §9). Default false. `true` is the same as `{}`. With
   * nonces, the clocks of clients do not matter.
   */
  readonly nonces?: boolean | DpopNonceOptions
  /** Remembers used proofs. Default: the memory of this process. */
  readonly replays?: DpopReplayStore
  /**
   * How many used proofs the memory of this process holds at most: 100 to 10,000,000, at about 100 bytes each. Default
   * 1,000,000. When it is full, requests with a proof get 503.
   */
  readonly replaysMax?: number
}

/** The nonces of a service. */
export interface DpopNonceOptions {
  /** How long a nonce is accepted, in seconds: 10 to 3,600. Default 300. */
  readonly lifetimeSec?: number
  /**
   * The secret that all processes of the service share, of at least 32 characters. List the new and the old secret
   * while you replace it: the first one makes nonces. Default: random, so that only this process accepts its nonces.
   */
  readonly secret?: string | readonly string[]
  /**
   * Whether each proof needs a nonce. Default true. If false, a proof needs one only if its `iat` is too far from now: a
   * client whose clock is right sends no request twice, and a client whose clock is wrong still gets in.
   */
  readonly required?: boolean
}

/** The rules, checked and complete. */
export interface DpopSettings {
  readonly algorithms: readonly DpopAlgorithm[]
  readonly maxAgeMs: number
  readonly nonces: DpopNonces | undefined
  /** Whether each proof needs a nonce. */
  readonly needsNonce: boolean
  readonly replays: DpopReplayStore
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Called with what a store of used proofs threw. Must not throw. */
  readonly onFault: (error: unknown) => void
}

/** The names of the rules, for code that refuses unknown ones. */
export const DPOP_RULE_NAMES = [
  'algorithms',
  'maxAgeSec',
  'nonces',
  'replays',
  'replaysMax',
] as const satisfies readonly (keyof DpopRules)[]

/** Throws an error that names an option and its problem. */
type Fail = (name: string, problem: string) => never

/** Checks the rules and fills in the defaults. `fail` is called for the first invalid one, and must throw. */
export function readDpopRules(
  rules: DpopRules,
  { clock, onFault }: Pick<DpopSettings, 'clock' | 'onFault'>,
  fail: Fail,
): DpopSettings {
  const number = (name: string, value: unknown, min: number, max: number): number =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
      ? value
      : fail(name, `must be a whole number from ${min} to ${max}`)
  const entriesMax = number('dpop.replaysMax', rules.replaysMax ?? 1_000_000, 100, 10_000_000)
  return {
    algorithms: readAlgorithms(rules.algorithms ?? DPOP_ALGORITHMS, fail),
    maxAgeMs: number('dpop.maxAgeSec', rules.maxAgeSec ?? 60, 5, 300) * 1000,
    ...readNonces(rules.nonces ?? false, number, fail),
    replays: readReplays(rules.replays ?? createReplayMemory({ entriesMax, clock }), fail),
    clock,
    onFault,
  }
}

function readAlgorithms(value: unknown, fail: Fail): readonly DpopAlgorithm[] {
  const names: readonly unknown[] = Array.isArray(value) ? value : []
  const known = DPOP_ALGORITHMS.filter((each) => names.includes(each))
  if (known.length === 0 || known.length !== names.length) {
    fail('dpop.algorithms', `must be different names of ${DPOP_ALGORITHMS.join(', ')}`)
  }
  return known
}

function readReplays(value: unknown, fail: Fail): DpopReplayStore {
  const store = value as Partial<DpopReplayStore> | null
  if (typeof store !== 'object' || typeof store?.use !== 'function') {
    fail('dpop.replays', 'must be an object with the function use(id, expiresAt)')
  }
  // The check above is the proof.
  return store as DpopReplayStore
}

function readNonces(
  value: unknown,
  number: (name: string, value: unknown, min: number, max: number) => number,
  fail: Fail,
): Pick<DpopSettings, 'nonces' | 'needsNonce'> {
  if (value === false) return { nonces: undefined, needsNonce: false }
  if (value !== true && (typeof value !== 'object' || value === null || Array.isArray(value))) {
    fail('dpop.nonces', 'must be true, false or an object with lifetimeSec and secret')
  }
  const options: { readonly [Name in keyof DpopNonceOptions]?: unknown } =
    value === true ? {} : value
  for (const name of Object.keys(options)) {
    if (!['lifetimeSec', 'secret', 'required'].includes(name)) {
      fail(`dpop.nonces.${name}`, 'is not a known option')
    }
  }
  const { required = true } = options
  if (typeof required !== 'boolean') fail('dpop.nonces.required', 'must be true or false')
  const lifetimeSec = number('dpop.nonces.lifetimeSec', options.lifetimeSec ?? 300, 10, 3600)
  const nonces = createDpopNonces(readSecrets(options.secret, fail), lifetimeSec * 1000)
  return { nonces, needsNonce: required }
}

function readSecrets(value: unknown, fail: Fail): readonly [Uint8Array, ...Uint8Array[]] {
  if (value === undefined) return [randomBytes(32)]
  const [first, ...others]: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (!isSharedSecret(first) || !others.every(isSharedSecret)) {
    return fail(
      'dpop.nonces.secret',
      `must be one or more strings of at least ${SHARED_SECRET_CHARS_MIN} characters`,
    )
  }
  return [Buffer.from(first), ...others.map((secret) => Buffer.from(secret))]
}
