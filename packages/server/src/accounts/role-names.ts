import { limits } from '../base/limits.ts'
import { areTooManyRoles } from '../store/tenant-rights.ts'

/**
 * Checks the names and the number of roles. Returns the problem, or undefined if there is none. Every token
 * carries the roles, so they must be short, printable and few. A token in a tenant carries the global roles and
 * the roles in the tenant (`tenantRoles`) as two lists.
 */
export function checkRoles(
  roles: readonly string[],
  tenantRoles: readonly string[] = [],
): { readonly code: 'roles_invalid'; readonly text: string } | undefined {
  const code = 'roles_invalid'
  // Rejected here. Otherwise a later login would fail because its token is too large.
  const tooMany = areTooManyRoles(roles, tenantRoles)
  if (tooMany === 'number') {
    return { code, text: `An account has at most ${limits.rolesMax} roles.` }
  }
  if (tooMany === 'length') {
    const text = `The roles of an account have at most ${limits.rolesBytesMax} characters together.`
    return { code, text }
  }
  const isFine = (role: string): boolean =>
    role.length <= limits.roleCharsMax && /^[A-Za-z0-9][A-Za-z0-9_.:/-]*$/.test(role)
  if ([...roles, ...tenantRoles].every(isFine)) return undefined
  const text = `A role has at most ${limits.roleCharsMax} characters, of letters, digits and "_", ".", ":", "/", "-", and begins with a letter or digit.`
  return { code, text }
}
