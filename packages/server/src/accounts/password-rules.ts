import { domainToUnicode } from 'node:url'

import { limits } from '../base/limits.ts'
import { stripOuterSpace } from '../base/text.ts'
import { readCommonPasswords, type CommonPasswords } from './common-passwords.ts'
import { foldName } from './fold-name.ts'
import { countFreeChars, repeatedPartOf } from './predictable.ts'

/** The stable code of the reason why a new password is rejected. */
export type PasswordProblemCode =
  | 'password_too_short'
  | 'password_too_long'
  | 'password_common'
  | 'password_contains_username'
  | 'password_malformed'

/**
 * Why a new password is rejected. `text` is a sentence for the person who chose it, and never contains the
 * password.
 */
export interface PasswordProblem {
  readonly code: PasswordProblemCode
  readonly text: string
}

/** Facts about an account that an attacker knows before the first guess. */
export interface PasswordContext {
  readonly username: string
  /** The public URL of the server. Attackers guess passwords that are made of its host name. */
  readonly publicUrl: string
  /**
   * The smallest allowed number of code points, by default `limits.passwordCharsMin`. With a second factor,
   * at least 8.
   */
  readonly charsMin?: number
}

/**
 * Checks a new password. Returns why it is rejected, or undefined if it is accepted. `NewPasswords` calls this for
 * every new password. The rules follow NIST SP 800-63B-4 §3.1.1.2: a length and a list of common
 * passwords, but no required kinds of characters.
 */
export function checkNewPassword(
  password: string,
  context: PasswordContext,
): PasswordProblem | undefined {
  const charsMin = context.charsMin ?? limits.passwordCharsMin
  return checkForm(password, charsMin) ?? checkGuessable(password, context, charsMin)
}

function checkForm(password: string, charsMin: number): PasswordProblem | undefined {
  // Checked first, because it bounds the work of all other checks.
  if (Buffer.byteLength(password) > limits.passwordBytesMax) {
    return no('password_too_long', `A password has at most ${limits.passwordBytesMax} bytes.`)
  }
  if (password !== stripOuterSpace(password)) {
    return no('password_malformed', 'A password must not begin or end with a space.')
  }
  if (!password.isWellFormed()) {
    return no('password_malformed', 'A password must be valid Unicode.')
  }
  if (password.includes('\0')) {
    return no('password_malformed', 'A password must not contain a NUL character.')
  }
  if ([...password].length < charsMin) {
    return no(
      'password_too_short',
      `The new password is too short. Choose one of at least ${charsMin} characters.`,
    )
  }
  return undefined
}

function checkGuessable(
  password: string,
  context: PasswordContext,
  charsMin: number,
): PasswordProblem | undefined {
  const isLong = password.length > GUESSABLE_CHARS_MAX
  const typed = isLong ? password.slice(0, GUESSABLE_CHARS_MAX) : password
  const folded = foldName(typed)
  if ([typed, folded, squeeze(folded)].some((text) => isPattern(text, charsMin))) {
    return no('password_common', 'This password is a plain repetition or sequence. Choose another.')
  }
  if (isLong) return undefined
  const common = readCommonPasswords()
  // Checked before the list, which contains many names: this text is more precise.
  if (consistsOfContext(folded, wordsOf(context), common)) {
    return no(
      'password_contains_username',
      'This password is made of the username, or of the name or address of this service. Choose another.',
    )
  }
  if (isCommon(folded, common)) {
    return no('password_common', 'This password is among the most common ones. Choose another.')
  }
  return undefined
}

// No entry of the list is this long, and a repetition shows within this length. One character may fold to
// eighteen, so folding a longer text would delay other requests.
const GUESSABLE_CHARS_MAX = 256

// A password with at most this many characters to guess is rejected. The rest of it is decoration.
const FREE_CHARS_FEW = 4

/** Whether the text is a sequence, or a repetition of a part that is too short to be a password. */
function isPattern(text: string, charsMin: number): boolean {
  if (text === '') return false
  const part = repeatedPartOf(text)
  if (part !== text && [...part].length < charsMin) return true
  return countFreeChars(text) <= Math.max(FREE_CHARS_FEW, [...text].length / 3)
}

// The length of a date of birth, which people often add.
const DECORATION_DIGITS_MAX = 8
const CORE_CHARS_MIN = 4

// From the first letter to the last one; the second pattern includes the digits that follow it.
const CORE = /\p{L}(?:.*\p{L})?/su
const CORE_WITH_DIGITS = /\p{L}(?:.*\p{L})?\p{N}*/su

/**
 * Whether the list contains the text: exactly, doubled, with digits and signs around it, or as `p4$$w0rd`.
 */
function isCommon(folded: string, common: CommonPasswords): boolean {
  const cores = [CORE, CORE_WITH_DIGITS]
    .map((pattern) => pattern.exec(folded)?.[0] ?? '')
    .filter((core) => core.length >= CORE_CHARS_MIN && isDecoration(folded.replace(core, '')))
  const forms = [folded, ...cores].flatMap((form) => [form, plainLetters(form)])
  const texts = forms.flatMap((form) => [form, repeatedPartOf(squeeze(form))])
  return [...new Set(texts)].some((text) => common(text))
}

function isDecoration(text: string): boolean {
  const squeezed = squeeze(text)
  return squeezed.length <= DECORATION_DIGITS_MAX || countFreeChars(squeezed) <= FREE_CHARS_FEW
}

/** Whether nothing, very little or a common password remains when all context words are removed. */
function consistsOfContext(
  folded: string,
  words: readonly string[],
  common: CommonPasswords,
): boolean {
  return [squeeze(folded), squeeze(plainLetters(folded))].some((text) => {
    let rest = text
    for (const word of words) rest = rest.replaceAll(word, '')
    if (rest === text) return false
    return (
      countFreeChars(rest) <= FREE_CHARS_FEW ||
      (/^\p{N}+$/u.test(rest) && isDecoration(rest)) ||
      isCommon(rest, common)
    )
  })
}

const PRODUCT = 'countersign'
const CONTEXT_CHARS_MIN = 3

/** The username, the product and the host name, each whole and in parts, longest first. */
function wordsOf({ username, publicUrl }: PasswordContext): readonly string[] {
  const names = [username, PRODUCT, domainToUnicode(new URL(publicUrl).hostname)].map(foldName)
  const wholes = names.flatMap((name) => [name, ...name.split('@')]).map(squeeze)
  const parts = names.flatMap((name) => name.split(/[^\p{L}\p{M}\p{N}]+/u))
  return [...new Set([...wholes, ...parts])]
    .filter((word) => word.length >= CONTEXT_CHARS_MIN)
    .toSorted((a, b) => b.length - a.length)
}

/** Keeps only letters and digits: `correct-horse` and `correct horse` are the same guess. */
function squeeze(text: string): string {
  return text.replace(/[^\p{L}\p{M}\p{N}]+/gu, '')
}

const LETTERS_OF_SIGNS: Readonly<Record<string, string>> = {
  '@': 'a',
  '4': 'a',
  '3': 'e',
  '1': 'i',
  '!': 'i',
  '0': 'o',
  $: 's',
  '5': 's',
  '7': 't',
}

/** Replaces digits and signs with the letters that they stand for in `p4$$w0rd`. */
function plainLetters(text: string): string {
  return text.replace(/[@431!0$57]/g, (sign) => LETTERS_OF_SIGNS[sign] ?? sign)
}

function no(code: PasswordProblemCode, text: string): PasswordProblem {
  return { code, text }
}
