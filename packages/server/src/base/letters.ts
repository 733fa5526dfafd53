import type { Random } from './random.ts'

// RFC 8628 §6.1: consonants only, so that no code is a word, and no two letters look alike.
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'

/** Makes a code that people can type, in groups of four: `WDJB-MJHT`. Each letter has 4.3 random bits. */
export function newLetterCode(random: Random, groups: number): string {
  let letters = ''
  while (letters.length < 4 * groups) {
    const [byte = 0] = random.bytes(1)
    // Larger bytes would make some letters more likely.
    if (byte < 240) letters += LETTERS.charAt(byte % LETTERS.length)
  }
  return letters.replaceAll(/(.{4})(?=.)/g, '$1-')
}

/** Returns the letters of a typed code: people type it in small letters, with spaces, or without the dashes. */
export function lettersOf(code: string): string {
  return code
    .slice(0, 64)
    .toUpperCase()
    .replaceAll(/[^A-Z]/g, '')
}
