import type { EpochMs } from '../base/clock.ts'
import type { FactorKind, FactorView } from '../store/factors.ts'
import type { SecondFactor } from '../store/rows.ts'
import type { FactorPolicy } from './policy.ts'
import { secondFactorOf, type Proof } from './proof.ts'

/** A way to give a second factor, as the API names it. */
export type FactorMethod = 'totp' | 'passkey' | 'recovery_code' | 'mail'

/** The facts by which the need for a second factor is decided. */
export interface FactorFacts {
  readonly factors: FactorView
  readonly proofs: readonly Proof[]
  readonly policy: FactorPolicy
  /** Whether the policy asks this account for a second factor: see `requiresFactor`. */
  readonly isRequired: boolean
  /** Whether the account has a verified address. */
  readonly hasMailbox: boolean
  /** Whether the browser is remembered. */
  readonly isTrusted: boolean
  readonly now: EpochMs
}

/** Whether a session may open with the proofs so far. */
export type FactorDecision =
  | {
      readonly kind: 'enough'
      readonly secondFactor: SecondFactor
      /** When the grace of the account ends that begins with this login. */
      readonly startsGraceUntil: EpochMs | undefined
    }
  /** The person must give one of these. */
  | { readonly kind: 'needed'; readonly methods: readonly FactorMethod[] }
  /** The account has no factor, and its grace is over: the person must enrol one of these. */
  | { readonly kind: 'enrol'; readonly factors: readonly FactorKind[] }

/**
 * Decides whether proofs are enough to open a session. Pure. Every way to sign in asks it.
 *
 * An enrolled factor is always asked for, whatever the policy. A mailed code counts only where the policy allows it, for
 * an account that the policy asks and that has nothing stronger, and not after a log-in by mail or with another
 * identity: a stolen mailbox must not be two factors, and many identities belong to a mailbox.
 */
export function decideSecondFactor(facts: FactorFacts): FactorDecision {
  const { factors, proofs, policy, isRequired, now } = facts
  // Beside a mail, a stolen laptop with its open mailbox would be a whole login. So would one with an open identity.
  const isTrusted = facts.isTrusted && !beginsInMailbox(facts)
  const hasFactor = isEnrolled(factors)
  const allowsMail = !hasFactor && isRequired && policy.mailed && proofs[0]?.kind !== 'fed'
  const given = secondFactorOf(allowsMail ? proofs : proofs.filter(isStrongOrFirst))
  if (given !== 'none') return enough(given)
  if (hasFactor)
    return isTrusted ? enough('device') : { kind: 'needed', methods: enrolledMethods(factors) }
  if (!isRequired) return enough('none')
  if (isTrusted) return enough('device')
  if (canMail(facts)) return { kind: 'needed', methods: ['mail'] }
  if (factors.dueAt === undefined && policy.graceMs > 0) return enough('none', now + policy.graceMs)
  return factors.dueAt !== undefined && now < factors.dueAt
    ? enough('none')
    : { kind: 'enrol', factors: ['totp', 'passkey'] }
}

/**
 * A mailed code may be the first factor of every account. As the second one it counts only where the policy allows it,
 * whatever a client sends with its ticket.
 */
function isStrongOrFirst({ kind }: Proof, index: number): boolean {
  return kind !== 'mail' || index === 0
}

/** Whether an account has a factor that it must give. Pure. */
export function isEnrolled({ hasTotp, passkeys }: FactorView): boolean {
  return hasTotp || passkeys > 0
}

/** Returns the ways to give a factor that the account has enrolled, the easiest first. Pure. */
export function enrolledMethods({
  hasTotp,
  passkeys,
  recoveryCodes,
}: FactorView): readonly FactorMethod[] {
  return [
    ...(passkeys > 0 ? (['passkey'] as const) : []),
    ...(hasTotp ? (['totp'] as const) : []),
    ...(recoveryCodes > 0 ? (['recovery_code'] as const) : []),
  ]
}

function canMail(facts: FactorFacts): boolean {
  return facts.policy.mailed && facts.hasMailbox && !beginsInMailbox(facts)
}

/** Whether whoever has the open mailbox of the person may have given these proofs. */
function beginsInMailbox({ proofs }: FactorFacts): boolean {
  return proofs.some(({ kind }) => kind === 'mail' || kind === 'fed')
}

function enough(secondFactor: SecondFactor, startsGraceUntil?: EpochMs): FactorDecision {
  return { kind: 'enough', secondFactor, startsGraceUntil }
}
