import type { Guard } from './guard.ts'

/** The numbers of a guard in the text format of Prometheus (version 0.0.4). */
export function metricsText(guard: Pick<Guard, 'metrics'>): string {
  const { verified, cached, refused, feed } = guard.metrics()
  const lines = [
    '# TYPE countersign_guard_verified_total counter',
    `countersign_guard_verified_total ${verified}`,
    '# TYPE countersign_guard_cached_total counter',
    `countersign_guard_cached_total ${cached}`,
    '# TYPE countersign_guard_refused_total counter',
    ...Object.entries(refused).map(
      ([code, count]) => `countersign_guard_refused_total{code="${code}"} ${count}`,
    ),
  ]
  if (feed !== undefined) {
    const gauges = {
      feed_connected: feed.connected ? 1 : 0,
      lease_age_seconds: feed.leaseAgeMs === Infinity ? '+Inf' : feed.leaseAgeMs / 1000,
      log_position: feed.position,
      log_entries: feed.entries,
      log_bytes: feed.bytes,
    }
    for (const [name, value] of Object.entries(gauges)) {
      lines.push(`# TYPE countersign_guard_${name} gauge`, `countersign_guard_${name} ${value}`)
    }
  }
  return `${lines.join('\n')}\n`
}
