import type { LogHead } from '@countersign/guard/revocations/entry'

import type { EpochMs } from '../../base/clock.ts'
import type { Revocation } from '../rows.ts'

/** A row as the engine returns it. `columns.ts` reads it. */
export type Row = Record<string, unknown>

/** A value of a statement. Both engines keep flags as 0 and 1, and times as milliseconds since 1970. */
export type SqlValue = string | number | null | Uint8Array

/** SQLite answers at once, so its answers need no promise. */
export type Awaitable<T> = T | Promise<T>

/**
 * Statements of one transaction, or of one step outside a transaction. All statements are SQL that both engines
 * understand, with `?` for each value. Statements of one transaction run one after another.
 */
export interface Transaction {
  readonly engine: Engine
  /** Returns the first row, or undefined. */
  get(sql: string, ...values: SqlValue[]): Awaitable<Row | undefined>
  /** Returns all rows. */
  all(sql: string, ...values: SqlValue[]): Awaitable<Row[]>
  /** Runs a change. Returns the number of rows that it changed. */
  run(sql: string, ...values: SqlValue[]): Awaitable<number>
  /** Returns the time of the store's clock. It decides grace and expiry. */
  nowMs(): EpochMs
  /**
   * Appends an entry to the revocation log at the end of the transaction, after all its other writes. So the log's
   * counter is always locked last, even if several methods share a transaction. {@link head} returns the entry at
   * once.
   */
  append(entry: Revocation): void
  /**
   * Returns the head of the log: the entry that this transaction appended last, or what `read` returns. A write
   * transaction reads once, because nobody else can move the head before it ends.
   */
  head(read: () => Promise<LogHead>): Awaitable<LogHead>
  /**
   * Runs a part of a write transaction that can be undone without the rest. Returns the value or the error of
   * `work`. Throws if the engine has ended the whole transaction.
   */
  attempt<T>(work: () => Promise<T>): Promise<Attempted<T>>
}

/** The engines. A statement that must differ is written for both. */
export type Engine = 'sqlite' | 'postgres'

/** The result of work that can be undone separately. */
export type Attempted<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown }

/** A database on one of the engines. Errors of the engine become `StoreFault`. */
export interface Database {
  /**
   * Runs `work` in one durable transaction, as if nothing else ran meanwhile: values that it read cannot change
   * before it has written. A thrown error rolls everything back.
   *
   * PostgreSQL runs `work` again if another transaction interfered, so it must have no effect outside the database.
   */
  write<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Runs `work`, which must only read, on one snapshot. */
  read<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Runs `work`, which must be a single statement, without a transaction of its own. */
  step<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
}

/** Runs pieces of work that arrive together in one write transaction. */
export interface GroupCommit {
  /** Whether so much work waits that callers should retry later instead. */
  readonly isFull: boolean
  /**
   * Runs `work` in the next batch. The promise settles when the batch is durable. A piece that throws undoes only its
   * own changes. A piece may run several times, so it must have no effect outside the database.
   */
  run<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
}
