import type { EpochMs } from '../base/clock.ts'
import type { SecondFactor } from '../store/rows.ts'

/**
 * The means by which a person proved who they are. `fed`: an identity of another issuer. `application`: the application
 * vouches for the person.
 */
export type ProofKind =
  | 'password'
  | 'mail'
  | 'totp'
  | 'recovery_code'
  | 'passkey'
  | 'fed'
  | 'application'

/**
 * The result of the second step of a sign-in: evidence that the person is the owner of the account. A proof
 * only describes what was checked. A sign-in needs at least one.
 */
export interface Proof {
  readonly kind: ProofKind
  /** The methods, as RFC 8176 values: `['pwd']` for a password. Never empty. */
  readonly amr: readonly string[]
  /** The authentication context class that this proof reaches, if the application names one. */
  readonly acr?: string | undefined
  /** When the person gave the proof, in milliseconds since 1970. */
  readonly at: EpochMs
}

/** The summary of all proofs, as the session row keeps it. */
export interface Authentication {
  readonly authenticatedAt: EpochMs
  readonly amr: readonly string[]
  readonly acr: string | undefined
}

/** The `acr` of a session with two factors, named like the level of NIST SP 800-63B-4 that it follows. */
export const TWO_FACTORS = 'aal2'

/** A proof that a password, a mailbox or an application cannot replace. */
const STRONG: ReadonlySet<ProofKind> = new Set(['totp', 'recovery_code', 'passkey'])

/**
 * How proofs meet the need for a second factor. Pure. A passkey is two factors by itself: the device, and its owner's
 * gesture. `none` if there is only one factor.
 */
export function secondFactorOf(
  proofs: readonly Proof[],
): Extract<SecondFactor, 'none' | 'given' | 'vouched'> {
  if (proofs.some(({ kind }) => kind === 'passkey')) return 'given'
  const kinds = new Set(proofs.map(({ kind }) => kind))
  if (kinds.size > 1) return 'given'
  return proofs.some(({ kind, amr }) => kind === 'application' && amr.includes('mfa'))
    ? 'vouched'
    : 'none'
}

/**
 * Sums up the proofs of one sign-in. Pure. The time is that of the newest proof, and `amr` has every value once, with
 * `mfa` for two factors. `acr` is the last one that an application names, otherwise {@link TWO_FACTORS} if one factor is
 * stronger than a mailed code.
 */
export function summarizeProofs(proofs: readonly [Proof, ...Proof[]]): Authentication {
  const isTwo = secondFactorOf(proofs) !== 'none'
  const amr = [...proofs.flatMap((each) => each.amr), ...(isTwo ? ['mfa'] : [])]
  const isStrong = isTwo && proofs.some(({ kind }) => STRONG.has(kind))
  return {
    authenticatedAt: Math.max(...proofs.map(({ at }) => at)),
    amr: [...new Set(amr)],
    acr:
      proofs.findLast(({ acr }) => acr !== undefined)?.acr ?? (isStrong ? TWO_FACTORS : undefined),
  }
}
