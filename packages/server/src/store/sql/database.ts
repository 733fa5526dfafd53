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
 * Continues with a value: at once if it is there already, as on SQLite. Promises between the statements of a refresh made
 * the embedded store a quarter slower.
 */
export function whenThere<T, Result>(
  value: Awaitable<T>,
  use: (value: T) => Awaitable<Result>,
): Awaitable<Result> {
  return value instanceof Promise ? value.then(use) : use(value)
}

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
  /** Runs a change of so many rows that no limit of time may stop it. */
  runLong(sql: string, ...values: SqlValue[]): Awaitable<number>
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
  head(read: () => Awaitable<LogHead>): Awaitable<LogHead>
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

/**
 * The rows that a write transaction reads and changes. SQLite ignores the scope, because it has one writer at a time.
 *
 * - Undefined: anything. No other write transaction of any node runs meanwhile. It is the default, so that a
 *   transaction for which nobody has thought about others is slow, and never wrong.
 * - `account` or `session`: rows of one account, of its sessions, codes and factors, and whatever only transactions
 *   without a scope change. Transactions of one account run one after another.
 * - `none`: single statements that are right by themselves, such as an insertion into the audit.
 *
 * Refreshes lock nothing but the row of their session, so a transaction must not rely on the generation of a session
 * that it has only read.
 */
export type WriteScope =
  | { readonly account: string }
  | { readonly session: string }
  | 'none'
  | undefined

/** A database on one of the engines. Errors of the engine become `StoreFault`. */
export interface Database {
  /**
   * Runs `work` in one durable transaction, as if nothing else ran meanwhile: values that it read cannot change
   * before it has written. A thrown error rolls everything back.
   *
   * `scope` lets transactions of PostgreSQL run beside each other: see {@link WriteScope}. PostgreSQL may run `work`
   * again after a deadlock, so it must have no effect outside the database.
   */
  write<T>(work: (tx: Transaction) => Promise<T>, scope?: WriteScope): Promise<T>
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
  run<T>(work: (tx: Transaction) => Awaitable<T>, scope?: WriteScope): Promise<T>
}
