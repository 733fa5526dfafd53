import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import type { Machine } from '../../bench/lib/machine.ts'
import type { Growth } from '../../tests/soak/growth.ts'
import type { Sample } from '../../tests/soak/samples.ts'
import type { GeneratedFile } from '../generate.ts'
import { renderBarChart } from '../lib/bar-chart.ts'
import { formatDay, generatedNotice, renderTable } from '../lib/markdown.ts'

/** docs/soak.md and its chart, from what `npm run test:soak` writes to bench/results/soak.json. */

interface SoakResults {
  readonly measuredAt: string
  readonly minutes: number
  readonly machine: Machine
  readonly growth: readonly Growth[]
  readonly samples: readonly Sample[]
}

const RESULTS = resolve(import.meta.dirname, '../../bench/results/soak.json')

function read(): SoakResults {
  // Written by scripts/test-soak.ts in this form.
  return JSON.parse(readFileSync(RESULTS, 'utf8')) as SoakResults
}

export const files: readonly GeneratedFile[] = [
  { path: 'docs/soak.md', render: renderPage },
  { path: 'docs/images/soak.svg', render: renderChart },
]

function renderPage(): string {
  const { measuredAt, minutes, machine, growth, samples } = read()
  const { cpu, cores, memoryGib, node, platform } = machine
  const total = (of: (sample: Sample) => number): string =>
    samples.reduce((sum, sample) => sum + of(sample), 0).toLocaleString('en-US')
  const [first, last] = [samples[0], samples.at(-1)]
  return `${generatedNotice('bench/results/soak.json')}

# Endurance

\`npm run test:soak\` runs three nodes on one PostgreSQL behind nginx for 30 minutes, or for \`--minutes N\`. People log in,
refresh once a second, ask for a mailed code and log out. One guard at each node verifies every access token, before and
after the logout. An operator changes roles. Every 10 s the test reads memory, open handles, connections, latencies and the
sizes of the tables. The first tenth of the run is not compared, because code is compiled and caches are filled.

The test fails if the median of the last third exceeds that of the first third by more than the bound, if an
answer is neither a success nor 503, or if a guard is wrong about a token for more than 5 s.

## The last run: ${minutes} minutes

![First and last third of the run](images/soak.svg)

${renderTable(
  ['', 'First third', 'Last third', 'Allowed'],
  growth.map(({ name, unit, first: from, last: to, allowed }) => [
    name,
    `${from} ${unit}`.trim(),
    `${to} ${unit}`.trim(),
    `${allowed} ${unit}`.trim(),
  ]),
)}

Memory, heap and handles are those of the node with the most. Connections are those of all three nodes.

${renderTable(
  ['Work', 'Count'],
  [
    ['Refreshes', total((it) => it.refreshes)],
    ['Logins', total((it) => it.logins)],
    ['Logouts', total((it) => it.logouts)],
    ['Mailed codes', total((it) => it.mailedCodes)],
    ['Role changes', total((it) => it.roleChanges)],
    ['Tokens verified by guards', total((it) => it.verified)],
    ['Answers 503', total((it) => it.busy)],
    ['Wrong answers', total((it) => it.failures)],
  ],
)}

${renderTable(
  ['Table', 'First sample', 'Last sample', 'Rows at the end'],
  Object.entries(last?.tables ?? {}).map(([name, { kb, rows }]) => [
    `\`${name}\``,
    `${(first?.tables[name]?.kb ?? 0).toLocaleString('en-US')} kB`,
    `${kb.toLocaleString('en-US')} kB`,
    rows.toLocaleString('en-US'),
  ]),
)}

Tables grow by the sessions, revocations and audit lines that [retention](decisions/0009-retention.md) keeps. Refreshes add
no rows.

Measured on ${formatDay(measuredAt)} on a machine that other programs used at the same time: ${cpu}, ${cores} cores, ${memoryGib} GiB,
Node ${node}, ${platform}. Nodes, PostgreSQL, nginx and load shared the cores, so the latencies are upper bounds.
`
}

function renderChart(): string {
  const { growth, minutes, measuredAt, machine } = read()
  return renderBarChart({
    title: `Three nodes for ${minutes} minutes`,
    subtitle: 'Medians of the first and the last third of the run. Shorter is better.',
    groups: growth.map(({ name, unit, first, last }) => ({
      heading: name,
      bars: [
        { label: 'first third', value: first, text: `${first} ${unit}`.trim(), tone: 'second' },
        { label: 'last third', value: last, text: `${last} ${unit}`.trim(), tone: 'ours' },
      ],
    })),
    notes: [
      `${machine.cpu}, ${machine.cores} cores shared with other programs, Node ${machine.node}, ${formatDay(measuredAt)}`,
    ],
    scaleByGroup: true,
  })
}
