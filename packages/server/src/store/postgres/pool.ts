import pg from 'pg'

/** Settings of the connections to PostgreSQL. Times are in milliseconds. */
export interface PoolSettings {
  /** `postgres://USER:PASSWORD@HOST:5432/DATABASE`, with `?sslmode=verify-full` for TLS. */
  readonly url: string
  /** The most connections of this process. */
  readonly connectionsMax: number
}

/** How long a connection attempt, or the wait for a free connection, may take. */
const CONNECT_MS = 3_000
/** How long the client waits for any answer. A server that vanished without closing the connection never answers. */
const ANSWER_MS = 6_000
const IDLE_MS = 30_000
const KEEP_ALIVE_MS = 10_000

/** The name of all connections in PostgreSQL's list (`application_name`), unless `DATABASE_URL` sets another one. */
export const NODE_NAME = 'countersign'

/** The server ends a statement after this time. */
export const STATEMENT_MS = 5_000
/** The limit of a statement that changes every row of a large table. */
export const LONG_STATEMENT_MS = 600_000
/** A transaction waits for this time for a lock that another transaction holds. */
export const LOCK_MS = 2_000
/**
 * The server ends a transaction whose node does nothing for this long, for example because the node is paused. Until
 * then, its locks stop others.
 */
export const IDLE_TRANSACTION_MS = 3_000

/** Settings for one connection of its own, outside a pool. */
export function clientConfig(url: string): pg.ClientConfig {
  return {
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: ANSWER_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    fallback_application_name: NODE_NAME,
    types: TYPES,
  }
}

/** Creates a pool. It connects when it is used. */
export function createPool({ url, connectionsMax }: PoolSettings): pg.Pool {
  const pool = new pg.Pool({
    ...clientConfig(url),
    // A statement is sent at once, also while others on its connection have no answer yet.
    pipeline: true,
    max: connectionsMax,
    idleTimeoutMillis: IDLE_MS,
  })
  // An idle connection that ends is replaced at the next use. Without a listener, it would end the process.
  pool.on('error', () => {})
  // For a moment, the pool has taken its own listener off a new connection, and its user has not added one yet. A
  // connection that ends in that moment would end the process. Its user gets the error from the next statement.
  pool.on('connect', (client) => void client.on('error', () => {}))
  return pool
}

const { INT8, BYTEA } = pg.types.builtins
const parseBytes: (text: string) => Buffer = pg.types.getTypeParser(BYTEA, 'text')

// The driver returns bigint as text, because it may exceed 2^53. `columns.ts` rejects such a number. Bytes are the same
// type as on SQLite.
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (id, format) => {
    if (format === 'binary') return pg.types.getTypeParser(id, format)
    if (id === INT8) return Number
    if (id === BYTEA) return toBytes
    return pg.types.getTypeParser(id, format)
  },
}

function toBytes(text: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = parseBytes(text)
  return new Uint8Array(buffer, byteOffset, byteLength)
}
