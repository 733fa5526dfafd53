import { stripVTControlCharacters } from 'node:util'

/** What stands in a column. Null is a time at which nothing has happened yet. */
type Cell = string | number | boolean | readonly string[] | Date | null | undefined

/** Prints rows as an aligned table, or as one JSON object a line for other programs: lists, and times of RFC 3339. */
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

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/**
 * A value as JSON. Characters that a terminal acts on, or that nobody sees, are written as escapes:
 * a token or a user agent can hold what its sender wants.
 */
export function formatJson(value: unknown, indent?: number): string {
  // JSON.stringify leaves C1 controls and the bidirectional ones as they are; its own line breaks stay.
  return JSON.stringify(value, null, indent).replace(/[^\P{C}\n]/gu, toEscapes)
}

/** A time as people in all zones read it: `2026-11-23 04:36:21Z`. */
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

/** Names and addresses come from outside: no escape sequence of theirs reaches the terminal. */
function toCell(value: Cell): string {
  return stripVTControlCharacters(toText(value)).replace(/\p{C}/gu, '\u{fffd}')
}

function toText(value: Cell): string {
  if (value === undefined) return ''
  if (value === null) return 'never'
  if (value instanceof Date) return formatTime(value)
  return typeof value === 'object' ? value.join(' ') : String(value)
}
