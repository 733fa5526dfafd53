import { JSON_DEPTH_MAX } from '../limits.ts'

/** Bounds for one text: deepest nesting (`{}` is 1; default 10), most UTF-16 units (default none). */
export interface JsonLimits {
  readonly depthMax?: number
  readonly sizeMax?: number
}

/** The value, or why there is none. */
export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false
      readonly code: 'json_malformed' | 'json_duplicate_member' | 'json_too_deep'
    }

/**
 * Parses JSON (RFC 8259) and refuses what two parsers could read differently: a member name that
 * occurs twice in one object, also when one of them is written with escapes (RFC 7519 §4); numbers
 * that overflow to Infinity, such as 1e400; a member named `__proto__`, which turns into a prototype
 * at the first careless copy; a byte order mark. Text over `sizeMax` is `json_malformed`, unread.
 * Never throws; linear in the text.
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
 * The least number of UTF-16 units in which JSON can express this value, or `NaN` where that is not
 * plain to see. A text that is no longer than its own value needs has room for nothing that the
 * value does not show: no second member of a name, no escape, no white space. So do nearly all
 * tokens look, and proving it here takes a quarter of the time of counting their members.
 */
function shortestLength(value: unknown, depthMax: number): number {
  // Each unit of a string takes at least one, an escape more.
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
  // What the prototype may add makes the sum too long, and is then counted like any other text.
  for (const name in object) {
    if (name === '__proto__') return UNKNOWN
    const value = object[name]
    // A brace or comma, two quotes, a colon.
    length += name.length + 4
    length += typeof value === 'string' ? value.length + 2 : shortestLength(value, depthMax)
  }
  return length === 1 ? 2 : length
}

// The digits of a natural number. Of those with three zeros at the end there are shorter forms, such
// as 1e3; negative numbers and fractions are rare in claims.
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

// Counts the colons outside strings: in well-formed JSON that is one for each member written. What
// is counted in malformed text does not matter, JSON.parse refuses it.
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
      // `{` is 7b and `[` is 5b: one bit apart. So are `}` and `]`.
      if (++depth > depthMax) return TOO_DEEP
    } else if ((code | 0x20) === 0x7d) {
      depth--
    }
  }
  return members
}

// The index of the quote that closes the string, or of the end of the text. A native search from
// quote to quote: most of a request body is one long token. A quote behind an odd number of
// backslashes is escaped; each backslash is counted for one quote only, so this stays linear.
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

// Counts the members that JSON.parse kept. It keeps one of those with equal names, so a duplicate at
// any depth leaves fewer here than were written, however either name was escaped.
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
