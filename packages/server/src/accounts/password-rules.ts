import { domainToUnicode } from 'node:url'

import { limits } from '../base/limits.ts'
import { stripOuterSpace } from '../base/text.ts'
import { readCommonPasswords, type CommonPasswords } from './common-passwords.ts'
import { foldName } from './fold-name.ts'
import { countFreeChars, repeatedPartOf } from './predictable.ts'

/** The stable name of a reason why a new password is refused. */
export type PasswordProblemCode =
  | 'password_too_short'
  | 'password_too_long'
  | 'password_common'
  | 'password_contains_username'
  | 'password_malformed'

/** Why a new password is refused, in a sentence for whoever chose it. It never holds the password. */
export interface PasswordProblem {
  readonly code: PasswordProblemCode
  readonly text: string
}

/** What a guesser knows of an account before the first guess. */
export interface PasswordContext {
  readonly username: string
  /** Where the server is reached; of it, the host counts. */
  readonly publicUrl: string
  /** Code points, `limits.passwordCharsMin` by default. 8 at least, where there is a second factor. */
  readonly charsMin?: number
}

/**
 * Refuses a new password, or gives nothing when it is fine. Every path that sets a password comes
 * through here. After NIST SP 800-63B-4 §3.1.1.2: length and a list of what others chose, and no
 * rules about which characters there must be.
 */
export function checkNewPassword(
  password: string,
  context: PasswordContext,
): PasswordProblem | undefined {
  const charsMin = context.charsMin ?? limits.passwordCharsMin
  return checkForm(password, charsMin) ?? checkGuessable(password, context, charsMin)
}

function checkForm(password: string, charsMin: number): PasswordProblem | undefined {
  // First, so that nothing below has more work than this.
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
    return no('password_too_short', `A password has at least ${charsMin} characters.`)
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
  // Before the list, which has many names: this says more to whoever chose it.
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

// No list has an entry of this length, and a repetition shows at its beginning: beyond, one character may fold
// to eighteen, and everybody else would wait.
const GUESSABLE_CHARS_MAX = 256

// What is left with no more than these to know is no password, whatever else is decoration.
const FREE_CHARS_FEW = 4

/** A sequence, or a part that is too short to be a password, several times. */
function isPattern(text: string, charsMin: number): boolean {
  if (text === '') return false
  const part = repeatedPartOf(text)
  if (part !== text && [...part].length < charsMin) return true
  return countFreeChars(text) <= Math.max(FREE_CHARS_FEW, [...text].length / 3)
}

// As many as a date of birth has, which is what people put there.
const DECORATION_DIGITS_MAX = 8
const CORE_CHARS_MIN = 4

// From the first letter to the last one, and further to the digits that touch it.
const CORE = /\p{L}(?:.*\p{L})?/su
const CORE_WITH_DIGITS = /\p{L}(?:.*\p{L})?\p{N}*/su

/** Whether it is an entry of the list: as it is, doubled, with digits and signs around it, or as `p4$$w0rd`. */
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

/** Whether nothing, next to nothing or a common password is left when all context words are taken away. */
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

/** The username, the product and the host, each as a whole and in parts, the longest first. */
function wordsOf({ username, publicUrl }: PasswordContext): readonly string[] {
  const names = [username, PRODUCT, domainToUnicode(new URL(publicUrl).hostname)].map(foldName)
  const wholes = names.flatMap((name) => [name, ...name.split('@')]).map(squeeze)
  const parts = names.flatMap((name) => name.split(/[^\p{L}\p{M}\p{N}]+/u))
  return [...new Set([...wholes, ...parts])]
    .filter((word) => word.length >= CONTEXT_CHARS_MIN)
    .toSorted((a, b) => b.length - a.length)
}

/** Letters and digits alone: `correct-horse` and `correct horse` are one guess. */
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

/** With letters for the digits and signs that stand for them in `p4$$w0rd`. */
function plainLetters(text: string): string {
  return text.replace(/[@431!0$57]/g, (sign) => LETTERS_OF_SIGNS[sign] ?? sign)
}

function no(code: PasswordProblemCode, text: string): PasswordProblem {
  return { code, text }
}
