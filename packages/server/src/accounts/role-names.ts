import { limits } from '../base/limits.ts'

/**
 * Checks the names and the number of roles. Returns the problem, or undefined if there is none. Every token
 * carries the roles, so they must be short, printable and few.
 */
export function checkRoles(
  roles: readonly string[],
): { readonly code: 'roles_invalid'; readonly text: string } | undefined {
  const code = 'roles_invalid'
  if (new Set(roles).size > limits.rolesMax) {
    return { code, text: `An account has at most ${limits.rolesMax} roles.` }
  }
  // Rejected here. Otherwise a later login would fail because its token is too large.
  if (JSON.stringify([...new Set(roles)]).length > limits.rolesBytesMax) {
    const text = `The roles of an account have at most ${limits.rolesBytesMax} characters together.`
    return { code, text }
  }
  const isFine = (role: string): boolean =>
    role.length <= limits.roleCharsMax && /^[A-Za-z0-9][A-Za-z0-9_.:/-]*$/.test(role)
  if (roles.every(isFine)) return undefined
  const text = `A role has at most ${limits.roleCharsMax} characters, of letters, digits and "_", ".", ":", "/", "-", and begins with a letter or digit.`
  return { code, text }
}
