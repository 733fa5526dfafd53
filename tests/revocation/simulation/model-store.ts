import { chainValue, JUMP_POSITIONS, type LogHead } from '@countersign/guard/revocations'

// oxlint-disable-next-line import/no-relative-packages
import {
  decideRepair,
  type LossEvidence,
  type RepairOutcome,
} from '../../../packages/server/src/store/repair.ts'
import type { Revocation } from '../../../packages/server/src/store/rows.ts'

export interface ModelSession {
  readonly id: string
  readonly account: string
  readonly signedInPosition: number
  readonly isEnded: boolean
}

export interface ModelAccount {
  readonly hardPosition: number
  readonly roles: number
}

interface State {
  readonly entries: readonly Revocation[]
  readonly sessions: ReadonlyMap<string, ModelSession>
  readonly accounts: ReadonlyMap<string, ModelAccount>
  readonly settled: ReadonlySet<string>
  readonly startedOverAt: number
}

type Draft = Omit<Revocation, 'position' | 'chain'>

const ORIGIN: LogHead = { position: 0, chain: Buffer.alloc(32, 7) }

/**
 * The part of the database that concerns revocation. Each method is one atomic step on an immutable state. So
 * any earlier state can be restored, as after a failover to a replica that lagged.
 */
export class ModelStore {
  #state: State = {
    entries: [],
    sessions: new Map(),
    accounts: new Map(),
    settled: new Set(),
    startedOverAt: 0,
  }

  get state(): State {
    return this.#state
  }

  /** Loses everything since that state. */
  goBackTo(state: State): void {
    this.#state = state
  }

  change(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change }
  }

  append(
    { kind, subject, strength, at }: Draft,
    position = headOf(this.#state).position + 1,
  ): number {
    const entry = { position, kind, subject, strength, at }
    const chain = chainValue(headOf(this.#state).chain, entry)
    this.change({ entries: [...this.#state.entries, { ...entry, chain }] })
    return position
  }

  session(id: string): ModelSession | undefined {
    return this.#state.sessions.get(id)
  }

  account(id: string): ModelAccount {
    return this.#state.accounts.get(id) ?? { hardPosition: 0, roles: 0 }
  }

  setSession(session: ModelSession): void {
    this.change({ sessions: new Map(this.#state.sessions).set(session.id, session) })
  }

  setAccount(id: string, account: ModelAccount): void {
    this.change({ accounts: new Map(this.#state.accounts).set(id, account) })
  }

  repair(evidence: LossEvidence, at: number): RepairOutcome {
    const { entries, settled, startedOverAt } = this.#state
    const decision = decideRepair(evidence, {
      head: headOf(this.#state),
      oldest: ORIGIN,
      startedOverAt,
      startedOverPosition: entries.findLast(({ kind }) => kind === 'issuer')?.position ?? 0,
      chainAt: (position) => chainAt(this.#state, position),
      isSettled: (head) => settled.has(nameOf(head)),
    })
    switch (decision.kind) {
      case 'nothing':
      case 'too_far':
        return { kind: decision.kind, position: headOf(this.#state).position, recovered: 0 }
      case 'start_over':
        this.#settle([evidence.tip])
        return this.startOver(at, decision.jumps)
      case 'rejoin': {
        const { jumpsFrom, jumps, lost } = decision
        if (jumpsFrom !== undefined) {
          for (let count = 0; count < jumps; count++) this.#jump(at)
          for (const own of entries) {
            if (own.position > jumpsFrom && own.kind !== 'jump') this.append({ ...own })
          }
        }
        for (const entry of lost) if (entry.kind !== 'jump') this.appendAndApply(entry)
        this.#settle(lost)
        return {
          kind: 'rejoin',
          position: headOf(this.#state).position,
          recovered: lost.length,
        }
      }
    }
  }

  startOver(at: number, jumps = 1): RepairOutcome {
    for (let count = 0; count < jumps; count++) this.#jump(at)
    const position = this.append({ kind: 'issuer', subject: ISSUER, strength: 'hard', at })
    const accounts = [...this.#state.accounts].map(
      ([id, account]) => [id, { ...account, hardPosition: position }] as const,
    )
    this.change({ accounts: new Map(accounts), startedOverAt: at })
    return { kind: 'start_over', position, recovered: 0 }
  }

  /** Writes an entry and its effect on the rows in one step. */
  appendAndApply({ kind, subject, strength, at }: Draft): number {
    const position = this.append({ kind, subject, strength, at })
    if (strength === 'soft') return position
    if (kind === 'session') this.endSession(subject)
    if (kind === 'account') {
      this.setAccount(subject, { ...this.account(subject), hardPosition: position })
    }
    return position
  }

  endSession(id: string): void {
    const session = this.session(id)
    if (session !== undefined) this.setSession({ ...session, isEnded: true })
  }

  #jump(at: number): void {
    const position = headOf(this.#state).position + JUMP_POSITIONS
    this.append({ kind: 'jump', subject: 'log', strength: 'soft', at }, position)
  }

  #settle(heads: readonly LogHead[]): void {
    this.change({ settled: new Set([...this.#state.settled, ...heads.map(nameOf)]) })
  }
}

export const ISSUER = 'https://auth.example'

export function headOf({ entries }: State): LogHead {
  return entries.at(-1) ?? ORIGIN
}

export function chainAt({ entries }: State, position: number): Uint8Array | undefined {
  if (position === 0) return ORIGIN.chain
  return entries.find((entry) => entry.position === position)?.chain
}

export function entriesAfter(
  { entries }: State,
  after: number,
  limit: number,
): readonly Revocation[] {
  return entries.filter(({ position }) => position > after).slice(0, limit)
}

export function floorBefore({ entries }: State, at: number): LogHead {
  return entries.findLast((entry) => entry.at < at) ?? ORIGIN
}

function nameOf({ position, chain }: LogHead): string {
  return `${position}/${Buffer.from(chain).toString('base64url')}`
}

export type { State }
