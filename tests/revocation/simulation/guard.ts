import { decideStanding, RevocationFeed } from '@countersign/guard/revocations'
import type { KeySet } from '@countersign/jwt'

import type { SimToken } from './truth.ts'
import type { Node, NodeLink } from './node.ts'
import { ISSUER } from './model-store.ts'
import type { Variant } from './variants.ts'
import { Machine, type World } from './world.ts'

const SILENCE_MS = 2_000
const TOLERANCE_MS = 5_000

/** A service with a guard: the real feed and the real rule, connected through this world. */
export class SimGuard {
  readonly name: string
  readonly machine: Machine
  readonly #feed: RevocationFeed
  readonly #variant: Variant
  readonly #nodes: () => readonly Node[]
  /** The time until which the network between this guard and all nodes is cut. */
  #cutUntil = -1
  /** How often the authority has told this guard to ask. */
  readonly #askEveryMs: number
  #link: NodeLink | undefined
  #heardAt = 0
  #nonces = 0

  constructor(
    name: string,
    world: World,
    keys: KeySet,
    nodes: () => readonly Node[],
    variant: Variant,
  ) {
    this.name = name
    this.machine = new Machine(world)
    this.#nodes = nodes
    this.#variant = variant
    this.#askEveryMs = world.dice.between(500, 1_500)
    const { elapsed, clock } = this.machine
    this.#feed = new RevocationFeed({
      elapsed,
      clock,
      issuer: ISSUER,
      batchKeys: keys,
      nonce: () => `${name}-nonce-number-${this.#nonces++}`,
    })
    this.#connect()
    this.#ask()
  }

  get isConnected(): boolean {
    return this.#link !== undefined
  }

  /** Cuts the network for a while. Messages in transit arrive afterwards, as with TCP. */
  cut(ms: number): void {
    this.#cutUntil = Math.max(this.#cutUntil, this.machine.world.now + ms)
  }

  /** Whether a route with this limit accepts a token now. */
  accepts({ claims }: SimToken, limitMs: number): boolean {
    const { log, lease } = this.#feed
    if (log === undefined) return false
    const now = this.machine.clock()
    if (claims.exp * 1000 + TOLERANCE_MS <= now || claims.iat * 1000 > now + TOLERANCE_MS)
      return false
    const view = this.#variant.noFloor === true ? withoutFloor(log) : log
    if (decideStanding(claims, view) !== 'stands') return false
    return this.#variant.noLease === true || lease.ageMs() <= limitMs
  }

  /** Returns when a message that is sent now arrives: after a latency, and after any cut of the network. */
  arrival(before: number): number {
    const { world } = this.machine
    const at =
      world.now + world.dice.between(1, !world.isCalm && world.dice.chance(0.02) ? 1_500 : 60)
    // After a cut, lost messages are sent again one by one, each after a new wait.
    const after = this.#cutUntil > at ? this.#cutUntil + world.dice.between(0, 3_000) : at
    return Math.max(before, after)
  }

  #connect(): void {
    const node = this.machine.world.dice.pick(this.#nodes())
    if (node === undefined) return this.#reconnectLater()
    const link = node.accept(this, (text) => this.#receive(link, text))
    this.#link = link
    this.#heardAt = this.machine.elapsed()
    link.send(this.#feed.opened())
  }

  #ask(): void {
    this.machine.after(this.#askEveryMs, () => this.#ask())
    this.#feed.log?.tick(this.machine.elapsed())
    if (this.#link === undefined) return
    if (this.machine.elapsed() - this.#heardAt > this.#askEveryMs + SILENCE_MS) return this.#drop()
    this.#link.send(this.#feed.ask())
  }

  #receive(link: NodeLink, text: string): void {
    if (this.#link !== link) return
    this.#heardAt = this.machine.elapsed()
    const step = this.#feed.receive(
      this.#variant.leaseFromArrival === true ? this.#asIfNew(text) : text,
    )
    if (!step.ok) return this.#drop()
    for (const reply of step.replies) link.send(reply)
  }

  /** A lease that counts from the arrival of the echo, as if the nonce had been sent at that moment. */
  #asIfNew(text: string): string {
    const message = JSON.parse(text) as { type: string; nonce?: string }
    if (message.type !== 'echo') return text
    const asked = this.#feed.ask()
    return JSON.stringify({ ...message, nonce: asked.type === 'nonce' ? asked.nonce : '' })
  }

  #drop(): void {
    this.#link?.close()
    this.#link = undefined
    this.#reconnectLater()
  }

  #reconnectLater(): void {
    this.machine.after(this.machine.world.dice.between(50, 1_000), () => this.#connect())
  }
}

function withoutFloor(
  log: NonNullable<RevocationFeed['log']>,
): Parameters<typeof decideStanding>[1] {
  return { position: log.position, floor: 0, find: (kind, subject) => log.find(kind, subject) }
}
