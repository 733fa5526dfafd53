import {
  BATCH_TYP,
  createBatchOpener,
  type GuardMessage,
  type LogHead,
} from '@countersign/guard/revocations'
import { createSigner, type KeySet, type SigningKey } from '@countersign/jwt'

import { FeedHub } from '../../../packages/server/src/revocations/hub.ts'
import { createBatchSealer } from '../../../packages/server/src/revocations/seal-batch.ts'
import type { Subscriber } from '../../../packages/server/src/revocations/subscriber.ts'
import type { SimGuard } from './guard.ts'
import {
  chainAt,
  entriesAfter,
  floorBefore,
  headOf,
  ISSUER,
  type ModelStore,
  type State,
} from './model-store.ts'
import { Machine, type World } from './world.ts'

/**
 * How long a token lives, and so how long entries are kept, in seconds. It is short, so that entries are
 * dropped during a test.
 */
export const LIFETIME_SEC = 45
const RETAIN_MS = (LIFETIME_SEC + 10) * 1000

/** A connection, seen from its guard. */
export interface NodeLink {
  send(message: GuardMessage): void
  close(): void
}

export interface SimulatedNodeOptions {
  readonly world: World
  readonly store: ModelStore
  /** The store that the node reads the log from: the primary, or a replica. */
  readonly read: () => State
  readonly key: SigningKey
  readonly keys: KeySet
  readonly onRepair: (kind: string) => void
}

/** An authority: the real hub on the model store, with clocks and timers of this world. */
export class Node {
  readonly machine: Machine
  readonly #options: SimulatedNodeOptions
  #hub: FeedHub | undefined
  readonly #waiting: ((hub: FeedHub) => void)[] = []

  constructor(options: SimulatedNodeOptions) {
    this.machine = new Machine(options.world)
    this.#options = options
    void this.#open()
  }

  /** Calls the store with the delay of this node. */
  async later<T>(work: () => T): Promise<T> {
    const { world } = this.#options
    await this.sleep(world.dice.between(0.2, 8))
    const result = work()
    await this.sleep(world.dice.between(0.2, 8))
    return result
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.machine.after(ms, resolve)
    })
  }

  /** Reports that something may have been written. */
  changed(): void {
    this.machine.deliver(() => this.#hub?.tail.changed())
  }

  /** Accepts a guard's connection. Messages keep their order in each direction, with a few exceptions. */
  accept(guard: SimGuard, receive: (text: string) => void): NodeLink {
    const { world } = this.#options
    const { machine } = this
    const toGuard = { at: 0 }
    const toNode = { at: 0 }
    let isOpen = true
    let subscriber: Subscriber | undefined

    const send = (direction: { at: number }, to: Machine, call: () => void): void => {
      const arrival = guard.arrival(direction.at)
      // A proxy or a hostile network may change the order.
      const isEarly = !world.isCalm && world.dice.chance(0.003)
      const at = isEarly ? world.now + 1 : arrival
      direction.at = arrival
      world.after(at - world.now, () => to.deliver(() => isOpen && call()))
    }
    this.#withHub((hub) => {
      if (!isOpen) return
      subscriber = hub.connect(guard.name, {
        send: (message) => {
          const text = message.toString()
          send(toGuard, guard.machine, () => receive(text))
        },
        heldBackBytes: 0,
        isAllowed: () => true,
        end: () => {
          isOpen = false
        },
      })
    })
    return {
      send: (message) => {
        send(toNode, machine, () => {
          if (subscriber !== undefined) void this.#hub?.take(subscriber, message)
        })
      },
      close: () => {
        isOpen = false
        if (subscriber !== undefined) this.#hub?.disconnect(subscriber)
      },
    }
  }

  end(): void {
    this.machine.end()
    this.#hub?.close()
  }

  #withHub(call: (hub: FeedHub) => void): void {
    if (this.#hub === undefined) this.#waiting.push(call)
    else call(this.#hub)
  }

  async #open(): Promise<void> {
    const { store, read, key, keys, onRepair } = this.#options
    const { elapsed, clock, after } = this.machine
    this.#hub = await FeedHub.open({
      issuer: ISSUER,
      elapsed,
      after,
      nowMs: clock,
      retainMs: RETAIN_MS,
      store: {
        head: (): Promise<LogHead> => this.later(() => headOf(read())),
        chainAt: (position) => this.later(() => chainAt(read(), position)),
        tail: (from, limit) =>
          this.later(() => ({
            chain: chainAt(read(), from),
            entries: entriesAfter(read(), from, limit),
          })),
        floorBefore: (at) => this.later(() => floorBefore(read(), at)),
        repair: (evidence) => this.later(() => store.repair(evidence, clock())),
        startOver: () => this.later(() => store.startOver(clock())),
      },
      sealer: createBatchSealer({
        issuer: ISSUER,
        signer: () => createSigner(key, { typ: BATCH_TYP }),
        macKeys: [Buffer.alloc(32, 3)],
        clock: { nowMs: clock },
      }),
      opener: () => createBatchOpener(keys, ISSUER),
      topics: {
        current: () => [
          { tag: 'keys', message: { type: 'keys', jwks: {}, killed: [], tag: 'keys' } },
        ],
        reload: async () => {},
      },
      onEvent: (event) => {
        if (event.event === 'log_repaired') onRepair(event.kind)
        if (event.event === 'revocations_unreadable') {
          throw new Error('the model store is always readable', { cause: event.error })
        }
      },
    })
    for (const call of this.#waiting.splice(0)) call(this.#hub)
    // Polls the store, because any node may have written to it.
    const poll = (): void => {
      this.#hub?.tail.changed()
      after(100, poll)
    }
    poll()
  }
}
