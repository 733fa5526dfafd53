import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { describeMachine } from '../bench/lib/machine.ts'
import { RECORDS_DIR } from '../tests/faults/record.ts'
import { runStages, vitestStage } from './lib/stages.ts'
import { setUpTests } from './setup-tests.ts'

/**
 * `npm run test:faults`: breaks the disk, the database, the clock and the peers under load in the long form, and
 * writes what clients saw to bench/results/faults.json. `npm run generate` makes docs/reliability.md of it. `npm test`
 * runs a short form of the same suites.
 */
const passed =
  (await setUpTests()) &&
  (await runStages('npm run test:faults', [vitestStage('fault suites', 'faults')]))
if (passed) writeResults()
else process.exitCode = 1

function writeResults(): void {
  const records = readdirSync(RECORDS_DIR)
    .toSorted()
    .map((name): unknown => JSON.parse(readFileSync(join(RECORDS_DIR, name), 'utf8')))
  const path = join(resolve(import.meta.dirname, '..'), 'bench/results/faults.json')
  const results = { measuredAt: new Date().toISOString(), machine: describeMachine(), records }
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`)
  process.stdout.write(`Wrote ${records.length} records to bench/results/faults.json\n`)
}
