import { setTimeout as sleep } from 'node:timers/promises'

import { expect } from 'vitest'

import type { Pair } from '../../packages/server/test/support/authority.ts'
import { query } from '../../packages/server/test/support/database.ts'
import { claimsOf } from '../../packages/server/test/support/forge.ts'
import { HttpClient, type HttpAnswer } from '../../packages/server/test/support/http-client.ts'
import { ADMIN } from '../../packages/server/test/support/server-process.ts'

/** One session, as the clients know it from the answers that they received. */
interface KnownSession {
  /** The last refresh token that was received. It is presented again when an answer is missing. */
  token: string
  /** `unsure`: a log-out was sent, and its answer is missing. */
  state: 'live' | 'ended' | 'unsure'
}

export interface LoadOptions {
  /** Sessions that are refreshed as fast as the server answers. */
  readonly refreshers?: number
  /** Clients that log in and out again and again. */
  readonly loginClients?: number
  /**
   * The server is a proxy that sends a request to another node when its node does not answer. So 502 and 504 count as no
   * answer, and a log-out that is done twice gets 401.
   */
  readonly isProxied?: boolean
}

const RETRY_MS = 20

/** What {@link HonestLoad.expectAllIn} compares. */
export const SESSIONS = 'SELECT id, generation, ended_at FROM sessions'

type Row = Readonly<Record<string, unknown>>

/**
 * Honest clients that refresh, log in and log out while something breaks, and remember every answer. Afterwards
 * {@link expectNothingLost} compares the database with the answers: what was acknowledged is there.
 *
 * Each client retries as a careful client does. A 503 must carry `Retry-After`. Every other answer than success is
 * unexpected.
 */
export class HonestLoad {
  readonly #options: Required<LoadOptions>
  readonly #sessions: KnownSession[] = []
  #http: HttpClient
  #running: Promise<unknown> = Promise.resolve()
  #isStopped = true
  /** How many refreshes and log-outs were acknowledged. */
  readonly acknowledged = { rotations: 0, logins: 0, logOuts: 0 }
  /** How long each acknowledged refresh took, in milliseconds. */
  readonly rotationMs: number[] = []
  /** How many requests got 503, and how many got no answer. A proxy without an answer sends 502 or 504. */
  readonly failed = { busy: 0, unanswered: 0 }
  /** The longest time between two acknowledged refreshes of any client, in milliseconds. */
  longestGapMs = 0
  #rotatedAt = 0
  /** Answers that no honest client may get, as text. */
  readonly unexpected: string[] = []

  constructor(
    url: string,
    { refreshers = 8, loginClients = 2, isProxied = false }: LoadOptions = {},
  ) {
    this.#options = { refreshers, loginClients, isProxied }
    this.#http = new HttpClient(url)
  }

  /** Logs in the clients that refresh, if they have no sessions yet, and begins. */
  async start(url?: string): Promise<void> {
    if (url !== undefined) {
      this.#http.close()
      this.#http = new HttpClient(url)
    }
    while (this.#refreshed().length < this.#options.refreshers) {
      const { refresh: token } = await this.#http.login(ADMIN)
      this.#sessions.unshift({ token, state: 'live' })
    }
    this.#isStopped = false
    this.#rotatedAt = 0
    this.#running = Promise.all([
      ...this.#refreshed().map((session) => this.#refreshOnAndOn(session)),
      ...Array.from({ length: this.#options.loginClients }, () => this.#logInAndOut()),
    ])
  }

  /** Ends the clients after their current requests. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  /** Resolves when this many more rotations and log-outs were acknowledged. */
  async untilMore(more: { readonly rotations?: number; readonly logOuts?: number }): Promise<void> {
    const { rotations, logOuts } = this.acknowledged
    const isShort = (): boolean =>
      this.acknowledged.rotations < rotations + (more.rotations ?? 0) ||
      this.acknowledged.logOuts < logOuts + (more.logOuts ?? 0)
    while (isShort() && this.unexpected.length === 0) await sleep(1)
  }

  /** Asserts that the database has everything that was acknowledged, and that nobody was logged out. */
  expectNothingLost(dataDir: string): void {
    expect(query(dataDir, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
    this.expectAllIn(query(dataDir, SESSIONS))
  }

  /** The same for the rows of the query {@link SESSIONS}. */
  expectAllIn(rows: readonly Row[]): void {
    expect(this.unexpected).toEqual([])
    const all = new Map(rows.map((row) => [row['id'], row]))
    for (const { token, state } of this.#sessions) {
      const { sid, gen } = claimsOf(token)
      const row = all.get(String(sid))
      // One ahead: the rotation was committed, but its answer was lost.
      expect([0, 1]).toContain(Number(row?.['generation']) - Number(gen))
      if (state === 'ended') expect(row?.['ended_at']).not.toBeNull()
      if (state === 'live') expect(row?.['ended_at']).toBeNull()
    }
  }

  /** Asserts over HTTP that live sessions can refresh, and that ended sessions cannot. */
  async expectAnswersTrue(): Promise<void> {
    for (const session of this.#sessions) {
      if (session.state === 'unsure') continue
      const answer = await this.#http.post('/api/token/refresh/', { refresh: session.token })
      expect(answer).toMatchObject({ status: session.state === 'live' ? 200 : 401 })
      if (session.state === 'live') session.token = (JSON.parse(answer.text) as Pair).refresh
    }
  }

  /** Forgets the sessions that are over, so that the checks of many rounds stay quick. */
  forgetEnded(): void {
    this.#sessions.splice(this.#options.refreshers)
  }

  close(): void {
    this.#http.close()
  }

  #refreshed(): KnownSession[] {
    return this.#sessions.slice(0, this.#options.refreshers)
  }

  async #refreshOnAndOn(session: KnownSession): Promise<void> {
    while (!this.#isStopped) {
      const from = performance.now()
      const answer = await this.#ask('/api/token/refresh/', { refresh: session.token })
      if (answer === undefined) continue
      this.rotationMs.push(performance.now() - from)
      session.token = (JSON.parse(answer.text) as Pair).refresh
      this.acknowledged.rotations += 1
      const now = performance.now()
      if (this.#rotatedAt > 0) {
        this.longestGapMs = Math.max(this.longestGapMs, now - this.#rotatedAt)
      }
      this.#rotatedAt = now
    }
  }

  async #logInAndOut(): Promise<void> {
    while (!this.#isStopped) {
      const loggedIn = await this.#ask('/api/token/', ADMIN)
      if (loggedIn === undefined) continue
      this.acknowledged.logins += 1
      const session: KnownSession = {
        token: (JSON.parse(loggedIn.text) as Pair).refresh,
        state: 'unsure',
      }
      this.#sessions.push(session)
      const loggedOut = await this.#ask('/api/token/blacklist/', { refresh: session.token })
      if (loggedOut === undefined) continue
      session.state = 'ended'
      this.acknowledged.logOuts += 1
    }
  }

  /** Returns a successful answer. Returns undefined after 503 or if no answer came, after a short wait. */
  async #ask(path: string, body: object): Promise<HttpAnswer | undefined> {
    const answer = await this.#http.post(path, body).catch(() => undefined)
    if (answer?.status === 200) return answer
    if (this.#isDone(path, answer)) return answer
    if (answer === undefined || this.#isFromProxy(answer)) this.failed.unanswered += 1
    else if (answer.status === 503 && answer.headers['retry-after'] !== undefined) {
      this.failed.busy += 1
    } else {
      this.unexpected.push(`${path} ${answer.status} ${answer.text}`)
      this.#isStopped = true
    }
    await sleep(RETRY_MS)
    return undefined
  }

  #isFromProxy({ status }: HttpAnswer): boolean {
    return this.#options.isProxied && (status === 502 || status === 504)
  }

  /** The first node ended before it answered, and the second one found the session ended. */
  #isDone(path: string, answer: HttpAnswer | undefined): boolean {
    return this.#options.isProxied && path === '/api/token/blacklist/' && answer?.status === 401
  }
}
