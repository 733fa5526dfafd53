// Detects names that look like another name, by UTS #39 (Unicode Security Mechanisms).

import { ALLOWED_RANGES, LOOK_ALIKES } from './username-data.ts'

// The scripts of UAX #31 tables 5 (recommended) and 7 (limited use), by their ISO 15924 codes. The scripts of
// table 4 are historic. Nobody has a name in them, and many of their letters look like Latin letters.
const SCRIPTS =
  'Latn Arab Armn Beng Cyrl Deva Ethi Geor Grek Gujr Guru Hebr Khmr Knda Laoo Mlym Mymr Orya Sinh ' +
  'Taml Telu Thaa Thai Tibt Adlm Bali Bamu Batk Cakm Cans Cham Cher Hmnp Java Kali Lana Lepc Limb ' +
  'Lisu Mand Mtei Newa Nkoo Olck Plrd Rohg Saur Sund Sylo Syrc Tale Talu Tavt Tfng Vaii Wcho Yiii'

// "Highly restrictive" in UTS #39 §5.2 allows Japanese, Chinese and Korean, each combined with Han and Latin.
const COMBINATIONS = ['Latn Hani Hira Kana', 'Latn Hani Bopo', 'Latn Hani Hang']

const FINE_TOGETHER = [...COMBINATIONS, ...SCRIPTS.split(' ')]
const patterns = new Map<string, RegExp>()

/**
 * Whether a name mixes letters of scripts that are not used together. Digits and signs belong to no script.
 */
export function mixesScripts(name: string): boolean {
  return !FINE_TOGETHER.some((scripts) => patternOf(scripts).test(name))
}

/** Compiles patterns on demand. Compiling all of them takes some milliseconds, and most names are Latin. */
function patternOf(scripts: string): RegExp {
  const known = patterns.get(scripts)
  if (known !== undefined) return known
  const classes = `Zyyy Zinh ${scripts}`.split(' ').map((script) => `\\p{scx=${script}}`)
  const pattern = new RegExp(`^[${classes.join('')}]*$`, 'u')
  patterns.set(scripts, pattern)
  return pattern
}

const lookAlikes = new Set(Object.values(LOOK_ALIKES).join(''))

/**
 * Whether a name reads as an ASCII name (a "whole-script confusable", UTS #39 §4): it consists of ASCII
 * characters and at least one letter that looks like one.
 */
export function readsAsAscii(name: string): boolean {
  let hasLookAlike = false
  for (const char of name) {
    if (lookAlikes.has(char)) hasLookAlike = true
    else if (char > '~') return false
  }
  return hasLookAlike
}

/**
 * Whether a name contains a character that names do not consist of (UTS #39 §3.1), or one in a place where it
 * imitates another text. Small capitals (`ᴀdmin`) and underlines that combine are for phonetics and signs, and
 * have no place in a name. Most emoji can be used.
 */
export function hasUnusualCharacter(name: string): boolean {
  if (/^[ -~]*$/.test(name)) return false
  const usual = name.replace(EMOJI, '')
  for (const char of usual) {
    const point = char.codePointAt(0) ?? 0
    if (point > 0x7e && !isAllowed(point)) return true
  }
  const bare = usual.replace(IN_CONTEXT, '')
  return ONLY_IN_CONTEXT.test(bare) || BAD_MARKS.test(usual.normalize('NFD'))
}

/** Emoji that do not consist of letters. */
const EMOJI = /(?![\u{1F100}-\u{1F1FF}])\p{Emoji_Presentation}/gu

/** Signs that look like a dot or a quote. The hyphenation point (U+2027) is for dictionaries. */
const ONLY_IN_CONTEXT = /[\u00b7\u0375\u05f3\u05f4\u2027\u30a0\u30fb]/

/**
 * These signs among the letters of their language, as RFC 5892 appendix A.3 to A.7 allows them in domains:
 * `col·lecció`, `צ׳רלי`, `マリア・ルス`.
 */
const IN_CONTEXT =
  /(?<=l)\u00b7(?=l)|(?<=\p{sc=Hebr})[\u05f3\u05f4]|(?<=[\p{scx=Hira}\p{scx=Kana}\p{sc=Han}])[\u30a0\u30fb]/giu

/**
 * Marks that stand on no letter, the same mark twice, more than four marks on a letter (UTS #39 §5.4), and
 * strokes through a letter, which have letters of their own such as `ø`.
 */
const BAD_MARKS = /(?<![\p{L}\p{M}])\p{Mn}|(\p{Mn})\1|\p{Mn}{5}|[\u0334-\u0338]/u

let allowed: { readonly starts: Uint32Array; readonly ends: Uint32Array } | undefined

function isAllowed(point: number): boolean {
  allowed ??= readRanges(ALLOWED_RANGES)
  const { starts, ends } = allowed
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((starts[middle] ?? 0) <= point) low = middle + 1
    else high = middle
  }
  return low > 0 && point < (ends[low - 1] ?? 0)
}

function readRanges(text: string): NonNullable<typeof allowed> {
  const words = text.split(' ')
  const [starts, ends] = [new Uint32Array(words.length), new Uint32Array(words.length)]
  let end = 0
  for (const [at, word] of words.entries()) {
    const [gap = '', length = '1'] = word.split('-')
    starts[at] = end + Number.parseInt(gap, 36)
    end = (starts[at] ?? 0) + Number.parseInt(length, 36)
    ends[at] = end
  }
  return { starts, ends }
}
