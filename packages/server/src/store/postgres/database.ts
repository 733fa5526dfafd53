import pg from 'pg'

import type { Clock } from '../../base/clock.ts'
import type { StoreFault } from '../../base/faults.ts'
import type { Database, Row, Transaction, WriteScope } from '../sql/database.ts'
import { ServerClock } from './clock.ts'
import {
  asConnectionFault,
  asFault,
  isConflict,
  isPlanOutdated,
  isStatementLost,
} from './errors.ts'
import { IDLE_TRANSACTION_MS, LOCK_MS, STATEMENT_MS } from './pool.ts'
import { Statements } from './statements.ts'
import { PostgresTransaction } from './transaction.ts'

/** Transactions that another one was in the way of are tried this often. */
const TRIES_MAX = 8
const RETRY_MS = 10

/** The lock that write transactions without a scope hold alone, and all others share. */
const WRITERS = '(1129270867, 1)'

// PgBouncer in transaction mode keeps no setting of a session, so each transaction has its own. They are one message
// with the beginning, which saves a round trip.
const LIMITS = `SET LOCAL statement_timeout = ${STATEMENT_MS}; SET LOCAL lock_timeout = ${LOCK_MS};
  SET LOCAL idle_in_transaction_session_timeout = ${IDLE_TRANSACTION_MS}`
const NOW = 'SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS now'
const LOOK = `SELECT position, (${NOW}) AS now FROM revocation_head WHERE id = 1`
const BEGIN = {
  read: `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${LIMITS}; ${NOW}`,
  alone: `BEGIN; ${LIMITS}; SELECT pg_advisory_xact_lock${WRITERS}`,
  beside: `BEGIN; ${LIMITS}; SELECT pg_advisory_xact_lock_shared${WRITERS}`,
  rows: `BEGIN; ${LIMITS}; ${NOW}`,
} as const

const LOCK_ACCOUNT = 'SELECT pg_advisory_xact_lock(hashtextextended(?, 0))'
const LOCK_ACCOUNT_OF_SESSION =
  'SELECT pg_advisory_xact_lock(hashtextextended(account_id, 0)) FROM sessions WHERE id = ?'

type Watcher = (mayHaveEntries: boolean) => void

/** Tells other nodes about new entries in place of PostgreSQL, while it works. */
export interface FanOut {
  readonly isUp: boolean
  /** Called after the commit of entries, with the newest position. */
  publish(position: number): void
  /** Calls `changed` when another node may have appended entries, until the returned function is called. */
  watch(changed: () => void): () => void
}

/**
 * A PostgreSQL database, by a pool of connections. Advisory locks keep write transactions apart: see
 * `docs/decisions/0020-postgresql.md`.
 */
export class PostgresDatabase implements Database {
  readonly #pool: pg.Pool
  readonly #statements = new Statements()
  readonly #serverClock = new ServerClock()
  readonly #watchers = new Set<Watcher>()
  /** Why no connection can be made. */
  #unreachable: StoreFault | undefined
  readonly #fanOut: FanOut | undefined
  /** The clock that decides: the server's, unless a test brings its own. */
  readonly clock: Clock

  constructor(pool: pg.Pool, clock?: Clock, fanOut?: FanOut) {
    this.#pool = pool
    this.#fanOut = fanOut
    this.clock = clock ?? this.#serverClock
  }

  write<T>(work: (tx: PostgresTransaction) => Promise<T>, scope?: WriteScope): Promise<T> {
    return this.#retrying(async () => {
      let position: number | undefined
      const begins = scope === undefined ? BEGIN.alone : BEGIN.beside
      const result = await this.#inTransaction({ begins, scope, mayAppend: true }, async (tx) => {
        const value = await work(tx)
        position = await tx.finish()
        return value
      })
      if (position !== undefined) this.#fanOut?.publish(position)
      this.#committed(position !== undefined)
      return result
    })
  }

  read<T>(work: (tx: PostgresTransaction) => Promise<T>): Promise<T> {
    return this.#retrying(() =>
      this.#inTransaction({ begins: BEGIN.read, scope: 'none', mayAppend: false }, work),
    )
  }

  step<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#retrying(() => this.#withClient((client) => work(this.#on(client, false))))
  }

  /**
   * Runs one statement that locks nothing but the rows that it changes, and returns its rows. Beginning, statement and
   * commit are sent together, so they cost one round trip. It cannot append to the log.
   */
  writeRows(sql: string, values: readonly unknown[]): Promise<Row[]> {
    return this.#retrying(async () => {
      const rows = await this.#withClient(async (client) => {
        const begun = this.#begin(client, BEGIN.rows)
        const written = this.#on(client, false).allOf(sql, values)
        // The server rolls back instead if the statement has failed.
        const ended = client.query('COMMIT')
        for (const result of await Promise.allSettled([written, begun, ended])) {
          if (result.status === 'rejected') throw result.reason
        }
        return written
      })
      this.#committed(false)
      return rows
    })
  }

  /**
   * Reads the time of the server into the clock. Returns the head of the log, read at the same time. While the server
   * cannot be reached, this call tries it, and all other calls fail at once: otherwise each would wait for seconds.
   */
  async look(): Promise<number> {
    const position = await this.#withClient(async (client) => {
      const tx = this.#on(client, false)
      const sentAtMs = performance.now()
      const row = await tx.get(LOOK)
      if (typeof row?.['now'] === 'number') this.#serverClock.note(row['now'], sentAtMs)
      return Number(row?.['position'])
    }, true)
    this.#unreachable = undefined
    return position
  }

  /** Calls `changed` after each commit of this process. */
  onCommit(changed: Watcher): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  #committed(hasEntries: boolean): void {
    for (const changed of this.#watchers) changed(hasEntries)
  }

  #on(client: pg.PoolClient, mayAppend: boolean): PostgresTransaction {
    return new PostgresTransaction(client, {
      statements: this.#statements,
      clock: this.clock,
      mayAppend,
      notifies: () => this.#fanOut?.isUp !== true,
    })
  }

  #inTransaction<T>(
    { begins, scope, mayAppend }: { begins: string; scope: WriteScope; mayAppend: boolean },
    work: (tx: PostgresTransaction) => Promise<T>,
  ): Promise<T> {
    return this.#withClient(async (client) => {
      try {
        const tx = this.#on(client, mayAppend)
        // Sent together, which saves a round trip.
        await Promise.all([this.#begin(client, begins), lock(tx, scope)])
        const value = await work(tx)
        await client.query('COMMIT')
        return value
      } catch (error) {
        // The pool removes a client that cannot roll back, because its connection has ended.
        if (!isOfConnection(error)) await client.query('ROLLBACK').catch(() => {})
        throw error
      }
    })
  }

  async #begin(client: pg.PoolClient, begins: string): Promise<void> {
    const sentAtMs = performance.now()
    const now = readNow(await client.query(begins))
    // The wait for a lock would make the measurement worse.
    if (now !== undefined) this.#serverClock.note(now, sentAtMs)
  }

  async #withClient<T>(work: (client: pg.PoolClient) => Promise<T>, isProbe = false): Promise<T> {
    if (this.#unreachable !== undefined && !isProbe) throw this.#unreachable
    let client: pg.PoolClient
    try {
      client = await this.#pool.connect()
    } catch (error) {
      const fault = asConnectionFault(error)
      if (this.#watchers.size > 0) this.#unreachable = fault
      throw fault
    }
    let broken: Error | undefined
    const ended = (error: Error): void => {
      broken = error
    }
    client.on('error', ended)
    try {
      return await work(client)
    } catch (error) {
      if (!isOfConnection(error)) throw error
      // An answer that comes later would be read as the answer to the next statement.
      broken ??= error
      throw asConnectionFault(error)
    } finally {
      client.off('error', ended)
      client.release(broken)
    }
  }

  async #retrying<T>(run: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await run()
      } catch (error) {
        if (tries >= TRIES_MAX || !this.#mayRetry(error)) throw asFault(error)
        const waitMs = RETRY_MS * tries * (0.5 + Math.random())
        await new Promise((resolve) => setTimeout(resolve, waitMs))
      }
    }
  }

  #mayRetry(error: unknown): boolean {
    if (isStatementLost(error)) this.#statements.stopPreparing()
    else if (isPlanOutdated(error)) this.#statements.prepareAgain()
    else return isConflict(error)
    return true
  }
}

async function lock(tx: PostgresTransaction, scope: WriteScope): Promise<void> {
  if (scope === undefined || scope === 'none') return
  if ('account' in scope) await tx.get(LOCK_ACCOUNT, scope.account)
  else await tx.get(LOCK_ACCOUNT_OF_SESSION, scope.session)
}

/** Reads the time, if it is the last part of the answer to a beginning. */
function readNow(results: pg.QueryResult | readonly pg.QueryResult[]): number | undefined {
  const last = 'rows' in results ? results : results.at(-1)
  const now: unknown = last?.rows[0]?.now
  return typeof now === 'number' ? now : undefined
}

/** Whether the connection failed, or an answer did not come in time. The driver throws plain errors then. */
function isOfConnection(error: unknown): error is Error {
  if (!(error instanceof Error) || error instanceof pg.DatabaseError) return false
  return 'code' in error || CONNECTION_MESSAGES.some((each) => error.message.includes(each))
}

const CONNECTION_MESSAGES = [
  'Connection terminated',
  'Query read timeout',
  'Client has encountered a connection error',
  'Client was closed',
]
