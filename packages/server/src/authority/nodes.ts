import { hostname } from 'node:os'

import type { Logger } from 'pino'

import { messageOf } from '../base/faults.ts'
import { randomId, type Random } from '../base/random.ts'
import { version } from '../base/version.ts'
import { ClusterNode, type NodeEvent } from '../nodes/node.ts'
import type { Timers } from '../revocations/tail.ts'
import type { Settings } from '../settings.ts'
import type { Store } from '../store/store.ts'

/** Registers this server among the nodes on its PostgreSQL. The embedded database has one server: undefined. */
export async function openNode(
  { databaseUrl }: Pick<Settings, 'databaseUrl'>,
  {
    store,
    random,
    logger,
    timers,
  }: {
    readonly store: Store
    readonly random: Random
    readonly logger: Logger
    readonly timers: Timers
  },
): Promise<ClusterNode | undefined> {
  if (databaseUrl === undefined) return undefined
  return ClusterNode.join({
    ...timers,
    store: store.nodes,
    identity: { id: `node_${randomId(random)}`, name: `${hostname()}/${process.pid}`, version },
    wallMs: () => Date.now(),
    onEvent: (event) => logNodeEvent(logger, event),
  })
}

function logNodeEvent(logger: Logger, event: NodeEvent): void {
  switch (event.event) {
    case 'heartbeats_failed':
      return logger.error({ event: event.event, error: messageOf(event.error) })
    case 'node_silent':
      return logger.warn(event)
    default:
      return logger.info(event)
  }
}
