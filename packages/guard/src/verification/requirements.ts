import type { AccessTokenClaims } from './access-token.ts'
import { isPolicy, type FreshnessPolicy } from './policy.ts'
import type { Refused } from '../refusals.ts'
import type { RequestView } from '../request/request-view.ts'

/**
 * The requirements of a route. A token must satisfy all given requirements. `FrameworkRequest` is the request type
 * that the framework passes to its handlers.
 */
export interface Requirements<FrameworkRequest = RequestView> {
  /**
   * The account must have one of these roles. Only its global roles count, unless the requirement also names a
   * `tenant`. Then the roles in that tenant count too.
   */
  readonly roles?: readonly string[]
  /**
   * The account must have all of these permissions. They come from the roles that count for `roles`. This needs
   * a feed, because the revocation feed sends the role definitions.
   */
  readonly permissions?: readonly string[]
  /**
   * The token must have all of these scopes (RFC 6749 §3.3). Only tokens of applications have scopes, so a token of a
   * direct login is refused.
   */
  readonly scopes?: readonly string[]
  /** The tenant that the token must be for. */
  readonly tenant?: TenantRequirement<FrameworkRequest>
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

/**
 * The tenant that a token must be for:
 *
 * - a name (`acme`) or an id (`ten_...`),
 * - a function that returns the name or the id that the request names. If it returns `undefined` or an empty text, the
 *   request is refused. `*` has no special meaning in what it returns. An error that it throws goes to the framework's
 *   error handling, and the request is not passed on.
 * - `*`: whichever tenant the token is for. A token without a tenant is refused.
 */
export type TenantRequirement<FrameworkRequest = RequestView> =
  | typeof ANY_TENANT
  // Written like this, editors suggest `*` although any text is allowed.
  | (string & Record<never, never>)
  | ((request: FrameworkRequest) => string | undefined)

const ANY_TENANT = '*'

/** Requirements, checked and complete. */
export interface ReadRequirements {
  readonly roles: readonly string[]
  readonly permissions: readonly string[]
  readonly scopes: readonly string[]
  readonly tenant: TenantRequirement | undefined
  readonly acr: readonly string[]
  readonly maxAgeSec: number | undefined
  readonly policy: FreshnessPolicy | undefined
  /** Whether every valid token is accepted. */
  readonly isOpen: boolean
}

const NAMES = new Set(['roles', 'permissions', 'scopes', 'tenant', 'acr', 'maxAgeSec', 'policy'])

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
  const { roles, permissions, scopes, tenant, acr, maxAgeSec, policy } = requirements
  if (permissions !== undefined && !guard.hasFeed) {
    fail('permissions needs the option feed, which sends the role definitions')
  }
  if (policy !== undefined && !isPolicy(policy)) fail('policy must be strict, bounded or open')
  if (policy === 'strict' && !guard.hasFeed) fail('policy strict needs the option feed')
  if (tenant !== undefined && tenant === '') fail('tenant is empty')
  if (tenant !== undefined && typeof tenant !== 'string' && typeof tenant !== 'function') {
    fail('tenant must be a name, an id, "*" or a function')
  }
  if (maxAgeSec !== undefined && !(Number.isSafeInteger(maxAgeSec) && maxAgeSec >= 0)) {
    fail('maxAgeSec must be whole seconds of at least 0')
  }
  return {
    roles: readNames('roles', roles),
    permissions: readNames('permissions', permissions),
    scopes: readNames('scopes', scopes),
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
  const { acr, maxAgeSec, tenant } = required
  if (tenant !== undefined && !isInTenant(claims, tenant, request)) return refuse('tenant_mismatch')

  // Without a tenant in the requirement, the administrator of any customer would pass for one of ours.
  const held =
    tenant === undefined ? claims.roles : [...claims.roles, ...(claims.tenant_roles ?? [])]
  if (required.roles.length > 0 && !required.roles.some((role) => held.includes(role))) {
    return refuse('role_missing')
  }
  if (!required.permissions.every((permission) => mayDo(held, permission, roles))) {
    return refuse('permission_missing')
  }
  if (!hasScopes(claims, required.scopes)) return refuse('scope_missing')
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

/** A name and an id cannot be confused: ids contain `_`, and names do not. */
function isInTenant(
  { tid, tenant_name }: AccessTokenClaims,
  required: TenantRequirement,
  request: RequestView,
): boolean {
  if (required === ANY_TENANT) return tid !== undefined
  const named = typeof required === 'function' ? required(request) : required
  // A request that names no tenant is refused. Otherwise `undefined === undefined` would accept everybody.
  if (typeof named !== 'string' || named === '') return false
  return named === tid || named === tenant_name
}

function hasScopes({ scope = '' }: AccessTokenClaims, required: readonly string[]): boolean {
  if (required.length === 0) return true
  const held = scope.split(' ')
  return required.every((each) => held.includes(each))
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
