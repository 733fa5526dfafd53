import type { AccessTokenClaims } from './access-token.ts'
import { isPolicy, type FreshnessPolicy } from './policy.ts'
import type { Refused } from '../refusals.ts'
import type { RequestView } from '../request/request-view.ts'

/**
 * What a route asks of whoever calls it. All that is given must hold. `FrameworkRequest` is what the
 * framework hands to its handlers.
 */
export interface Requirements<FrameworkRequest = RequestView> {
  /** One of these roles. */
  readonly roles?: readonly string[]
  /** All of these permissions, as the role definitions in the revocation feed give them. Needs a feed. */
  readonly permissions?: readonly string[]
  /**
   * The tenant that the token must be in, by its id (`tid`): fixed, or as the request names it. What the
   * function throws reaches the framework's error handling, and the request goes no further.
   */
  readonly tenant?: string | ((request: FrameworkRequest) => string | undefined)
  /** One of these authentication context classes (OpenID Connect Core §2), or a step-up is asked for. */
  readonly acr?: string | readonly string[]
  /** Seconds since the person proved who they are, at most; beyond, a step-up is asked for. */
  readonly maxAgeSec?: number
  /** Where the guard's own does not suit this route. */
  readonly policy?: FreshnessPolicy
}

/** Requirements that were checked. */
export interface ReadRequirements {
  readonly roles: readonly string[]
  readonly permissions: readonly string[]
  readonly tenant: Requirements['tenant']
  readonly acr: readonly string[]
  readonly maxAgeSec: number | undefined
  readonly policy: FreshnessPolicy | undefined
  /** Whether every good token will do. */
  readonly isOpen: boolean
}

const NAMES = new Set(['roles', 'permissions', 'tenant', 'acr', 'maxAgeSec', 'policy'])

/**
 * Checks what a route asks for, when the route is made: a misspelt requirement must not become none.
 * Throws a TypeError that names it.
 */
export function readRequirements(
  requirements: Requirements,
  guard: { readonly hasFeed: boolean },
): ReadRequirements {
  assertPlain(requirements)
  for (const [name, value] of Object.entries(requirements)) {
    if (!NAMES.has(name)) fail(`${name} is not known`)
    // Out of a setting that is missing: what was meant to be asked for must not become nothing.
    if (value === undefined) fail(`${name} is undefined`)
  }
  const { roles, permissions, tenant, acr, maxAgeSec, policy } = requirements
  if (permissions !== undefined && !guard.hasFeed) {
    fail('permissions needs the option feed: they come with it')
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
 * Throws a TypeError for requirements that are not a plain object. Inherited and hidden properties would be read in
 * one place and overlooked in another.
 */
export function assertPlain(value: unknown): void {
  const isObject = typeof value === 'object' && value !== null
  const prototype: unknown = isObject ? Object.getPrototypeOf(value) : undefined
  // That of another realm is none of ours, and as empty.
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
  // Goes into a quoted string of a header (RFC 9470 §3).
  if (!isList || !value.every((each) => typeof each === 'string' && /^[!#-[\]-~]+$/.test(each))) {
    fail(`${name} must be names without spaces, quotes and backslashes, at least one`)
  }
  // A copy: whoever empties theirs later must not open the route.
  return [...(value as readonly string[])]
}

function fail(problem: string): never {
  throw new TypeError(`requireAuth: ${problem}.`)
}

/** What a decision rests on, beside the claims. */
export interface AccessContext {
  readonly request: RequestView
  /** What each role may do. */
  readonly roles: Readonly<Record<string, readonly string[]>>
  /** Milliseconds since 1970. */
  readonly clock: () => number
}

/** Decides whether a verified token may do what a route is for; undefined when it may. Pure. */
export function decideAccess(
  claims: AccessTokenClaims,
  required: ReadRequirements,
  { request, roles, clock }: AccessContext,
): Refused | undefined {
  const { acr, maxAgeSec } = required
  if (required.tenant !== undefined) {
    const tenant = typeof required.tenant === 'string' ? required.tenant : required.tenant(request)
    // A request that names none is refused: `undefined === undefined` would let everybody in.
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
