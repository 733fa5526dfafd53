import { domainToUnicode } from 'node:url'

import { limits } from '../base/limits.ts'
import { stripOuterSpace } from '../base/text.ts'
import { mixesScripts, readsAsAscii } from './confusables.ts'
import { readEmailAddress } from './email-address.ts'
import { foldName } from './fold-name.ts'

/** The stable name of a reason why a username cannot be taken. */
export type UsernameProblemCode = 'username_invalid' | 'username_confusable' | 'username_too_long'

/** Why a username cannot be taken, in a sentence for whoever chose it. */
export interface UsernameProblem {
  readonly code: UsernameProblemCode
  readonly text: string
}

// No username holds a control character.
const NOBODYS_KEY = '\0'

/**
 * The key under which a username is found: one account a person, whatever the spelling. Compatibility
 * forms, composition and case make no difference, nor does the form of an e-mail address's domain. A
 * username that cannot exist has a key that no account has.
 *
 * Whether a name is confusable is not asked here: an account that an older table let in stays found.
 */
export function usernameKey(username: string): string {
  const read = readUsername(username)
  return 'code' in read ? NOBODYS_KEY : read.key
}

/** Why a username cannot be taken; undefined when it can. For new accounts alone. */
export function checkUsername(username: string): UsernameProblem | undefined {
  const read = readUsername(username)
  return 'code' in read ? read : checkConfusable(username, read.key)
}

function readUsername(username: string): { readonly key: string } | UsernameProblem {
  // Bringing combining marks into order takes quadratic time: 16 KiB of them would hold up the server.
  if (username.length > limits.usernameCharsMax) return tooLong()
  if (username === '') return invalid('A username must not be empty.')
  if (!username.isWellFormed()) return invalid('A username must be valid Unicode.')
  // What is looked at is what the key is made of. Else NFKC could put a space to its beginning, or an
  // "@" into its middle, after the look.
  const folded = foldName(username)
  if (folded.length > limits.usernameCharsMax) return tooLong()
  if (folded !== stripOuterSpace(folded)) {
    return invalid('A username must not begin or end with a space.')
  }
  if (INVISIBLE.test(folded)) {
    return invalid('A username must not contain control or invisible characters.')
  }
  if (folded.includes('  ')) return invalid('A username must not contain two spaces in a row.')
  if (!folded.includes('@')) return { key: folded }

  const address = readEmailAddress(username.normalize('NFKC'))
  if (address === undefined) return invalid('A username with an "@" must be an e-mail address.')
  const key = `${address.local}@${address.domain}`
  return key.length > limits.usernameCharsMax ? tooLong() : { key }
}

// What a person cannot see can make two names look like one: control, format (zero-width,
// bidirectional), surrogate, private and unassigned characters, line separators; fillers and variation
// selectors, which are letters and marks by their category; the blank of Braille.
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u

/**
 * Refuses what could be taken for another name (UTS #39 §4, §5.2). The parts of an address are looked
 * at one by one: before Latin domains, every script is usual.
 *
 * Both the key and the name as it is shown: some Cyrillic capitals look like Latin ones although the
 * small letters do not.
 */
function checkConfusable(username: string, key: string): UsernameProblem | undefined {
  const [local = '', domain] = key.split('@')
  const [shown = ''] = username.normalize('NFKC').split('@')
  // Whatever its spelling, what folds to ASCII is one account with that name.
  const parts = isAscii(local) ? [] : [local, shown]
  if (domain !== undefined) parts.push(...domainToUnicode(domain).split('.'))
  if (parts.some(mixesScripts)) {
    return {
      code: 'username_confusable',
      text: 'A username must not mix letters of different scripts.',
    }
  }
  if (parts.some(readsAsAscii)) {
    return {
      code: 'username_confusable',
      text: 'This username could be taken for another one, in Latin letters.',
    }
  }
  return undefined
}

function isAscii(text: string): boolean {
  return /^[ -~]*$/.test(text)
}

function invalid(text: string): UsernameProblem {
  return { code: 'username_invalid', text }
}

function tooLong(): UsernameProblem {
  return {
    code: 'username_too_long',
    text: `A username has at most ${limits.usernameCharsMax} characters.`,
  }
}
