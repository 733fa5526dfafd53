/**
 * Removes differences that people do not notice: compatibility forms (NFKC) and case, as Unicode's
 * `toNFKC_Casefold` does. Idempotent.
 *
 * The text goes through capitals, because some letters are equal only there: `straße` and `STRASSE`, `ς`
 * and `σ`. It goes through small letters first, because of the capital `ẞ`. The dotless Turkish `ı` is
 * kept: `mıke` and `mike` are two people, and mail for one must not reach the other. A long sequence of
 * combining marks takes quadratic time, so callers bound the length.
 */
export function foldName(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\0-\x7fı]/gu, (char) => char.toUpperCase().toLowerCase())
    .normalize('NFKC')
}
