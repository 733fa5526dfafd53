import type { LogHead } from '@countersign/guard/revocations/entry'
import type { PoolClient, QueryConfig, QueryResult } from 'pg'

import type { Clock, EpochMs } from '../../base/clock.ts'
import type { Revocation } from '../rows.ts'
import type { Attempted, Awaitable, Row, SqlValue, Transaction } from '../sql/database.ts'
import { asFault } from './errors.ts'
import { readHeadAlone, writeLog, type RunRows } from './log.ts'
import { LONG_STATEMENT_MS, STATEMENT_MS } from './pool.ts'
import type { Statements } from './statements.ts'

/** The parts of a transaction besides its connection. */
export interface TransactionOptions {
  readonly statements: Statements
  readonly clock: Clock
  /** Whether it may append to the revocation log. */
  readonly mayAppend: boolean
  /** Whether PostgreSQL must tell the other nodes about new entries. */
  readonly notifies: () => boolean
}

/** Statements on one connection. */
export class PostgresTransaction implements Transaction {
  readonly engine = 'postgres'
  readonly #client: PoolClient
  readonly #options: TransactionOptions
  readonly #entries: Revocation[] = []
  #head: LogHead | undefined

  constructor(client: PoolClient, options: TransactionOptions) {
    this.#client = client
    this.#options = options
  }

  async get(sql: string, ...values: SqlValue[]): Promise<Row | undefined> {
    return (await this.#query(sql, values)).rows[0]
  }

  async all(sql: string, ...values: SqlValue[]): Promise<Row[]> {
    return (await this.#query(sql, values)).rows
  }

  async run(sql: string, ...values: SqlValue[]): Promise<number> {
    return (await this.#query(sql, values)).rowCount ?? 0
  }

  async runLong(sql: string, ...values: SqlValue[]): Promise<number> {
    const limit = (ms: number): Promise<unknown> =>
      this.#client.query(`SET LOCAL statement_timeout = ${ms}`)
    await limit(LONG_STATEMENT_MS)
    const { text } = this.#options.statements.of(sql)
    // The types of the driver lack this option of a single statement.
    const query: QueryConfig & { query_timeout: number } = {
      text,
      values,
      query_timeout: LONG_STATEMENT_MS,
    }
    const { rowCount } = await this.#client.query(query)
    await limit(STATEMENT_MS)
    return rowCount ?? 0
  }

  /** Runs a statement with arrays, which only PostgreSQL has. */
  async allOf(sql: string, values: readonly unknown[]): Promise<Row[]> {
    return (await this.#query(sql, values)).rows
  }

  nowMs(): EpochMs {
    return this.#options.clock.nowMs()
  }

  append(entry: Revocation): void {
    if (!this.#options.mayAppend) throw new Error('This work needs a write transaction.')
    this.#entries.push(entry)
    this.#head = entry
  }

  head(read: () => Awaitable<LogHead>): Awaitable<LogHead> {
    if (!this.#options.mayAppend) return read()
    return this.#head ?? this.#lockHead()
  }

  // Nobody else appends before this transaction ends, so the positions are in commit order and have no gap.
  async #lockHead(): Promise<LogHead> {
    return (this.#head ??= await readHeadAlone((sql, values) => this.allOf(sql, values)))
  }

  async attempt<T>(work: () => Promise<T>): Promise<Attempted<T>> {
    const kept = this.#entries.length
    const head = this.#head
    await this.#client.query('SAVEPOINT part')
    try {
      const value = await work()
      await this.#client.query('RELEASE SAVEPOINT part')
      return { ok: true, value }
    } catch (error) {
      await this.#client.query('ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part')
      this.#entries.length = kept
      this.#head = head
      return { ok: false, error: asFault(error) }
    }
  }

  /** Writes the appended entries. Returns the position of the newest one, if there are any. */
  async finish(): Promise<number | undefined> {
    const newest = this.#entries.at(-1)
    if (newest === undefined) return undefined
    const run: RunRows = (sql, values) => this.allOf(sql, values)
    await writeLog(run, this.#entries, this.#options.notifies())
    return newest.position
  }

  #query(sql: string, values: readonly unknown[]): Promise<QueryResult<Row>> {
    return this.#client.query<Row>({ ...this.#options.statements.of(sql), values: [...values] })
  }
}
