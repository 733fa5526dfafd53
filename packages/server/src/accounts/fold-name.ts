/**
 * Removes differences that people do not notice: compatibility forms (NFKC) and case, as Unicode's
 * `toNFKC_Casefold` does. Idempotent.
 *
 * The text is converted to upper case, because some letters are equal only there: `straße` and `STRASSE`, `ς`
 * and `σ`. It is converted to lower case first, because of the capital `ẞ`. The dotless Turkish `ı` is kept:
 * `mıke` and `mike` are two people, and neither must receive mail for the other. A long sequence of combining
 * marks takes quadratic time, so callers must limit the length.
 */
export function foldName(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\0-\x7fı]/gu, (char) => char.toUpperCase().toLowerCase())
    .normalize('NFKC')
}
