import { JSON_DEPTH_MAX } from '../limits.ts'

/**
 * Limits for one text. `depthMax`: the deepest nesting, where `{}` is 1; default 10. `sizeMax`: the longest
 * text in UTF-16 units; default none.
 */
export interface JsonLimits {
  readonly depthMax?: number
  readonly sizeMax?: number
}

/** The parsed value, or why the text was refused. */
export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false
      readonly code: 'json_malformed' | 'json_duplicate_member' | 'json_too_deep'
    }

/**
 * Parses JSON (RFC 8259) and refuses what two parsers could read differently:
 *
 * - a member name that occurs twice in one object, also if one of them is written with escapes (RFC 7519 §4);
 * - numbers that overflow to Infinity, such as 1e400;
 * - a member named `__proto__`, which becomes a prototype in a careless copy;
 * - a byte order mark.
 *
 * A text longer than `sizeMax` is `json_malformed` and is not read. Never throws. The time is linear in the
 * text.
 */
export function parseJsonStrict(text: string, limits?: JsonLimits): JsonResult {
  if (typeof text !== 'string') return malformed
  if (limits?.sizeMax !== undefined && text.length > limits.sizeMax) return malformed

  const depthMax = limits?.depthMax ?? JSON_DEPTH_MAX

  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return malformed
  }
  if (text.length === shortestLength(value, Math.min(depthMax, JSON_DEPTH_MAX))) {
    return { ok: true, value }
  }
  const written = countWrittenMembers(text, depthMax)
  if (written === TOO_DEEP) return tooDeep
  const kept = countKeptMembers(value)
  if (kept === FORBIDDEN) return malformed
  return kept === written ? { ok: true, value } : duplicateMember
}

const malformed = Object.freeze({ ok: false, code: 'json_malformed' })
const duplicateMember = Object.freeze({ ok: false, code: 'json_duplicate_member' })
const tooDeep = Object.freeze({ ok: false, code: 'json_too_deep' })

const TOO_DEEP = -1
const FORBIDDEN = -1

const UNKNOWN = NaN

/**
 * Returns the smallest number of UTF-16 units in which JSON can express this value, or `NaN` if that is not
 * easy to see. A text of exactly that length has no room for anything besides the value: no second member of
 * the same name, no escape, no white space. Nearly all tokens are like this. Proving it here takes a quarter
 * of the time of counting their members.
 */
function shortestLength(value: unknown, depthMax: number): number {
  // Each unit of a string takes at least one unit, and an escape takes more.
  if (typeof value === 'string') return value.length + 2
  if (typeof value === 'number') return shortestNumber(value)
  if (value === true || value === null) return 4
  if (value === false) return 5
  if (typeof value !== 'object' || depthMax === 0) return UNKNOWN
  return Array.isArray(value)
    ? shortestArray(value, depthMax - 1)
    : shortestObject(value as Record<string, unknown>, depthMax - 1)
}

function shortestArray(values: readonly unknown[], depthMax: number): number {
  // Two brackets, and a comma before all values but the first.
  let length = 1 + Math.max(1, values.length)
  for (const value of values) length += shortestLength(value, depthMax)
  return length
}

function shortestObject(object: Record<string, unknown>, depthMax: number): number {
  let length = 1
  // Members that the prototype adds make the sum too long. The text is then counted like any other.
  for (const name in object) {
    if (name === '__proto__') return UNKNOWN
    const value = object[name]
    // A brace or comma, two quotes, a colon.
    length += name.length + 4
    length += typeof value === 'string' ? value.length + 2 : shortestLength(value, depthMax)
  }
  return length === 1 ? 2 : length
}

// The number of digits of a natural number. A number that ends in three zeros has a shorter form, such as
// 1e3. Negative numbers and fractions are rare in claims.
function shortestNumber(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0 || (value % 1000 === 0 && value !== 0))
    return UNKNOWN
  let digits = 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++
  return digits
}

const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c

// Counts the colons outside strings. Well-formed JSON has one for each member. The count for malformed text
// does not matter, because JSON.parse refuses it.
function countWrittenMembers(text: string, depthMax: number): number {
  const { length } = text
  let depth = 0
  let members = 0
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at + 1)
    } else if (code === COLON) {
      members++
    } else if ((code | 0x20) === 0x7b) {
      // `{` is 7b and `[` is 5b: they differ in one bit. So do `}` and `]`.
      if (++depth > depthMax) return TOO_DEEP
    } else if ((code | 0x20) === 0x7d) {
      depth--
    }
  }
  return members
}

// Returns the index of the quote that closes the string, or the length of the text. It searches natively from
// quote to quote, because most of a request body is one long token. A quote after an odd number of
// backslashes is escaped. Each backslash is counted for one quote only, so the time stays linear.
function endOfString(text: string, start: number): number {
  let quote = text.indexOf('"', start)
  while (quote !== -1 && text.charCodeAt(quote - 1) === BACKSLASH) {
    let backslashes = 1
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return quote
    quote = text.indexOf('"', quote + 1)
  }
  return quote === -1 ? text.length : quote
}

// Counts the members that JSON.parse kept. It keeps one of several members with equal names. So a duplicate
// at any depth makes this count smaller than the count of written members, however the names were escaped.
function countKeptMembers(root: unknown): number {
  if (!isOpenable(root)) return isFiniteIfNumber(root) ? 0 : FORBIDDEN
  const open: object[] = [root]
  let members = 0
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const values: readonly unknown[] = Array.isArray(node) ? node : Object.values(node)
    if (values !== node) {
      if (Object.hasOwn(node, '__proto__')) return FORBIDDEN
      members += values.length
    }
    for (const value of values) {
      if (isOpenable(value)) open.push(value)
      else if (!isFiniteIfNumber(value)) return FORBIDDEN
    }
  }
  return members
}

function isOpenable(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isFiniteIfNumber(value: unknown): boolean {
  return typeof value !== 'number' || Number.isFinite(value)
}
