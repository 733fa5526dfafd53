import { createBatchOpener, decideStanding } from '@countersign/guard/revocations'
import type { Logger } from 'pino'

import type { Clock } from '../base/clock.ts'
import { messageOf } from '../base/faults.ts'
import type { Random } from '../base/random.ts'
import type { KeyRing } from '../keys/ring.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { ClusterNode } from '../nodes/node.ts'
import { NODE_LEASES_MS } from '../nodes/peers.ts'
import { LEASE_MS, type EffectiveReport } from '../revocations/confirmations.ts'
import { FeedHub, type HubEvent } from '../revocations/hub.ts'
import { retainMs } from '../revocations/log-copy.ts'
import { LogMirror } from '../revocations/mirror.ts'
import { createBatchSealer } from '../revocations/seal-batch.ts'
import type { Timers } from '../revocations/tail.ts'
import { createTopics } from '../revocations/topics.ts'
import type { LogQuestions } from '../sessions/services.ts'
import type { Settings } from '../settings.ts'
import type { Store } from '../store/store.ts'
import { openNode } from './nodes.ts'
import { createSettling, type Settling } from './settle.ts'

/** Settings and dependencies of the revocation feed. */
export interface FeedOptions {
  readonly settings: Settings
  readonly store: Store
  readonly ring: KeyRing
  readonly sealer: Sealer
  readonly clock: Clock
  readonly random: Random
  /** Whether no guard can hold a lease yet. */
  readonly isFirst: boolean
  readonly logger: Logger
}

/** The hub of the revocation feed, and the work that follows the revocation log. */
export interface OpenedFeed {
  readonly hub: FeedHub
  readonly log: LogQuestions
  readonly settling: Settling
  /** Resolves when a position, which was committed, is in force at the guards of all nodes. */
  readonly effective: (position: number) => Promise<EffectiveReport>
  /** Whether this server does the background work of all nodes. */
  readonly leads: () => boolean
  /** Ends all feed connections and waits. Until `close`, the server still answers requests and writes heartbeats. */
  stop(): void
  /** Stops following the log, and leaves the other nodes. Call it before the store is closed. */
  close(): Promise<void>
}

/**
 * Opens the hub of the revocation feed and, if a Redis URL is set, the mirror of the log. Every node has a mirror of
 * its own into the same Redis: see `docs/decisions/0022-nodes.md`.
 */
export async function openFeed(options: FeedOptions): Promise<OpenedFeed> {
  const { settings, store, logger } = options
  const node = await openNode(settings, { ...options, timers: systemTimers })
  let hub: FeedHub
  try {
    hub = await openHub(options, node)
  } catch (error) {
    await node?.leave()
    throw error
  }
  node?.serve(hub)
  const mirror =
    settings.redisUrl === undefined ? undefined : await openMirror(settings.redisUrl, hub, options)
  const noteAhead = createAheadWatch(hub, logger)
  const settling = createSettling(hub.tail)
  const unwatch = store.watch((mayHaveEntries) => {
    if (!mayHaveEntries) return
    settling.changed()
    hub.tail.changed()
    mirror?.changed()
  })
  return {
    hub,
    settling,
    log: {
      noteAhead,
      notePendingKey: (rvp) => {
        if (rvp > hub.log.position) noteAhead(rvp)
      },
      standingOf: async (claims, position) => {
        if (position > hub.log.position) await hub.tail.read()
        return decideStanding(claims, hub.log)
      },
    },
    effective: (position) => (node ?? hub).effective(position),
    leads: () => node?.leads() ?? true,
    stop: () => {
      hub.close()
      node?.stop()
    },
    close: async () => {
      unwatch()
      await mirror?.close()
      hub.close()
      await node?.leave()
    },
  }
}

async function openHub(options: FeedOptions, node: ClusterNode | undefined): Promise<FeedHub> {
  const { settings, store, ring, sealer, clock, isFirst, logger } = options
  const { publicUrl: issuer } = settings
  return FeedHub.open({
    issuer,
    store: store.revocations,
    sealer: createBatchSealer({
      issuer,
      signer: () => ring.logSigner,
      macKeys: sealer.deriveEach('revocations/v1', 32),
      clock,
    }),
    opener: () => createBatchOpener(ring.logKeys, issuer),
    topics: await createTopics(ring, store.roles),
    ...systemTimers,
    retainMs: retainMs(settings),
    isFirst,
    unknownMs: node === undefined ? LEASE_MS : NODE_LEASES_MS,
    mayEcho: () => node?.mayEcho() ?? true,
    nowMs: () => clock.nowMs(),
    onEvent: (event) => logHubEvent(logger, event),
  })
}

/** The Redis client is loaded only if it is used. */
async function openMirror(
  url: string,
  hub: FeedHub,
  { settings, store, ring, random, logger }: FeedOptions,
): Promise<LogMirror> {
  const { createRedisMirror } = await import('../revocations/redis-mirror.ts')
  const issuer = settings.publicUrl
  const target = createRedisMirror({ url, issuer, random, onConnect: () => mirror.forget() })
  const mirror = new LogMirror({
    ...systemTimers,
    issuer,
    target,
    tail: hub.tail,
    store: store.revocations,
    keys: ring,
    retainMs: retainMs(settings),
    onHead: (position) => hub.mirrored(position),
    onEvent: (event) => {
      if (event.event === 'mirror_ready') logger.info(event)
      else logger.error({ event: event.event, error: messageOf(event.error) })
    },
  })
  return mirror
}

const systemTimers: Timers = {
  elapsed: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
}

/** Many requests may carry tokens that are ahead of the log. One check at a time serves all of them. */
function createAheadWatch(hub: FeedHub, logger: Logger): (rvp: number) => void {
  let isBusy = false
  return (rvp) => {
    if (isBusy) return
    isBusy = true
    logger.warn({ event: 'log_behind', position: rvp })
    hub
      .tokenAhead(rvp)
      .catch((error: unknown) => logger.error({ event: 'log_behind', error: messageOf(error) }))
      .finally(() => (isBusy = false))
  }
}

function logHubEvent(logger: Logger, event: HubEvent): void {
  if (event.event === 'revocations_unreadable') {
    logger.error({ event: event.event, error: messageOf(event.error) })
  } else {
    logger.warn(event)
  }
}
