import type { AccessTokenClaims } from './access-token.ts'
import { isPolicy, type FreshnessPolicy } from './policy.ts'
import type { Refused } from '../refusals.ts'
import type { RequestView } from '../request/request-view.ts'

/**
 * The requirements of a route. A token must satisfy all given requirements. `FrameworkRequest` is the request type
 * that the framework passes to its handlers.
 */
export interface Requirements<FrameworkRequest = RequestView> {
  /** The account must have one of these roles. */
  readonly roles?: readonly string[]
  /**
   * The account must have all of these permissions. This needs a feed, because the revocation feed sends the
   * role definitions.
   */
  readonly permissions?: readonly string[]
  /**
   * The id of the tenant that the token must be for (`tid`): a fixed id, or a function that reads it from the
   * request. If the function throws, the error goes to the framework's error handling, and the request is not
   * passed on.
   */
  readonly tenant?: string | ((request: FrameworkRequest) => string | undefined)
  /**
   * The token must have one of these authentication context classes (OpenID Connect Core §2). Otherwise a
   * step-up is requested.
   */
  readonly acr?: string | readonly string[]
  /** The longest accepted time since the person logged in, in seconds. After that a step-up is requested. */
  readonly maxAgeSec?: number
  /** The policy of this route. Default: the guard's. */
  readonly policy?: FreshnessPolicy
}

/** Requirements, checked and complete. */
export interface ReadRequirements {
  readonly roles: readonly string[]
  readonly permissions: readonly string[]
  readonly tenant: Requirements['tenant']
  readonly acr: readonly string[]
  readonly maxAgeSec: number | undefined
  readonly policy: FreshnessPolicy | undefined
  /** Whether every valid token is accepted. */
  readonly isOpen: boolean
}

const NAMES = new Set(['roles', 'permissions', 'tenant', 'acr', 'maxAgeSec', 'policy'])

/**
 * Checks the requirements when the route is created. Otherwise a misspelled requirement would go unnoticed.
 * Throws a TypeError that names the invalid requirement.
 */
export function readRequirements(
  requirements: Requirements,
  guard: { readonly hasFeed: boolean },
): ReadRequirements {
  assertPlain(requirements)
  for (const [name, value] of Object.entries(requirements)) {
    if (!NAMES.has(name)) fail(`${name} is not a known requirement`)
    // This happens if a setting is missing. The requirement must not disappear silently.
    if (value === undefined) fail(`${name} is undefined`)
  }
  const { roles, permissions, tenant, acr, maxAgeSec, policy } = requirements
  if (permissions !== undefined && !guard.hasFeed) {
    fail('permissions needs the option feed, which sends the role definitions')
  }
  if (policy !== undefined && !isPolicy(policy)) fail('policy must be strict, bounded or open')
  if (policy === 'strict' && !guard.hasFeed) fail('policy strict needs the option feed')
  if (tenant !== undefined && tenant === '') fail('tenant is empty')
  if (tenant !== undefined && typeof tenant !== 'string' && typeof tenant !== 'function') {
    fail('tenant must be an id or a function')
  }
  if (maxAgeSec !== undefined && !(Number.isSafeInteger(maxAgeSec) && maxAgeSec >= 0)) {
    fail('maxAgeSec must be whole seconds of at least 0')
  }
  return {
    roles: readNames('roles', roles),
    permissions: readNames('permissions', permissions),
    tenant,
    acr: readNames('acr', typeof acr === 'string' ? [acr] : acr),
    maxAgeSec,
    policy,
    isOpen: Object.keys(requirements).every((name) => name === 'policy'),
  }
}

/**
 * Throws a TypeError for requirements that are not a plain object. Inherited and hidden properties would be
 * read in one place and overlooked in another.
 */
export function assertPlain(value: unknown): void {
  const isObject = typeof value === 'object' && value !== null
  const prototype: unknown = isObject ? Object.getPrototypeOf(value) : undefined
  // An object of another realm has that realm's root prototype, which is not ours but is empty too.
  const isRoot =
    prototype === null ||
    (typeof prototype === 'object' &&
      Object.getPrototypeOf(prototype) === null &&
      Object.keys(prototype).length === 0)
  if (!isObject || !isRoot || Reflect.ownKeys(value).length > Object.keys(value).length) {
    fail('the requirements must be a plain object')
  }
}

function readNames(name: string, value: unknown): readonly string[] {
  if (value === undefined) return []
  const isList = Array.isArray(value) && value.length > 0
  // These names go into a quoted string of a header (RFC 9470 §3).
  if (!isList || !value.every((each) => typeof each === 'string' && /^[!#-[\]-~]+$/.test(each))) {
    fail(`${name} must be at least one name without spaces, quotes and backslashes`)
  }
  // A copy, so that emptying the caller's array later does not open the route.
  return [...(value as readonly string[])]
}

function fail(problem: string): never {
  throw new TypeError(`requireAuth: ${problem}.`)
}

/** The values that a decision needs besides the claims. */
export interface AccessContext {
  readonly request: RequestView
  /** The permissions of each role. */
  readonly roles: Readonly<Record<string, readonly string[]>>
  /** Milliseconds since 1970. */
  readonly clock: () => number
}

/**
 * Decides whether a verified token satisfies the requirements of a route. Returns undefined if it does. Pure.
 */
export function decideAccess(
  claims: AccessTokenClaims,
  required: ReadRequirements,
  { request, roles, clock }: AccessContext,
): Refused | undefined {
  const { acr, maxAgeSec } = required
  if (required.tenant !== undefined) {
    const tenant = typeof required.tenant === 'string' ? required.tenant : required.tenant(request)
    // A request that names no tenant is refused. Otherwise `undefined === undefined` would accept everybody.
    if (tenant === undefined || tenant !== claims.tid) return refuse('tenant_mismatch')
  }
  if (required.roles.length > 0 && !required.roles.some((role) => claims.roles.includes(role))) {
    return refuse('role_missing')
  }
  if (!required.permissions.every((permission) => mayDo(claims.roles, permission, roles))) {
    return refuse('permission_missing')
  }
  const isWeak = acr.length > 0 && !acr.includes(claims.acr ?? '')
  const isOld =
    maxAgeSec !== undefined && !(clock() / 1000 - (claims.auth_time ?? NaN) <= maxAgeSec)
  if (!isWeak && !isOld) return undefined
  return {
    ...refuse('insufficient_user_authentication'),
    stepUp: {
      ...(acr.length > 0 ? { acr_values: acr.join(' ') } : {}),
      ...(maxAgeSec === undefined ? {} : { max_age: String(maxAgeSec) }),
    },
  }
}

function mayDo(
  held: readonly string[],
  permission: string,
  roles: AccessContext['roles'],
): boolean {
  return held.some((role) => Object.hasOwn(roles, role) && roles[role]?.includes(permission))
}

function refuse(code: Refused['code']): Refused {
  return { ok: false, code, reason: code }
}
