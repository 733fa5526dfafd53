// Python counts the four separators from U+001C on as space.
// oxlint-disable-next-line no-control-regex
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/

/**
 * The text without white space at its ends, where white space is what Python's `str.strip()` takes for
 * it: the contract says so, and it is not what `String.trim()` does. A password is set and checked by
 * this one rule, or one could be set that never logs in.
 *
 * Two scans from the ends: a regular expression that looks for space before the end takes quadratic
 * time on a text with a long run of spaces in its middle.
 */
export function stripOuterSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && SPACE.test(text.charAt(start))) start += 1
  while (end > start && SPACE.test(text.charAt(end - 1))) end -= 1
  return start === 0 && end === text.length ? text : text.slice(start, end)
}
