import { createKeySet, importSigningKey, verifyingKeyOf } from '@countersign/jwt'

import { SimGuard } from './guard.ts'
import { headOf, ISSUER, ModelStore, type State } from './model-store.ts'
import { LIFETIME_SEC, Node } from './node.ts'
import { Truth, type SimToken, type SimRevocation } from './truth.ts'
import type { Variant } from './variants.ts'
import { World } from './world.ts'

/** The promised times until a revocation takes effect, in milliseconds. */
const STRICT_MS = 3_000
const BOUNDED_MS = 30_000

const ACCOUNTS = ['acct_1', 'acct_2', 'acct_3', 'acct_4']
const TROUBLE_MS = 130_000
const CALM_MS = 25_000

/** The result of one world. */
export interface SimResult {
  readonly violations: readonly string[]
  readonly accepted: number
  readonly refused: number
  readonly repairs: readonly string[]
}

const secret = Buffer.alloc(32, 9)
const key = importSigningKey({ secret }, { alg: 'HS256', kid: 'sim' })
const keys = createKeySet([verifyingKeyOf(key)])

/** Runs a world with every kind of fault, then without faults. Returns the violations of the promises. */
export async function simulate(seed: number, variant: Variant = {}): Promise<SimResult> {
  const sim = new Simulation(seed, variant)
  await sim.run()
  return sim.result()
}

class Simulation {
  readonly #world: World
  readonly #variant: Variant
  readonly #store = new ModelStore()
  readonly #truth = new Truth()
  readonly #guards: SimGuard[]
  readonly #violations: string[] = []
  readonly #repairs: string[] = []
  readonly #history: { readonly at: number; readonly step: number; readonly state: State }[] = []
  /** The newest token of each session. */
  readonly #sessions = new Map<string, { readonly account: string; readonly provenStep: number }>()
  /** The steps that the store has lost. */
  readonly #lost: (readonly [after: number, upTo: number])[] = []
  #nodes: Node[] = []
  #accepted = 0
  #refused = 0
  #ids = 0

  constructor(seed: number, variant: Variant) {
    this.#world = new World(seed)
    this.#variant = variant
    const count = this.#world.dice.chance(0.5) ? 1 : 2
    this.#nodes = Array.from({ length: count }, (_, index) => this.#newNode(index))
    this.#guards = ['guard-number-one', 'guard-number-two', 'guard-number-three'].map(
      (name) => new SimGuard(name, this.#world, keys, () => this.#nodes, variant),
    )
    this.#every(400, 1_600, () => void this.#signIn())
    this.#every(300, 1_200, () => void this.#refresh())
    this.#every(400, 2_500, () => void this.#revoke())
    this.#every(20, 120, () => this.#present())
    this.#every(3_000, 15_000, () => this.#trouble())
    this.#every(200, 200, () => this.#remember())
  }

  async run(): Promise<void> {
    await this.#world.run(TROUBLE_MS)
    this.#world.isCalm = true
    await this.#world.run(TROUBLE_MS + CALM_MS)
    await this.#expectHonestSessions()
  }

  result(): SimResult {
    return {
      violations: this.#violations,
      accepted: this.#accepted,
      refused: this.#refused,
      repairs: this.#repairs,
    }
  }

  #every(from: number, to: number, call: () => void): void {
    const { world } = { world: this.#world }
    const next = (): void => {
      world.after(world.dice.between(from, to), () => {
        call()
        next()
      })
    }
    next()
  }

  #newNode(index: number): Node {
    const isLagging = this.#variant.lagging === true && index === this.#nodes.length - 1
    return new Node({
      world: this.#world,
      store: this.#store,
      read: () => (isLagging ? this.#lagged() : this.#store.state),
      key,
      keys,
      onRepair: (kind) => this.#noteRepair(kind),
    })
  }

  #lagged(): State {
    return (
      this.#history.findLast(({ at }) => at < this.#world.now - 6_000)?.state ?? this.#store.state
    )
  }

  #changed(): void {
    for (const node of this.#nodes) node.changed()
  }

  #node(): Node | undefined {
    return this.#world.dice.pick(this.#nodes.filter(({ machine }) => machine.isRunning))
  }

  // --- what users do

  async #signIn(): Promise<void> {
    const node = this.#node()
    const account = this.#world.dice.pick(ACCOUNTS)
    if (node === undefined || account === undefined) return
    const before = await node.later(() => headOf(this.#store.state).position)
    const provenStep = this.#truth.step()
    await node.sleep(this.#world.dice.between(10, 900)) // the password check
    const id = `ses_${this.#ids++}`
    const created = await node.later(() => {
      const { position } = headOf(this.#store.state)
      const signedInPosition = this.#variant.positionAtWrite === true ? position : before
      if (this.#store.account(account).hardPosition > signedInPosition) return false
      this.#store.setSession({ id, account, signedInPosition, isEnded: false })
      this.#sessions.set(id, { account, provenStep })
      return true
    })
    if (created) await this.#mint(node, id)
  }

  async #refresh(): Promise<void> {
    const node = this.#node()
    const id = this.#world.dice.pick([...this.#sessions.keys()])
    if (node !== undefined && id !== undefined) await this.#mint(node, id)
  }

  #isLost(step: number): boolean {
    return this.#lost.some(([from, to]) => step > from && step <= to)
  }

  /**
   * Issues a token from the log position and the state, which are read one after the other. Returns undefined
   * if the session has ended.
   */
  async #mint(node: Node, id: string): Promise<SimToken | undefined> {
    const readPosition = (): Promise<number> => node.later(() => headOf(this.#store.state).position)
    const provenStep = this.#sessions.get(id)?.provenStep ?? 0
    const first = await readPosition()
    const read = await node.later(() => {
      const session = this.#store.session(id)
      if (session === undefined || session.isEnded) return undefined
      if (this.#store.account(session.account).hardPosition > session.signedInPosition)
        return undefined
      return { session, step: this.#truth.step() }
    })
    if (read === undefined) return undefined
    const rvp = this.#variant.positionAfterState === true ? await readPosition() : first
    const iat = Math.floor(node.machine.clock() / 1000)
    const token: SimToken = {
      claims: {
        iss: ISSUER,
        sub: read.session.account,
        sid: id,
        jti: `jti_${this.#ids++}`,
        client_id: 'first-party',
        rvp,
        iat,
        exp: iat + LIFETIME_SEC,
      },
      readStep: read.step,
      provenStep,
      isOfLostBranch: this.#isLost(read.step),
    }
    this.#truth.tokens.push(token)
    if (this.#truth.tokens.length > 250) this.#truth.tokens.shift()
    return token
  }

  async #revoke(): Promise<void> {
    const node = this.#node()
    const { dice } = this.#world
    const token = dice.pick(this.#truth.tokens)
    if (node === undefined || token === undefined || this.#world.isCalm) return
    const { sid, sub, jti } = token.claims
    const what = dice.next()
    if (what < 0.5) await this.#commit(node, 'session', sid, true)
    else if (what < 0.7) await this.#commit(node, 'account', sub, true)
    else if (what < 0.85) await this.#commit(node, 'account', sub, false)
    else await this.#commit(node, 'token', jti, false)
  }

  async #commit(
    node: Node,
    kind: SimRevocation['kind'],
    subject: string,
    isHard: boolean,
  ): Promise<void> {
    const entry = {
      kind,
      subject,
      strength: isHard ? 'hard' : 'soft',
      at: node.machine.clock(),
    } as const
    await node.later(() => {
      if (this.#variant.entryLater === true) {
        if (kind === 'session') this.#store.endSession(subject)
        this.#world.after(this.#world.dice.between(0, 8_000), () =>
          this.#store.appendAndApply(entry),
        )
      } else {
        this.#store.appendAndApply(entry)
      }
      this.#truth.revocations.push({
        kind,
        subject,
        isHard,
        step: this.#truth.step(),
        committedAt: this.#world.now,
        againAt: undefined,
      })
    })
    this.#changed()
  }

  /** A client sends a token, valid or not, to one of the services. */
  #present(): void {
    const guard = this.#world.dice.pick(this.#guards)
    const token = this.#world.dice.pick(this.#truth.tokens)
    if (guard === undefined || token === undefined || !guard.machine.isRunning) return
    for (const limitMs of [STRICT_MS, BOUNDED_MS]) {
      if (!guard.accepts(token, limitMs)) {
        this.#refused += 1
        continue
      }
      this.#accepted += 1
      const since = this.#truth.overSince(token)
      if (since === undefined || this.#world.now - since <= limitMs) continue
      this.#violations.push(
        `${guard.name} accepted ${token.claims.sid} ${Math.round(this.#world.now - since)} ms after its end (limit ${limitMs}) at ${Math.round(this.#world.now)}`,
      )
    }
  }

  // --- faults

  #trouble(): void {
    if (this.#world.isCalm) return
    const { dice } = this.#world
    const guard = dice.pick(this.#guards)
    const node = dice.pick(this.#nodes)
    if (guard === undefined || node === undefined) return
    const what = dice.next()
    // These faults end after some time.
    const lasting = (from: number, to: number): number =>
      Math.min(dice.between(from, to), TROUBLE_MS - this.#world.now)
    if (what < 0.3) guard.cut(lasting(200, dice.chance(0.2) ? 40_000 : 6_000))
    else if (what < 0.45) guard.machine.pause(lasting(500, 20_000), dice.chance(0.3))
    else if (what < 0.58) guard.machine.setClock(dice.pick(CLOCK_STEPS) ?? 0)
    else if (what < 0.66) node.machine.pause(lasting(200, 8_000), dice.chance(0.3))
    else if (what < 0.72) node.machine.setClock(dice.pick(CLOCK_STEPS) ?? 0)
    else if (what < 0.86) this.#restart(node)
    else this.#loseLastWrites(dice.chance(0.5) ? node : undefined)
  }

  #restart(node: Node): void {
    node.end()
    const index = this.#nodes.indexOf(node)
    this.#nodes = this.#nodes.filter((each) => each !== node)
    this.#world.after(this.#world.dice.between(50, 4_000), () => {
      this.#nodes = [...this.#nodes, this.#newNode(index)]
    })
  }

  /** The store fails over to a slightly older copy. A node may die at the same time. */
  #loseLastWrites(restarted: Node | undefined): void {
    const back = this.#history.findLast(
      ({ at }) => at < this.#world.now - this.#world.dice.between(0, 2_500),
    )
    if (back === undefined) return
    this.#store.goBackTo(back.state)
    this.#lost.push([back.step, this.#truth.lastStep])
    for (const each of this.#truth.revocations)
      if (each.step > back.step) each.committedAt = undefined
    for (const token of this.#truth.tokens)
      if (token.readStep > back.step) token.isOfLostBranch = true
    for (const id of this.#sessions.keys()) {
      if (this.#store.session(id) === undefined) this.#sessions.delete(id)
    }
    // A dead node loses its memory, and with it what it knew.
    this.#history.splice(this.#history.indexOf(back) + 1)
    if (restarted !== undefined) this.#restart(restarted)
    this.#changed()
  }

  #noteRepair(kind: string): void {
    this.#repairs.push(kind)
    if (kind === 'start_over') {
      this.#truth.hasStartedOver = true
      for (const each of this.#truth.revocations) each.againAt = this.#world.now
      return
    }
    const written = new Set(
      this.#store.state.entries
        .slice(this.#store.state.entries.findLastIndex((entry) => entry.kind === 'jump') + 1)
        .map((entry) => `${entry.kind}/${entry.subject}`),
    )
    for (const each of this.#truth.revocations) {
      if (!written.has(`${each.kind}/${each.subject}`)) continue
      each.committedAt ??= this.#world.now
      each.againAt = this.#world.now
    }
  }

  #remember(): void {
    this.#history.push({
      at: this.#world.now,
      step: this.#truth.lastStep,
      state: this.#store.state,
    })
    if (this.#history.length > 60) this.#history.shift()
  }

  // --- what must work again after a time without faults

  async #expectHonestSessions(): Promise<void> {
    const honest = [...this.#sessions].filter(([id, { account, provenStep }]) =>
      this.#truth.revocations.every(
        ({ kind, subject, isHard, step, committedAt }) =>
          committedAt === undefined ||
          !isHard ||
          (kind === 'session' ? subject !== id : subject !== account || provenStep > step),
      ),
    )
    const node = this.#nodes[0]
    if (node === undefined) throw new Error('no node is left')
    for (const [id] of honest.slice(-10)) {
      const minting = this.#mint(node, id)
      await this.#world.run(this.#world.now + 200)
      const token = await minting
      if (token === undefined) {
        if (!this.#truth.hasStartedOver) this.#violations.push(`the honest session ${id} was lost`)
        continue
      }
      await this.#world.run(this.#world.now + 1_500)
      for (const guard of this.#guards) {
        const now = guard.machine.clock() - node.machine.clock()
        if (Math.abs(now) < 4_000 && !guard.accepts(token, STRICT_MS)) {
          this.#violations.push(`${guard.name} refuses the honest session ${id} in calm`)
        }
      }
    }
  }
}

/** An hour, which is a little longer than entries are kept. */
const CLOCK_STEPS = [3_600_000, -3_600_000, 95_000, -95_000, -95_000]
