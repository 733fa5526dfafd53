import { enrolledMethods, isEnrolled, type FactorMethod } from '../factors/decide.ts'
import { summarizeProofs, type Proof } from '../factors/proof.ts'
import { giveBackTries } from '../sessions/count-try.ts'
import {
  auditContextOf,
  renew,
  type CurrentSession,
  type Renewed,
} from '../sessions/own-sessions.ts'
import { proveOwnPassword } from '../sessions/prove-own-password.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { FactorUse, FactorView } from '../store/factors.ts'
import type { Session } from '../store/rows.ts'
import { noticesOf } from './notices.ts'
import { proveFactor, type PresentedFactor } from './prove-factor.ts'
import type { FactorServices } from './services.ts'

/** A way to confirm who one is. */
export type StepUpMethod = FactorMethod | 'password'

/** What a person presents for a step-up. */
export type PresentedStepUp =
  | PresentedFactor
  | { readonly method: 'password'; readonly password: string }

/**
 * Returns how the person of a session can confirm who they are. Pure. An account with a second factor must give it: the
 * password was given at the sign-in, and may be known to whoever has stolen the session.
 */
export function stepUpMethods(
  factors: FactorView,
  has: { readonly password: boolean; readonly mailbox: boolean },
): readonly StepUpMethod[] {
  if (isEnrolled(factors)) return enrolledMethods(factors)
  return [
    ...(has.password ? (['password'] as const) : []),
    ...(has.mailbox ? (['mail'] as const) : []),
  ]
}

/** Reads how the person of a session can confirm who they are. */
export async function listStepUpMethods(
  services: FactorServices,
  current: CurrentSession,
): Promise<readonly StepUpMethod[]> {
  return (await readStepUp(services, current)).methods
}

/** The methods, and the version of the account that they belong to. */
async function readStepUp(
  { sessions: { store }, byMail }: FactorServices,
  { state }: CurrentSession,
): Promise<{ readonly methods: readonly StepUpMethod[]; readonly version: number }> {
  const [factors, account] = await Promise.all([
    store.factors.view(state.account.id),
    store.accounts.get(state.account.id),
  ])
  const methods = stepUpMethods(factors, {
    password: account?.passwordHash !== undefined,
    mailbox: byMail !== undefined && account?.email?.verifiedAt !== undefined,
  })
  return { methods, version: factors.version }
}

/**
 * Raises a session by a fresh proof. The session, its refresh token and its place in the list stay; `auth_time`, `amr`
 * and `acr` change in its next token, and a soft entry makes its old tokens stale everywhere.
 */
export async function stepUp(
  services: FactorServices,
  current: CurrentSession,
  presented: PresentedStepUp,
  caller: Caller,
): Promise<Renewed | Refusal> {
  // The version is compared when the session is raised. A proof that was enough is not enough any more if the owner has
  // enrolled a factor meanwhile.
  const { methods, version } = await readStepUp(services, current)
  if (!methods.includes(presented.method)) return refuse('factor_unavailable')
  if (presented.method !== 'password') {
    const bearer = { subject: current.state.session.id, accountId: current.state.account.id }
    const proven = await proveFactor(services, bearer, presented, caller)
    return proven.ok ? raiseSession(services, current, { ...proven, version }, caller) : proven
  }
  const { sessions } = services
  const proven = await proveOwnPassword(sessions, current, presented.password, caller)
  if (!proven.ok) return proven
  await giveBackTries(sessions, proven.guesses)
  const proof: Proof = { kind: 'password', amr: ['pwd'], at: sessions.clock.nowMs() }
  return raiseSession(services, current, { proof, use: undefined, version }, caller)
}

/** A proof that raises a session, and the factor that it uses up. */
interface Raising {
  readonly proof: Proof
  readonly use: FactorUse | undefined
  /** Nothing is written if the account has another version. */
  readonly version?: number | undefined
}

/** Writes what a proof reached into the session, and mints its next access token. */
export async function raiseSession(
  services: FactorServices,
  current: CurrentSession,
  { proof, use, version }: Raising,
  caller: Caller,
): Promise<Renewed | Refusal> {
  const { sessions } = services
  const { session, account } = current.state
  const context = auditContextOf(sessions, account.id, caller)
  const raised = await sessions.store.factors.raise(
    session.id,
    raise(session, proof),
    { use, version },
    {
      ...context,
      mails: await noticesOf(services, account.id, use, caller, context.at),
    },
  )
  if (raised === 'outdated') return refuse('challenge_void')
  if (raised === 'over') return refuse('session_ended')
  if (raised === 'used') return refuse(use?.kind === 'passkey' ? 'passkey_refused' : 'factor_wrong')
  return renew(sessions, current)
}

/** What a session has after another proof. Pure. Only a factor that the person enrolled makes it a session of two factors. */
export function raise(
  session: Pick<Session, 'authenticatedAt' | 'amr' | 'acr' | 'secondFactor'>,
  proof: Proof,
): Pick<Session, 'authenticatedAt' | 'amr' | 'acr' | 'secondFactor'> {
  const isStrong = proof.kind !== 'password' && proof.kind !== 'mail'
  if (!isStrong) {
    const amr = [...new Set([...session.amr, ...proof.amr])]
    const { acr, secondFactor } = session
    return { authenticatedAt: proof.at, amr, acr, secondFactor }
  }
  // The sign-in has proved the first factor, whatever it was.
  const first: Proof = { kind: 'password', amr: session.amr, at: session.authenticatedAt }
  // Not the newest of both: the clock may have been set back since the sign-in.
  return { ...summarizeProofs([first, proof]), authenticatedAt: proof.at, secondFactor: 'given' }
}
