import { descendantsOf } from '../../scripts/lib/process-tree.ts'
import { HttpConnection } from './http-connection.ts'
import type { Operation } from './peers/system.ts'
import { readCpuSec } from './server.ts'
import { median } from './statistics.ts'

/** What one operation did in one turn. */
export interface Turn {
  readonly perSec: number
  readonly errors: number
  /**
   * Microseconds of CPU time for each success, of all programs that this process has started. Only one of the systems
   * works during a turn, so this is its own time, with that of its workers and its database.
   */
  readonly cpuUs: number
  readonly latencies: readonly number[]
}

/** The turns of one operation, each beside turns of the base. */
export interface Compared {
  readonly operation: Operation
  readonly turns: Turn[]
  /** For each turn, the rate of the base around it as a multiple of the rate of this operation. */
  readonly ratios: number[]
}

/**
 * Measures operations in turns, with a turn of `base` before and after each. The speed of a shared machine changes within
 * seconds, so each turn is compared with the two turns of the base around it. The order moves on with each round.
 */
export async function compare(
  base: Operation,
  others: readonly Operation[],
  options: { clients: number; warmUpMs: number; turnMs: number; rounds: number },
): Promise<{ readonly base: readonly Turn[]; readonly others: readonly Compared[] }> {
  const { clients, warmUpMs, turnMs, rounds } = options
  for (const operation of [base, ...others]) await takeTurn(operation, clients, warmUpMs)
  const compared = others.map((operation): Compared => ({ operation, turns: [], ratios: [] }))
  const ofBase = [await takeTurn(base, clients, turnMs)]
  for (let round = 0; round < rounds; round += 1) {
    const first = round % compared.length
    for (const each of [...compared.slice(first), ...compared.slice(0, first)]) {
      const before = ofBase.at(-1)
      const turn = await takeTurn(each.operation, clients, turnMs)
      const after = await takeTurn(base, clients, turnMs)
      if (before === undefined) throw new Error('the base had no turn')
      ofBase.push(after)
      each.turns.push(turn)
      each.ratios.push((before.perSec + after.perSec) / 2 / turn.perSec)
    }
  }
  return { base: ofBase, others: compared }
}

export function medianPerSec(turns: readonly Turn[]): number {
  return median(turns.map(({ perSec }) => perSec))
}

/** Only successes count for the rate. Each client has one connection and one request at a time. */
async function takeTurn(operation: Operation, clients: number, ms: number): Promise<Turn> {
  const connections = await Promise.all(
    Array.from({ length: clients }, () => HttpConnection.open(operation.port)),
  )
  const latencies: number[] = []
  let errors = 0
  const before = readCpu()
  const started = performance.now()
  await Promise.all(
    connections.map(async (opened, client) => {
      let connection = opened
      while (performance.now() - started < ms) {
        const sent = performance.now()
        try {
          if (await operation.step(connection, client)) latencies.push(performance.now() - sent)
          else errors += 1
        } catch {
          errors += 1
          connection.close()
          connection = await HttpConnection.open(operation.port)
        }
      }
      connection.close()
    }),
  )
  const perSec = (latencies.length * 1000) / (performance.now() - started)
  const cpuUs = (spentSince(before) * 1e6) / latencies.length
  return { perSec, errors, cpuUs, latencies }
}

type CpuSec = ReadonlyMap<number, number>

function readCpu(): CpuSec {
  const found = new Map<number, number>()
  for (const pid of descendantsOf(process.pid)) {
    try {
      found.set(pid, readCpuSec(pid))
    } catch {
      // It has ended.
    }
  }
  return found
}

function spentSince(before: CpuSec): number {
  let sum = 0
  for (const [pid, seconds] of readCpu()) sum += seconds - (before.get(pid) ?? 0)
  return sum
}
