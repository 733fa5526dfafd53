import { Client } from 'pg'

import type { FanOut, PostgresDatabase } from './database.ts'
import { CHANNEL } from './log.ts'
import { clientConfig } from './pool.ts'

/** A lost notification delays an entry by this time at most, in milliseconds. */
const POLL_MS = 250
/** Changes without an entry, such as a mail of another node, are noticed after this time. */
const OTHER_CHANGES_MS = 1_000
const RECONNECT_MS = 1_000

type Watcher = (mayHaveEntries: boolean) => void

/**
 * Notices commits of other nodes: by Redis or by notifications of PostgreSQL, which arrive at once, and by a poll of the
 * head, which closes every gap, for example behind a connection pool that passes no notifications on.
 *
 * It listens to PostgreSQL also if Redis is used: commands, and nodes that do not reach Redis, notify there.
 */
export class Watch {
  readonly #db: PostgresDatabase
  readonly #url: string
  readonly #fanOut: FanOut | undefined
  readonly #watchers = new Set<Watcher>()
  #unwatch: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #listener: Client | undefined
  #isStopped = true
  #position = -1
  #calledAtMs = 0

  constructor(db: PostgresDatabase, url: string, fanOut?: FanOut) {
    this.#fanOut = fanOut
    this.#db = db
    this.#url = url
  }

  /** See `Store.watch`. */
  add(changed: Watcher): () => void {
    this.#watchers.add(changed)
    if (this.#isStopped) this.#start()
    return () => {
      this.#watchers.delete(changed)
      if (this.#watchers.size === 0) void this.stop()
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#unwatch?.()
    const listener = this.#listener
    this.#listener = undefined
    await listener?.end().catch(() => {})
  }

  #start(): void {
    this.#isStopped = false
    const uncommit = this.#db.onCommit((mayHaveEntries) => this.#call(mayHaveEntries))
    const unhear = this.#fanOut?.watch(() => this.#call(true))
    this.#unwatch = () => {
      uncommit()
      unhear?.()
    }
    void this.#listen()
    this.#pollLater()
  }

  // It listens first and reads after, so no entry is missed in between.
  async #listen(): Promise<void> {
    if (this.#isStopped) return
    const client = new Client(clientConfig(this.#url))
    const again = (): void => {
      if (this.#listener !== client) return
      this.#listener = undefined
      if (!this.#isStopped) setTimeout(() => void this.#listen(), RECONNECT_MS).unref()
    }
    this.#listener = client
    client.on('error', again)
    client.on('end', again)
    client.on('notification', () => this.#call(true))
    try {
      await client.connect()
      await client.query(`LISTEN ${CHANNEL}`)
      this.#call(true)
    } catch {
      // The poll reports changes meanwhile, and every other call reports that the database is gone.
      await client.end().catch(() => {})
      again()
    }
  }

  #pollLater(): void {
    this.#timer = setTimeout(() => void this.#poll(), POLL_MS).unref()
  }

  async #poll(): Promise<void> {
    try {
      const position = await this.#db.look()
      const hasMoved = position !== this.#position
      this.#position = position
      if (hasMoved || performance.now() - this.#calledAtMs > OTHER_CHANGES_MS) this.#call(hasMoved)
    } catch {
      // A timer has no caller. The next call that uses the database gets the fault.
    }
    if (!this.#isStopped) this.#pollLater()
  }

  #call(mayHaveEntries: boolean): void {
    this.#calledAtMs = performance.now()
    for (const changed of this.#watchers) changed(mayHaveEntries)
  }
}
