import { isEnrolled } from '../factors/decide.ts'
import { TWO_FACTORS } from '../factors/proof.ts'
import type { FactorView } from '../store/factors.ts'
import type { Session } from '../store/rows.ts'
import type { CurrentSession } from './own-sessions.ts'
import type { Refusal, SessionServices } from './services.ts'

/** What an account proves for a change of how it signs in. */
export interface FreshnessFacts {
  readonly session: Pick<Session, 'authenticatedAt' | 'secondFactor'>
  readonly factors: FactorView
  /** Whether the request itself proved the password. */
  readonly hasProvenPassword: boolean
  readonly freshMs: number
  readonly now: number
}

/** How far the clocks of the store and the server may differ. */
const SKEW_MS = 60_000

/**
 * Whether a session is fresh enough for a change that a stolen session must not make. Pure. An account with a second
 * factor must have given one lately. Otherwise a recent sign-in is enough, or the password in the request.
 */
export function isFresh({
  session,
  factors,
  hasProvenPassword,
  freshMs,
  now,
}: FreshnessFacts): boolean {
  // A proof from the future was given before the clock was set back. Nobody knows how old it is.
  const ageMs = now - session.authenticatedAt
  const isRecent = ageMs <= freshMs && ageMs >= -SKEW_MS
  if (isEnrolled(factors)) return isRecent && session.secondFactor === 'given'
  return isRecent || hasProvenPassword
}

/**
 * Returns the refusal that asks for a step-up (RFC 9470 §3) if the session is not fresh. The decision comes from the row
 * of the session, not from its token.
 */
export async function refuseUnlessFresh(
  services: SessionServices,
  current: Pick<CurrentSession, 'state'>,
  options: { readonly hasProvenPassword: boolean },
): Promise<Refusal | undefined> {
  const factors = await services.store.factors.view(current.state.session.accountId)
  return refuseIfStale(services, current, { ...options, factors })
}

/** As {@link refuseUnlessFresh}, for factors that are already read. */
export async function refuseIfStale(
  { store, factors: policy }: SessionServices,
  { state: { session } }: Pick<CurrentSession, 'state'>,
  {
    factors,
    hasProvenPassword,
  }: { readonly factors: FactorView; readonly hasProvenPassword: boolean },
): Promise<Refusal | undefined> {
  const now = store.clock.nowMs()
  const { freshMs } = policy
  if (isFresh({ session, factors, hasProvenPassword, freshMs, now })) return undefined
  return {
    ok: false,
    code: 'insufficient_user_authentication',
    stepUp: {
      max_age: String(Math.floor(freshMs / 1000)),
      ...(isEnrolled(factors) ? { acr_values: TWO_FACTORS } : {}),
    },
  }
}
