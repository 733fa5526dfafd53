import { limits } from '../base/limits.ts'
import { stripOuterSpace } from '../base/text.ts'

// No username holds a control character.
const NOBODYS_KEY = '\0'

/**
 * The key under which a username is found: one account a person, whatever the spelling. Compatibility
 * forms are unified (NFKC) and case is folded; a username that cannot exist has a key that no
 * account has.
 */
export function usernameKey(username: string): string {
  // Bringing combining marks into order takes quadratic time: 16 KiB of them would hold up the server.
  if (username.length > limits.usernameCharsMax) return NOBODYS_KEY
  return username.normalize('NFKC').toLowerCase().normalize('NFKC')
}

/** Why a username cannot be taken, in words for whoever chose it; undefined when it can. */
export function checkUsername(username: string): string | undefined {
  if (username === '') return 'A username must not be empty.'
  if (username !== stripOuterSpace(username))
    return 'A username must not begin or end with a space.'
  if (!username.isWellFormed()) return 'A username must be valid Unicode.'
  // Control, format (zero-width, bidirectional), surrogate, private and unassigned characters, and
  // line separators: what a person cannot see can make two names look like one.
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(username)) {
    return 'A username must not contain control or invisible characters.'
  }
  if (
    usernameKey(username).length > limits.usernameCharsMax ||
    username.length > limits.usernameCharsMax
  ) {
    return `A username has at most ${limits.usernameCharsMax} characters.`
  }
  return undefined
}
