import { setImmediate as turn } from 'node:timers/promises'

import { limits } from '../base/limits.ts'
import { BATCH_ENTRIES_MAX } from './log-copy.ts'

/** The characters that are scanned before other work gets its turn: about 2 ms. */
const SLICE_CHARS = 512 * 1024
/** The longest part, as JSON: a batch with as many entries as a batch can have. */
const PART_CHARS_MAX = 2 * 1024 * 1024
/** The lists and values in one part. An entry is a list of five values. */
const PART_VALUES_MAX = 8 * BATCH_ENTRIES_MAX
/** More batches than five minutes can have. */
const PARTS_MAX = 10_000

let last: Promise<unknown> = Promise.resolve()

/**
 * Parses a long JSON text in slices, and one text at a time. `JSON.parse` would stop everything else for as
 * long as it runs, and whoever may read the feed chooses the text. `partDepth` is the number of brackets around
 * and of a part: objects and lists at this depth are parsed one by one. Returns undefined for text that is not
 * JSON, or that has too many or too long parts.
 */
export function parseLongJson(text: string, partDepth: number): Promise<unknown> {
  const result = last.then(() => parseInSlices(text, partDepth))
  last = result.catch(() => {})
  return result
}

/** Whether a text is long enough for `parseLongJson`. */
export function isLongText(text: string): boolean {
  return text.length > limits.feedMessageShortCharsMax
}

async function parseInSlices(text: string, partDepth: number): Promise<unknown> {
  const outline = await outlineOf(text, partDepth)
  if (outline === undefined) return undefined
  const parts: unknown[] = []
  let chars = 0
  try {
    for (const [from, to] of outline.parts) {
      parts.push(JSON.parse(text.slice(from, to)))
      chars += to - from
      if (chars > SLICE_CHARS / 2) {
        chars = 0
        await turn()
      }
    }
    // The outline has a marker for each part. No other text of a valid message looks like one.
    return JSON.parse(outline.text, (_name, value: unknown) =>
      typeof value === 'string' && value.startsWith(MARKER)
        ? parts[Number(value.slice(MARKER.length))]
        : value,
    ) as unknown
  } catch {
    return undefined
  }
}

interface Outline {
  /** The text with a marker in place of each part. */
  readonly text: string
  /** Where each part begins and ends in the original text. */
  readonly parts: readonly (readonly [number, number])[]
}

const MARKER = 'part:'
/** The deepest nesting of any message. */
const DEPTH_MAX = 10

async function outlineOf(text: string, partDepth: number): Promise<Outline | undefined> {
  const parts: (readonly [number, number])[] = []
  const rest: string[] = []
  let [depth, isInString, begin, end, restChars, values] = [0, false, 0, 0, 0, 0]
  for (let at = 0, pauseAt = SLICE_CHARS; at < text.length; at += 1) {
    if (at >= pauseAt) {
      pauseAt += SLICE_CHARS
      await turn()
    }
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) isInString = !isInString
    else if (isInString) at += unit === BACKSLASH ? 1 : 0
    else if (unit === COMMA) values += 1
    else if (unit === BRACKET || unit === BRACE) {
      depth += 1
      values += 1
      if (depth > DEPTH_MAX) return undefined
      if (depth === partDepth) [begin, values] = [at, 0]
    } else if (unit === BRACKET_END || unit === BRACE_END) {
      depth -= 1
      if (depth !== partDepth - 1) continue
      if (at - begin > PART_CHARS_MAX || values > PART_VALUES_MAX || parts.length >= PARTS_MAX) {
        return undefined
      }
      rest.push(text.slice(end, begin), `"${MARKER}${parts.length}"`)
      restChars += begin - end
      end = at + 1
      parts.push([begin, end])
    }
  }
  rest.push(text.slice(end))
  const isShort = restChars + text.length - end <= limits.feedMessageShortCharsMax
  return isShort ? { text: rest.join(''), parts } : undefined
}

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACKET_END, BRACE, BRACE_END] = Buffer.from('"\\,[]{}')
