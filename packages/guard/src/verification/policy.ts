/**
 * What a route does when the guard's copy of the revocation log may be out of date: `strict` refuses
 * beyond 3 s, `bounded` beyond 30 s, `open` accepts until the token expires. A guard that has never held
 * a lease refuses everywhere.
 */
export type FreshnessPolicy = 'strict' | 'bounded' | 'open'

/** How old a copy may be, in milliseconds, where something that was taken back must not be accepted. */
export const POLICY_LIMITS_MS: Readonly<Record<Exclude<FreshnessPolicy, 'open'>, number>> = {
  strict: 3_000,
  bounded: 30_000,
}

/** Whether a value is a policy. */
export function isPolicy(value: unknown): value is FreshnessPolicy {
  return value === 'strict' || value === 'bounded' || value === 'open'
}
