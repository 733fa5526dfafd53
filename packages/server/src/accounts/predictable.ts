/**
 * Finds predictable texts: repetitions, and runs along the alphabet, the digits or a keyboard. An attacker
 * guesses these before any word.
 */

// The rows of keyboards, and their columns from left to right. The keyboards are QWERTY, QWERTZ, AZERTY and
// ЙЦУКЕН.
const LINES = [
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
  'azertyuiopqsdfghjklmwxcvbn',
  'йцукенгшщзхъфывапролджэячсмитьбю',
  '1234567890',
  '!@#$%^&*()_+',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
  'qazwsxedcrfvtgbyhnujmikolp',
  'zaqxswcdevfrbgtnhymjukilop',
] as const

/**
 * For each pair of neighbours in a line, the directions in which the second follows the first, one bit each.
 */
const FOLLOWS = new Map<string, number>()
for (const [at, line] of LINES.entries()) {
  const chars = [...line]
  for (const [index, char] of chars.entries()) {
    const next = chars[index + 1]
    if (next === undefined) continue
    addDirection(char + next, 1 << (2 * at))
    addDirection(next + char, 2 << (2 * at))
  }
}

function addDirection(pair: string, bit: number): void {
  FOLLOWS.set(pair, (FOLLOWS.get(pair) ?? 0) | bit)
}

// These bits lie above the bits of the lines. Each line uses two bits.
const SAME = 1 << 28
const UP = 1 << 29
const DOWN = 1 << 30

/** Returns the directions in which `next` follows `char`, one bit each. Returns 0 if it does not follow. */
function directionsOf(char: string, next: string): number {
  const step = (next.codePointAt(0) ?? 0) - (char.codePointAt(0) ?? 0)
  const along = step === 0 ? SAME : step === 1 ? UP : step === -1 ? DOWN : 0
  return along | (FOLLOWS.get(char + next) ?? 0)
}

const RUN_CHARS_MIN = 3

/**
 * Counts the characters of a text that an attacker has to guess: each run of three or more (`aaaa`,
 * `4321`, `qwertz`) counts as one. Takes linear time.
 */
export function countFreeChars(text: string): number {
  const chars = [...text]
  let free = 0
  for (let start = 0; start < chars.length;) {
    const length = runLengthAt(chars, start)
    free += 1
    start += length >= RUN_CHARS_MIN ? length : 1
  }
  return free
}

/** Returns the length of the longest run that begins at `start`. A run has one direction. */
function runLengthAt(chars: readonly string[], start: number): number {
  let directions = -1
  let end = start + 1
  for (; end < chars.length; end += 1) {
    directions &= directionsOf(chars[end - 1] ?? '', chars[end] ?? '')
    if (directions === 0) break
  }
  return end - start
}

/**
 * Returns the part that a text repeats at least twice from beginning to end: `abc` for `abcabcab`. Returns
 * the text itself if it repeats nothing. Takes linear time, with the prefix function of Knuth, Morris and
 * Pratt.
 */
export function repeatedPartOf(text: string): string {
  const borders = [0]
  let border = 0
  for (let at = 1; at < text.length; at += 1) {
    while (border > 0 && text[at] !== text[border]) border = borders[border - 1] ?? 0
    if (text[at] === text[border]) border += 1
    borders.push(border)
  }
  const period = text.length - border
  return period <= text.length / 2 ? text.slice(0, period) : text
}
