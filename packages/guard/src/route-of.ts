import type { Guard, RouteGuard } from './guard.ts'
import { assertPlain, type Requirements } from './verification/requirements.ts'

/**
 * Returns a guard that also enforces the requirements of one framework route. Throws a TypeError if the first
 * argument is not a guard, or if a requirement is invalid.
 */
export function routeOf<FrameworkRequest, Own>(
  guard: Guard<Own>,
  requirements: Requirements<FrameworkRequest>,
): RouteGuard<Own> {
  return assertGuard(guard).route(requirementsOf(requirements))
}

/** Returns the guard. Throws a TypeError for any other value. */
export function assertGuard<Own>(guard: Guard<Own>): Guard<Own> {
  if (typeof (guard as Partial<Guard> | undefined)?.route === 'function') return guard
  throw new TypeError('The first argument must be a guard from createGuard or combineGuards.')
}

/**
 * Wraps `tenant`, so that the route's function receives the framework's request instead of our view of it.
 */
function requirementsOf<FrameworkRequest>(
  requirements: Requirements<FrameworkRequest>,
): Requirements {
  assertPlain(requirements)
  const { tenant } = requirements
  if (typeof tenant !== 'function') return requirements as Requirements
  // The cast is safe: each adapter puts the request of its own framework into `original`.
  return { ...requirements, tenant: ({ original }) => tenant(original as FrameworkRequest) }
}
