/**
 * What a route does when the guard's copy of the revocation log may be out of date. `strict` refuses after 3
 * s, `bounded` after 30 s, and `open` accepts until the token expires. A guard that has never held a lease
 * refuses under every policy.
 */
export type FreshnessPolicy = 'strict' | 'bounded' | 'open'

/** How old the copy of the log may be before the policy refuses, in milliseconds. */
export const POLICY_LIMITS_MS: Readonly<Record<Exclude<FreshnessPolicy, 'open'>, number>> = {
  strict: 3_000,
  bounded: 30_000,
}

/** Whether a value is a policy. */
export function isPolicy(value: unknown): value is FreshnessPolicy {
  return value === 'strict' || value === 'bounded' || value === 'open'
}
