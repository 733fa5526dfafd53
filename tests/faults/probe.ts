import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const EVERY_MS = 50
const TIMEOUT_MS = 30_000

/** The answers to a path. */
export interface Probed {
  readonly path: string
  /** How many answers had each status. `none`: the connection failed, or no answer came within 30 s. */
  readonly statuses: Readonly<Record<string, number>>
  /** The longest time from the opening of the connection to the end of the answer. */
  readonly worstMs: number
}

/** The longest time of all answers, in milliseconds. */
export function worstOf(answers: readonly Probed[]): number {
  return Math.max(...answers.map(({ worstMs }) => worstMs))
}

interface Seen extends Probed {
  readonly statuses: Record<string, number>
  worstMs: number
}

/**
 * Asks paths again and again while something breaks, each time on a new connection, as health checks and new clients
 * do. A slow answer does not delay the next question.
 */
export class Probe {
  readonly #url: string
  readonly #seen: Map<string, Seen>
  readonly #open = new Set<Promise<void>>()
  readonly #asking: Promise<void>
  #isStopped = false

  constructor(url: string, paths: readonly string[]) {
    this.#url = url
    this.#seen = new Map(paths.map((path) => [path, { path, statuses: {}, worstMs: 0 }]))
    this.#asking = this.#askOnAndOn()
  }

  /** Waits for the answers that are due, and returns what was seen. */
  async stop(): Promise<Probed[]> {
    this.#isStopped = true
    await this.#asking
    await Promise.all(this.#open)
    return [...this.#seen.values()]
  }

  async #askOnAndOn(): Promise<void> {
    while (!this.#isStopped) {
      for (const path of this.#seen.keys()) {
        const asked = this.#ask(path).finally(() => this.#open.delete(asked))
        this.#open.add(asked)
      }
      await sleep(EVERY_MS)
    }
  }

  async #ask(path: string): Promise<void> {
    const from = performance.now()
    const status = String((await statusOf(`${this.#url}${path}`)) ?? 'none')
    const seen = this.#seen.get(path)!
    seen.statuses[status] = (seen.statuses[status] ?? 0) + 1
    seen.worstMs = Math.max(seen.worstMs, Math.round(performance.now() - from))
  }
}

function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const sent = request(url, { agent: false, timeout: TIMEOUT_MS })
    sent.once('timeout', () => sent.destroy())
    sent.once('error', () => resolve(undefined))
    sent.once('response', (answer) => {
      answer.resume()
      answer.once('error', () => resolve(undefined))
      answer.once('end', () => resolve(answer.statusCode))
    })
    sent.end()
  })
}
