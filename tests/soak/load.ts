import { setTimeout as sleep } from 'node:timers/promises'

import { createGuard, type Guard } from '@countersign/guard'

import type { Pair } from '../../packages/server/test/support/authority.ts'
import type { HttpAnswer, HttpClient } from '../../packages/server/test/support/http-client.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { PASSWORD, signUp, type Person } from '../cluster/people.ts'

export type Operation = 'login' | 'refresh' | 'logout' | 'mailed code'

/** The requests since the last call of {@link SoakLoad.take}. */
export interface Done {
  /** The milliseconds of each request that succeeded. */
  readonly latencies: Readonly<Record<Operation, readonly number[]>>
  readonly verified: number
  readonly roleChanges: number
  /** Answers that are neither a success nor 503, and tokens that a guard judged wrongly. */
  readonly failures: readonly string[]
  /** Answers 503, which ask the client to repeat the request. */
  readonly busy: number
}

const PEOPLE = 40
const REFRESHES = 10
const PAUSE_MS = 1_000
const MAIL_EVERY_MS = 2_000
const ROLE_EVERY_MS = 20_000
/** A guard must reject the token of a session that was logged out after this time. */
const REVOKED_MS_MAX = 5_000

/**
 * People who log in, refresh and log out at a steady pace, one guard at each node that verifies their tokens, and an
 * operator who changes roles. The pace does not depend on the answers, so that the last minutes compare with the first.
 */
export class SoakLoad implements AsyncDisposable {
  readonly #http: HttpClient
  readonly #running: Promise<void>[] = []
  #guards: readonly Guard[] = []
  /** When the roles of a person last changed, by username. */
  readonly #rolesOf = new Map<string, number>()
  #isStopped = false
  #done = nothing()

  private constructor(cluster: Cluster) {
    this.#http = cluster.client()
  }

  static async start(cluster: Cluster): Promise<SoakLoad> {
    const load = new SoakLoad(cluster)
    const account = await cluster.createServiceAccount()
    load.#guards = cluster.nodes.map(({ url }) =>
      createGuard({ issuer: cluster.issuer, feed: { ...account, url }, readyTimeoutMs: 60_000 }),
    )
    await Promise.all(load.#guards.map((guard) => guard.ready()))
    const people: Person[] = []
    for (let n = 0; n < PEOPLE; n += 1) people.push(await signUp(cluster, load.#http))
    for (const [n, person] of people.entries()) {
      load.#repeat(PAUSE_MS, (n * PAUSE_MS) / PEOPLE, () => load.#live(person))
    }
    load.#repeat(MAIL_EVERY_MS, 0, async (turn) => {
      const { email } = people[turn % PEOPLE]!
      await load.#send('mailed code', '/auth/login/code/send', { email })
    })
    load.#repeat(ROLE_EVERY_MS, 0, async (turn) => {
      const { username } = people[Math.floor(turn / 2) % PEOPLE]!
      load.#rolesOf.set(username, performance.now())
      await cluster.run('accounts', 'roles', turn % 2 === 0 ? 'add' : 'remove', username, 'editor')
      load.#rolesOf.set(username, performance.now())
      load.#done.roleChanges += 1
    })
    return load
  }

  /** Returns what has happened since the last call. */
  take(): Done {
    const done = this.#done
    this.#done = nothing()
    return done
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    await Promise.all(this.#running)
    for (const guard of this.#guards) guard.close()
  }

  #repeat(everyMs: number, firstMs: number, work: (turn: number) => Promise<void>): void {
    const run = async (): Promise<void> => {
      await sleep(firstMs)
      for (let turn = 0; !this.#isStopped; turn += 1) {
        try {
          await work(turn)
        } catch (error) {
          this.#done.failures.push(error instanceof Error ? error.message : String(error))
        }
        await sleep(everyMs)
      }
    }
    this.#running.push(run())
  }

  /** One life of a session: log in, refresh a few times, log out. */
  async #live({ username }: Person): Promise<void> {
    let pair = await this.#pair('login', '/api/token/', { username, password: PASSWORD })
    for (let n = 0; n < REFRESHES && pair !== undefined && !this.#isStopped; n += 1) {
      await this.#verifyAtEach(username, pair, true)
      await sleep(PAUSE_MS)
      const { refresh } = pair
      pair = (await this.#pair('refresh', '/api/token/refresh/', { refresh })) ?? pair
    }
    if (pair === undefined) return
    const answer = await this.#send('logout', '/api/token/blacklist/', { refresh: pair.refresh })
    if (answer?.status === 200) await this.#verifyAtEach(username, pair, false)
  }

  async #verifyAtEach(username: string, { access }: Pair, isGood: boolean): Promise<void> {
    for (const guard of this.#guards) {
      const late = performance.now() + REVOKED_MS_MAX
      let result = await guard.verify(access)
      // A token may be newer than what a guard knows, and a revocation is under way for a moment.
      while (result.ok !== isGood && performance.now() < late) {
        await sleep(20)
        result = await guard.verify(access)
      }
      this.#done.verified += 1
      if (result.ok === isGood) continue
      // The roles changed after the token was issued, so the guard is right.
      const sinceMs = performance.now() - (this.#rolesOf.get(username) ?? -Infinity)
      if (!result.ok && result.code === 'token_stale' && sinceMs < 2 * REVOKED_MS_MAX) continue
      this.#done.failures.push(`a guard: ${result.ok ? 'accepted after a logout' : result.code}`)
    }
  }

  async #pair(operation: Operation, path: string, body: object): Promise<Pair | undefined> {
    const answer = await this.#send(operation, path, body)
    return answer?.status === 200 ? (JSON.parse(answer.text) as Pair) : undefined
  }

  async #send(operation: Operation, path: string, body: object): Promise<HttpAnswer | undefined> {
    const sent = performance.now()
    const answer = await this.#http.post(path, body)
    if (answer.status < 300) this.#done.latencies[operation].push(performance.now() - sent)
    else if (answer.status === 503) this.#done.busy += 1
    else this.#done.failures.push(`${operation}: ${answer.status} ${answer.text}`)
    return answer
  }
}

type Doing = {
  latencies: Record<Operation, number[]>
  verified: number
  roleChanges: number
  failures: string[]
  busy: number
}

function nothing(): Doing {
  const latencies = { login: [], refresh: [], logout: [], 'mailed code': [] }
  return { latencies, verified: 0, roleChanges: 0, failures: [], busy: 0 }
}
