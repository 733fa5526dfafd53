import { decideSecondFactor } from '../factors/decide.ts'
import { requiresFactor, type PolicySubject } from '../factors/policy.ts'
import { TWO_FACTORS, type Proof } from '../factors/proof.ts'
import type { GrantedSession } from '../store/rows.ts'
import type { Refusal, SessionServices } from './services.ts'

/** The part of a session by which the policy judges it. */
type Judged = Pick<GrantedSession, 'accountId' | 'amr' | 'authenticatedAt' | 'secondFactor'>

/**
 * Whether a session lacks the second factor that the policy of this moment asks for: its account got a role, it moved to
 * another tenant, or the settings changed after the sign-in. Begins the grace of an account that has none yet. Reads
 * nothing for sessions with a second factor, and for accounts that need none.
 */
export async function lacksFactor(
  services: SessionServices,
  session: Judged,
  subject: PolicySubject,
): Promise<boolean> {
  const { store, factors: policy } = services
  if (session.secondFactor !== 'none' || !requiresFactor(policy, subject)) return false
  const { accountId } = session
  const [factors, account] = await Promise.all([
    store.factors.view(accountId),
    policy.mailed ? store.accounts.get(accountId) : undefined,
  ])
  const decision = decideSecondFactor({
    factors,
    proofs: [firstProofOf(session)],
    policy,
    isRequired: true,
    hasMailbox: account?.email?.verifiedAt !== undefined,
    isTrusted: false,
    now: store.clock.nowMs(),
  })
  if (decision.kind !== 'enough') return true
  if (decision.startsGraceUntil !== undefined) {
    await store.factors.setDue(accountId, decision.startsGraceUntil)
  }
  return false
}

/** The only proof of a session without a second factor. One that was opened by mail has no password. */
function firstProofOf({ amr, authenticatedAt: at }: Judged): Proof {
  const kind = amr.includes('fed') ? 'fed' : amr.includes('otp') ? 'mail' : 'password'
  return { kind, amr, at }
}

/** The refusal of a change to a tenant that asks for a second factor: the person steps up, and tries again (RFC 9470). */
export const FACTOR_FOR_TENANT: Refusal = {
  ok: false,
  code: 'insufficient_user_authentication',
  text: 'This tenant requires a second factor. Confirm it at /auth/step-up, or set one up, and try again.',
  stepUp: { acr_values: TWO_FACTORS },
}
