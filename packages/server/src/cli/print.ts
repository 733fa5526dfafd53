import { stripVTControlCharacters, styleText } from 'node:util'

/** The value of a cell. Null stands for an event that has not happened, and is printed as `never`. */
type Cell = string | number | boolean | readonly string[] | Date | null | undefined

/**
 * Prints rows as an aligned table, or with `json` as one JSON object a line. JSON keeps lists, and has times
 * in RFC 3339. Without `json`, prints `empty` if there are no rows.
 */
export function printRows(
  rows: readonly Readonly<Record<string, Cell>>[],
  options: { json: boolean; empty: string },
): void {
  if (options.json) {
    for (const row of rows) print(formatJson(row))
    return
  }
  const [first] = rows
  if (first === undefined) {
    print(options.empty)
    return
  }
  const columns = Object.keys(first)
  const cells = [columns.map(toHeading), ...rows.map((row) => columns.map((c) => toCell(row[c])))]
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)))
  for (const [i, line] of cells.entries()) {
    const text = line.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')
    print(i === 0 ? paint('bold', text.trimEnd()) : text.trimEnd())
  }
}

/**
 * Colours a text for standard output if that is a terminal with colours. `NO_COLOR` turns colours off, and
 * `FORCE_COLOR` turns them on.
 */
export function paint(style: 'bold' | 'green' | 'red', text: string): string {
  return styleText(style, text)
}

/** Prints a warning on standard error. The command goes on, and its exit code does not change. */
export function warn(text: string): void {
  process.stderr.write(`Warning: ${text}\n`)
}

/** Prints a line on standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/**
 * Formats a value as JSON. Control and invisible characters become escapes. Strangers choose the characters
 * of tokens and user agents, and a terminal would act on some of them.
 */
export function formatJson(value: unknown, indent?: number): string {
  // `JSON.stringify` does not escape C1 and bidirectional controls. The line breaks that it adds must stay.
  return JSON.stringify(value, null, indent).replace(/[^\P{C}\n]/gu, toEscapes)
}

/**
 * Formats a time in UTC, to the second: `2026-11-23 04:36:21Z`. `at` is a date or milliseconds since 1970.
 */
export function formatTime(at: number | Date): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')}Z`
}

/** Formats a span of time to two units: `2 h 5 min`. `seconds` is not negative. */
export function formatSpan(seconds: number): string {
  const whole = Math.floor(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  if (whole < 86_400)
    return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3_600)} h`
}

function toEscapes(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}

function toHeading(column: string): string {
  return column.replaceAll('_', ' ').toUpperCase()
}

/**
 * Formats a value as a cell. Clients choose names and addresses, so their escape sequences must not reach the
 * terminal.
 */
function toCell(value: Cell): string {
  return stripVTControlCharacters(toText(value)).replace(/\p{C}/gu, '\u{fffd}')
}

function toText(value: Cell): string {
  if (value === undefined) return ''
  if (value === null) return 'never'
  if (value instanceof Date) return formatTime(value)
  return typeof value === 'object' ? value.join(' ') : String(value)
}
