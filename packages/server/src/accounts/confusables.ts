// Detects names that look like another name, by UTS #39 (Unicode Security Mechanisms).

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

/**
 * Letters, hyphens and apostrophes that look like an ASCII character, from the confusables.txt of UTS #39
 * (Unicode 13). These are single characters of Latin, Greek, Cyrillic, Armenian, Cherokee, Canadian
 * syllabics, Lisu and no script, and the zero of Han. Scripts whose texts do not read as Latin words are left
 * out: the Hebrew name of Yossi would look like `'lo'`.
 */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  "'": 'ʹʻʼʽʾˈˊˋ˴՚՝ᑊ‘’‛′‵ꞌ',
  '-': '˗‐‒–⁃−➖',
  A: 'ΑАᎪᗅꓮ',
  B: 'ΒВᏴᗷꓐꞴ',
  C: 'СᏟꓚ',
  D: 'Ꭰᗞᗪꓓ',
  E: 'ΕЕᎬ⋿ꓰ',
  F: 'ϜᖴꓝꞘ𝈓',
  G: 'ԌᏀᏳꓖ',
  H: 'ΗНᎻᕼꓧ',
  J: 'ͿЈᎫᒍꓙꞲ',
  K: 'ΚКᏦꓗ',
  L: 'Ꮮᒪꓡ𝈪',
  M: 'ΜϺМᎷᗰꓟ',
  N: 'Νꓠ',
  O: 'ΟОՕ〇ꓳ',
  P: 'ΡРᏢᑭꓑ',
  R: 'ƦᎡᏒᖇꓣ𝈖',
  S: 'ЅՏᏕᏚꓢ',
  T: 'ΤТᎢ⊤ꓔ',
  U: 'Սᑌ∪⋃ꓴ',
  V: 'ѴᏙᐯꓦ𝈍',
  W: 'ԜᎳᏔꓪ',
  X: 'ΧХ᙭ꓫꞳ',
  Y: 'ΥУҮᎩᎽꓬ',
  Z: 'ΖᏃꓜ',
  a: 'ɑαа⍺',
  b: 'ƄЬᏏᑲᖯ',
  c: 'сᴄꮯ',
  d: 'ԁᏧᑯꓒ',
  e: 'еҽ℮ꬲ',
  f: 'քẝꞙꬵ',
  g: 'ƍɡցᶃ',
  h: 'һհᏂ',
  i: 'ıɩɪιіӏᎥ⍳ꙇꭵ',
  j: 'ϳј',
  l: 'ƖǀΙІӀ∣⏽ꓲ',
  n: 'ոռ',
  o: 'οσоօᴏᴑꬽ',
  p: 'ρр⍴',
  q: 'ԛգզ',
  r: 'гᴦꭇꭈꮁ',
  s: 'ƽѕꜱꮪ',
  u: 'ʋυսᴜꞟꭎꭒ',
  v: 'νѵᴠ∨⋁ꮩ',
  w: 'ɯѡԝաᴡꮃ',
  x: '×хᕁᕽ᙮',
  y: 'ɣʏγуүᶌỿꭚ',
  z: 'ᴢꮓ',
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
