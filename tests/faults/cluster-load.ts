import { setTimeout as sleep } from 'node:timers/promises'

import { expect } from 'vitest'

import { sized } from '../../packages/server/test/support/long.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { ClusterNode } from '../cluster/node.ts'
import { HonestLoad, SESSIONS } from './honest-load.ts'
import { Probe, worstOf } from './probe.ts'
import { recordFault } from './record.ts'

/** How long a fault lasts: shorter than the grace of rotation, in which a client can repeat a refresh whose answer was lost. */
export const LASTS_MS = sized(2_000, 8_000)

const MUST_ANSWER = ['/healthz', '/.well-known/jwks.json']

export interface ClusterFault {
  /** Sorts the rows of docs/reliability.md. */
  readonly name: string
  readonly fault: string
  /** Breaks something, and returns when it is mended. Default of the time between both: {@link LASTS_MS}. */
  readonly breakAndMend: (load: HonestLoad) => Promise<void>
  /** These nodes answer health checks and keys all the time. Default: all. */
  readonly healthy?: readonly ClusterNode[]
  /** Asks the database afterwards, if it is another one. */
  readonly query?: (sql: string) => Promise<Readonly<Record<string, unknown>>[]>
}

/** The experience of clients. Times are in milliseconds. */
export interface Seen {
  readonly load: HonestLoad
  /** How long it took after the end of the fault until 50 refreshes and a log-out were acknowledged. */
  readonly backMs: number
}

/**
 * Puts nodes behind nginx under the load of honest clients, breaks something, and asserts afterwards: each answer was a
 * success, or 503 with Retry-After; nothing acknowledged is lost; nobody was logged out; and all works again without
 * anybody's help. Nginx itself never had to answer.
 */
export async function breakUnderLoad(cluster: Cluster, it: ClusterFault): Promise<Seen> {
  const load = new HonestLoad(cluster.url, { isProxied: true })
  try {
    await load.start()
    await load.untilMore({ rotations: 50, logOuts: 1 })
    const probes = (it.healthy ?? cluster.nodes).map(({ url }) => new Probe(url, MUST_ANSWER))
    load.longestGapMs = 0
    await it.breakAndMend(load)
    const answers = (await Promise.all(probes.map((probe) => probe.stop()))).flat()
    const from = performance.now()
    await load.untilMore({ rotations: 50, logOuts: 1 })
    const backMs = Math.round(performance.now() - from)
    await load.stop()

    load.expectAllIn(await (it.query?.(SESSIONS) ?? cluster.query(SESSIONS)))
    await load.expectAnswersTrue()
    for (const { statuses } of answers) expect(Object.keys(statuses)).toEqual(['200'])
    expect(load.failed.unanswered).toBe(0)
    const { rotations, logOuts } = load.acknowledged
    const health =
      answers.length === 0 ? '' : `; health checks of healthy nodes within ${worstOf(answers)} ms`
    recordFault(it.name, {
      fault: it.fault,
      outcome: `${rotations} refreshes and ${logOuts} log-outs acknowledged, none lost; ${load.failed.busy} got 503; no refresh for at most ${Math.round(load.longestGapMs)} ms${health}`,
    })
    return { load, backMs }
  } finally {
    load.close()
  }
}

/** Breaks something for {@link LASTS_MS}. */
export async function lasting(
  begin: () => Promise<void> | void,
  end: () => Promise<void> | void,
): Promise<void> {
  await begin()
  try {
    await sleep(LASTS_MS)
  } finally {
    await end()
  }
}
