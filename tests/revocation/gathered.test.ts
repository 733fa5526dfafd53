import { BATCH_TYP, createBatchOpener, RevocationFeed } from '@countersign/guard/revocations'
import { createKeySet, createSigner, generateSigningKey, verifyingKeyOf } from '@countersign/jwt'
import { expect, test } from 'vitest'

import { FeedHub } from '../../packages/server/src/revocations/hub.ts'
import { createBatchSealer } from '../../packages/server/src/revocations/seal-batch.ts'
import type { Subscriber } from '../../packages/server/src/revocations/subscriber.ts'
import {
  chainAt,
  entriesAfter,
  floorBefore,
  headOf,
  ISSUER,
  ModelStore,
} from './simulation/model-store.ts'

const NOW_MS = 1_795_000_000_000
const key = generateSigningKey('ES256')
const keys = createKeySet([verifyingKeyOf(key)])

async function openHub(store: ModelStore): Promise<FeedHub> {
  return FeedHub.open({
    issuer: ISSUER,
    elapsed: () => performance.now(),
    after: (ms, call) => {
      const timer = setTimeout(call, ms)
      return () => clearTimeout(timer)
    },
    nowMs: () => NOW_MS,
    retainMs: 60_000,
    store: {
      head: async () => headOf(store.state),
      chainAt: async (position) => chainAt(store.state, position),
      tail: async (from, limit) => ({
        chain: chainAt(store.state, from),
        entries: entriesAfter(store.state, from, limit),
      }),
      floorBefore: async (at) => floorBefore(store.state, at),
      repair: async (evidence) => store.repair(evidence, NOW_MS),
      startOver: async () => store.startOver(NOW_MS),
    },
    sealer: createBatchSealer({
      issuer: ISSUER,
      signer: () => createSigner(key, { typ: BATCH_TYP }),
      macKeys: [Buffer.alloc(32, 3)],
      clock: { nowMs: () => NOW_MS },
    }),
    opener: () => createBatchOpener(keys, ISSUER),
    topics: {
      current: () => [
        { tag: 'keys', message: { type: 'keys', jwks: {}, killed: [], tag: 'keys' } },
      ],
      reload: async () => {},
    },
    onEvent: () => {},
  })
}

/** Connects a real feed to the hub, without a network. */
async function connect(hub: FeedHub, name: string): Promise<RevocationFeed> {
  let nonces = 0
  const feed = new RevocationFeed({
    issuer: ISSUER,
    elapsed: () => performance.now(),
    clock: () => NOW_MS,
    batchKeys: keys,
    nonce: () => `nonce-${nonces++}-of-the-guard-${name}`,
  })
  const subscriber: Subscriber = hub.connect(name, {
    isAllowed: () => true,
    heldBackBytes: 0,
    end: () => {},
    send: (message) => expect(feed.receive(message.toString())).toMatchObject({ ok: true }),
  })
  await hub.take(subscriber, feed.opened())
  return feed
}

test('a guard that resumes between two batches, when the copy is ahead of what was sent, misses no entry', async () => {
  const store = new ModelStore()
  const hub = await openHub(store)
  const revoke = (subject: string): number =>
    store.appendAndApply({ kind: 'session', subject, strength: 'hard', at: NOW_MS })
  revoke('ses_1')
  await hub.tail.read()
  const early = await connect(hub, 'early')
  expect(early.log?.position).toBe(1)

  revoke('ses_2')
  await hub.tail.absorb()
  // The authority obeys the entry, and has not sent it.
  expect([hub.log.position, early.log?.position]).toEqual([2, 1])
  const late = await connect(hub, 'late')
  expect(late.log?.position).toBe(2)

  revoke('ses_3')
  await hub.tail.read()
  for (const feed of [early, late]) await expect.poll(() => feed.log?.position).toBe(3)

  revoke('ses_4')
  await hub.tail.read()
  expect([early.log?.position, late.log?.position]).toEqual([4, 4])
  expect(late.log?.find('session', 'ses_3')).toBe(7)
  hub.close()
})
