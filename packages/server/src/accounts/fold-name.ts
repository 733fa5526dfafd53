/**
 * Text without what people do not take for a difference: compatibility forms (NFKC) and case. As
 * Unicode's `toNFKC_Casefold` does, and idempotent.
 *
 * Through capitals, since some letters meet only there: `straße` and `STRASSE`, `ς` and `σ`. Small
 * letters first, for the capital `ẞ`. Not so the dotless `ı` of Turkish: `mıke` is somebody else than
 * `mike`, and mail for one must not reach the other. Text of one mark after another takes quadratic
 * time: callers bound the length.
 */
export function foldName(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\0-\x7fı]/gu, (char) => char.toUpperCase().toLowerCase())
    .normalize('NFKC')
}
