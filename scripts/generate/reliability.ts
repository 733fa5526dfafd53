import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import type { Machine } from '../../bench/lib/machine.ts'
import type { FaultRecord } from '../../tests/faults/record.ts'
import { formatDay, generatedNotice, renderTable } from '../lib/markdown.ts'

/** docs/reliability.md, from the records that `npm run test:faults` writes to bench/results/faults.json. */

interface FaultResults {
  readonly measuredAt: string
  readonly machine: Machine
  readonly records: readonly FaultRecord[]
}

const RESULTS = resolve(import.meta.dirname, '../../bench/results/faults.json')

export const path = 'docs/reliability.md'

export function render(): string {
  // Written by scripts/test-faults.ts in this form.
  const { measuredAt, machine, records } = JSON.parse(readFileSync(RESULTS, 'utf8')) as FaultResults
  const { cpu, cores, memoryGib, node, platform } = machine
  return `${generatedNotice('bench/results/faults.json')}

# Reliability

\`npm run test:faults\` starts a real server, puts it under load, and breaks something: the disk, the database, the
clock, the network or the clients. Honest clients refresh, log in and log out meanwhile. They remember every answer,
retry when an answer is missing, and obey \`Retry-After\`. Afterwards the test compares the database with their answers.
It fails if one of these rules does not hold:

- A refresh that was answered is in the database.
- A session that was logged out stays ended.
- Nobody else is logged out.
- Each answer is a success, or 503 with \`Retry-After\`.

The rows with three nodes run real servers on one PostgreSQL, behind nginx. Nginx sends a request to another node when
its node does not answer (\`proxy_next_upstream error timeout non_idempotent\`, \`max_fails=0\`). These tests also fail if
a client under load gets 502 or 504.

\`npm test\` runs a short form of the same tests. The suites are in [tests/faults](../tests/faults).

## What clients saw

${renderTable(
  ['Fault', 'What clients saw'],
  records.map(({ fault, outcome }) => [fault, outcome]),
)}

Measured on ${formatDay(measuredAt)} on a shared machine: ${cpu}, ${cores} cores, ${memoryGib} GiB, Node ${node},
${platform}. The load and the server shared the cores, so the times are upper bounds.

## Not tested

- A client that repeats a refresh after the grace of rotation (10 s), because the answer was lost. Its session ends.
- A disk that reports a write as durable and loses it later.
- A power cut of a whole machine. The tests kill the process instead.
`
}
