import type { Guard } from './guard.ts'

/** The numbers of a guard in the text format of Prometheus (version 0.0.4). */
export function metricsText(guard: Pick<Guard, 'metrics'>): string {
  const { verified, cached, refused, feed } = guard.metrics()
  const lines = [
    ...about('verified_total', 'counter', 'Access tokens that were accepted.'),
    `countersign_guard_verified_total ${verified}`,
    ...about('cached_total', 'counter', 'Those of them that were known from before.'),
    `countersign_guard_cached_total ${cached}`,
    ...about('refused_total', 'counter', 'Requests that were refused, by code.'),
    ...Object.entries(refused).map(
      ([code, count]) => `countersign_guard_refused_total{code="${code}"} ${count}`,
    ),
  ]
  if (feed !== undefined) {
    const leaseAge = feed.leaseAgeMs === Infinity ? '+Inf' : feed.leaseAgeMs / 1000
    const gauges = [
      [
        'feed_connected',
        feed.connected ? 1 : 0,
        'Whether the last exchange with the authority went well.',
      ],
      ['lease_age_seconds', leaseAge, 'How old the copy of the revocation log may be.'],
      ['log_position', feed.position, 'The position up to which the log is known.'],
      ['log_entries', feed.entries, 'Subjects that were taken back and are remembered.'],
      ['log_bytes', feed.bytes, 'Memory of their tables.'],
    ] as const
    for (const [name, value, text] of gauges) {
      lines.push(...about(name, 'gauge', text), `countersign_guard_${name} ${value}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function about(name: string, type: 'counter' | 'gauge', text: string): readonly string[] {
  return [`# HELP countersign_guard_${name} ${text}`, `# TYPE countersign_guard_${name} ${type}`]
}
