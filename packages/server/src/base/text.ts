// Python also counts the four separators U+001C to U+001F as white space.
// oxlint-disable-next-line no-control-regex
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/

/**
 * Removes white space from both ends of a text, as Python's `str.strip()` does. The SimpleJWT contract
 * requires this, and `String.trim()` removes other characters. Setting and checking a password both use this
 * rule. Otherwise a person could set a password that never logs in.
 *
 * It scans from both ends. A regular expression for white space before the end takes quadratic time on a text
 * with a long run of spaces in its middle.
 */
export function stripOuterSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && SPACE.test(text.charAt(start))) start += 1
  while (end > start && SPACE.test(text.charAt(end - 1))) end -= 1
  return start === 0 && end === text.length ? text : text.slice(start, end)
}
