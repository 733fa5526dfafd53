import { limits } from '../base/limits.ts'

/** Roles travel in every token: short, printable, and not many. */
export function checkRoles(
  roles: readonly string[],
): { readonly code: 'roles_invalid'; readonly text: string } | undefined {
  const code = 'roles_invalid'
  if (new Set(roles).size > limits.rolesMax) {
    return { code, text: `An account has at most ${limits.rolesMax} roles.` }
  }
  // Said to the operator now, and not by a log-in that fails later.
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
