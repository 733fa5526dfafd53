import { domainToUnicode } from 'node:url'

import { limits } from '../base/limits.ts'
import { stripOuterSpace } from '../base/text.ts'
import { hasUnusualCharacter, mixesScripts, readsAsAscii } from './confusables.ts'
import { readEmailAddress } from './email-address.ts'
import { foldName } from './fold-name.ts'

/** The stable code of the reason why a username is rejected. */
export type UsernameProblemCode = 'username_invalid' | 'username_confusable' | 'username_too_long'

/** Why a username is rejected. `text` is a sentence for the person who chose it. */
export interface UsernameProblem {
  readonly code: UsernameProblemCode
  readonly text: string
}

// No username contains a control character, so no account has this key.
const NOBODYS_KEY = '\0'

/**
 * Returns the key under which a username is stored and found. Spellings that differ only in compatibility
 * forms, composition, case or the form of an e-mail domain have the same key. A username that cannot exist
 * gets a key that no account has.
 *
 * Confusable names are not rejected here, so an account that older rules accepted can still be found.
 */
export function usernameKey(username: string): string {
  const read = readUsername(username)
  return 'code' in read ? NOBODYS_KEY : read.key
}

/** Checks the username of a new account. Returns why it is rejected, or undefined if it is accepted. */
export function checkUsername(username: string): UsernameProblem | undefined {
  const read = readUsername(username)
  return 'code' in read ? read : checkConfusable(username, read.key)
}

function readUsername(username: string): { readonly key: string } | UsernameProblem {
  // Ordering combining marks takes quadratic time: 16 KiB of them would block the server.
  if (username.length > limits.usernameCharsMax) return tooLong()
  if (username === '') return invalid('A username must not be empty.')
  if (!username.isWellFormed()) return invalid('A username must be valid Unicode.')
  // The checks read the folded text, because it becomes the key. NFKC can produce a space at the beginning or
  // an "@" in the middle, which a check of the original text would miss.
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

// Invisible characters make two names look like one: control, format (zero-width, bidirectional), surrogate,
// private and unassigned characters, and line separators. Fillers, variation selectors and the Braille blank
// are invisible too, although their category is letter, mark or symbol.
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u

/**
 * Rejects a name that looks like another name (UTS #39 §3.1, §4, §5.2). The parts of an e-mail address are checked
 * separately, because every script is usual in front of a Latin domain.
 *
 * Both the key and the displayed name are checked: some Cyrillic capitals look like Latin capitals although
 * the small letters do not.
 */
function checkConfusable(username: string, key: string): UsernameProblem | undefined {
  const [local = '', domain] = key.split('@')
  const [shown = ''] = username.normalize('NFKC').split('@')
  // A name that folds to ASCII is the same account as that ASCII name, so it cannot be confused with it.
  const parts = isAscii(local) ? [] : [local, shown]
  if (domain !== undefined) parts.push(...domainToUnicode(domain).split('.'))
  if (parts.some(mixesScripts)) {
    return {
      code: 'username_confusable',
      text: 'A username must not mix letters of different scripts.',
    }
  }
  if (parts.some(hasUnusualCharacter)) {
    return {
      code: 'username_confusable',
      text: 'A username consists of letters, digits and signs that are usual in names.',
    }
  }
  if (parts.some(readsAsAscii)) {
    return {
      code: 'username_confusable',
      text: 'This username looks like another one in Latin letters.',
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
