import { partsOf } from './combine.ts'
import type { Guard, GuardMetrics } from './guard.ts'

/** The part of a guard that this file reads. */
type Measured = Pick<Guard, 'metrics' | 'issuer'>

/**
 * One metric: its name, kind and meaning, and its values with their labels. Each line also has the issuer as
 * label.
 */
interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly values: (metrics: GuardMetrics) => readonly (readonly [labels: string, value: number])[]
}

/**
 * Returns the numbers of a guard in the text format of Prometheus (version 0.0.4), labelled with its issuer.
 * Each part of a combined guard has its own lines.
 */
export function metricsText(guard: Measured): string {
  const measured = partsOf(guard).map((each) => ({
    issuer: escaped(each.issuer),
    metrics: each.metrics(),
  }))
  const lines: string[] = []
  for (const { name, type, help, values } of METRICS) {
    lines.push(
      `# HELP countersign_guard_${name} ${help}`,
      `# TYPE countersign_guard_${name} ${type}`,
    )
    for (const { issuer, metrics } of measured) {
      for (const [labels, value] of values(metrics)) {
        const text = value === Infinity ? '+Inf' : value
        lines.push(`countersign_guard_${name}{issuer="${issuer}"${labels}} ${text}`)
      }
    }
  }
  return `${lines.join('\n')}\n`
}

const METRICS: readonly Metric[] = [
  {
    name: 'verified_total',
    type: 'counter',
    help: 'Accepted access tokens, before the requirements of routes.',
    values: ({ verified }) => [['', verified]],
  },
  {
    name: 'cached_total',
    type: 'counter',
    help: 'Accepted access tokens that were found in the cache.',
    values: ({ cached }) => [['', cached]],
  },
  {
    name: 'refused_total',
    type: 'counter',
    help: 'Refusals by code, including those where a public route let the request pass.',
    values: ({ refused }) =>
      Object.entries(refused).map(([code, count]) => [`,code="${code}"`, count] as const),
  },
  ofFeed(
    'feed_connected',
    'Whether the last exchange with the authority succeeded: 1 or 0.',
    (feed) => Number(feed.connected),
  ),
  ofFeed(
    'lease_age_seconds',
    'How old the copy of the revocation log may be, in seconds.',
    ({ leaseAgeMs }) => leaseAgeMs / 1000,
  ),
  ofFeed(
    'log_position',
    'The newest position of the copy of the revocation log.',
    ({ position }) => position,
  ),
  ofFeed(
    'clock_difference_seconds',
    "By how much the authority's clock is ahead of the clock of this service, in seconds.",
    ({ clockDifferenceMs }) => clockDifferenceMs / 1000,
  ),
  ofFeed('log_entries', 'Revoked subjects in memory.', ({ entries }) => entries),
  ofFeed('log_bytes', 'Memory of the tables of revoked subjects, in bytes.', ({ bytes }) => bytes),
]

function ofFeed(
  name: string,
  help: string,
  value: (feed: NonNullable<GuardMetrics['feed']>) => number,
): Metric {
  const values: Metric['values'] = ({ feed }) => (feed === undefined ? [] : [['', value(feed)]])
  return { name, type: 'gauge', help, values }
}

function escaped(label: string): string {
  return label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
