import { stripVTControlCharacters } from 'node:util'

/** The value of a cell. Null means that it has not happened yet, and is printed as `never`. */
type Cell = string | number | boolean | readonly string[] | Date | null | undefined

/**
 * Prints rows as an aligned table, or with `json` as one JSON object a line. JSON keeps lists and has
 * times in the form of RFC 3339. Prints `empty` when there are no rows and no `json`.
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
  for (const line of cells) {
    print(
      line
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
  }
}

/** Prints a line on standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/**
 * A value as JSON. Control and invisible characters are written as escapes: the sender of a token or
 * a user agent chooses its characters, and a terminal would act on some.
 */
export function formatJson(value: unknown, indent?: number): string {
  // JSON.stringify does not escape C1 and bidirectional controls. Its own line breaks must stay.
  return JSON.stringify(value, null, indent).replace(/[^\P{C}\n]/gu, toEscapes)
}

/** A time in UTC, to the second: `2026-11-23 04:36:21Z`. `at` is a date or milliseconds since 1970. */
export function formatTime(at: number | Date): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')}Z`
}

function toEscapes(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}

function toHeading(column: string): string {
  return column.replaceAll('_', ' ').toUpperCase()
}

/** Names and addresses come from outside. Their escape sequences must not reach the terminal. */
function toCell(value: Cell): string {
  return stripVTControlCharacters(toText(value)).replace(/\p{C}/gu, '\u{fffd}')
}

function toText(value: Cell): string {
  if (value === undefined) return ''
  if (value === null) return 'never'
  if (value instanceof Date) return formatTime(value)
  return typeof value === 'object' ? value.join(' ') : String(value)
}
