import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** One line of docs/reliability.md: what was broken, and what the clients saw. */
export interface FaultRecord {
  readonly fault: string
  readonly outcome: string
}

/** Where the suites leave their records. `npm run test:faults` collects them. */
export const RECORDS_DIR = join(import.meta.dirname, '../../build/reports/faults')

/** Writes what a suite measured. `name` sorts the lines and replaces the record of an earlier run. */
export function recordFault(name: string, record: FaultRecord): void {
  mkdirSync(RECORDS_DIR, { recursive: true })
  writeFileSync(join(RECORDS_DIR, `${name}.json`), `${JSON.stringify(record, null, 2)}\n`)
}
