import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describeMachine } from './machine.ts'

export type Row = Readonly<Record<string, string | number>>

/** Prints rows as a table, writes them with the machine to bench/results, and prints the figures last. */
export function report(
  name: string,
  rows: readonly Row[],
  figures: Readonly<Record<string, number>>,
): void {
  const machine = describeMachine()
  process.stdout.write(
    `\n${name}: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Node ${machine.node}, ${machine.platform}\n\n`,
  )
  printTable(rows)
  const folder = join(import.meta.dirname, '../results')
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, `${name}.json`),
    `${JSON.stringify({ name, measuredAt: new Date().toISOString(), machine, rows, figures }, null, 2)}\n`,
  )
  process.stdout.write('\n')
  for (const [figure, value] of Object.entries(figures)) {
    process.stdout.write(`figure: ${figure} ${value}\n`)
  }
}

function printTable(rows: readonly Row[]): void {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const lines = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '')))]
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)))
  for (const line of lines) {
    process.stdout.write(`${line.map((cell, i) => cell.padStart(widths[i]!)).join('  ')}\n`)
  }
}

/** Rounds to three significant digits. More would be noise. */
export function round(value: number): number {
  return Number(value.toPrecision(3))
}
