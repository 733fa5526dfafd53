import { setTimeout as sleep } from 'node:timers/promises'

import { chainValue } from '@countersign/guard/revocations'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { StoreFault } from '../../packages/server/src/base/faults.ts'
import { PostgresDatabase } from '../../packages/server/src/store/postgres/database.ts'
import { createPool } from '../../packages/server/src/store/postgres/pool.ts'
import { openPostgresStore } from '../../packages/server/src/store/postgres/store.ts'
import { appendRevocation } from '../../packages/server/src/store/sql/revocations.ts'
import { sized } from '../../packages/server/test/support/long.ts'
import { ADMIN } from '../../packages/server/test/support/server-process.ts'
import { startPostgres, type Database, type Postgres } from '../support/postgres.ts'
import { describeWith } from '../support/requirements.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import { startCluster } from './cluster.ts'

const APPENDS_PER_WRITER = sized(60, 1_000)
const LOG_OUTS = sized(60, 1_000)
const READERS = 3

/**
 * Reads the log again and again in connections of its own, as the other nodes do. Throws if a position appears below one
 * that was seen before, if one is missing, or if the chain does not fit.
 */
class Reader {
  readonly #settings: { readonly url: string; readonly connectionsMax: number }
  readonly #done: Promise<void>
  #isStopped = false
  /** The newest position that it has seen. */
  position = 0
  /** How many reads returned something new. */
  advances = 0

  constructor(url: string) {
    this.#settings = { url, connectionsMax: 1 }
    this.#done = this.#run()
    this.#done.catch(() => {})
  }

  /** Reads until the log has this position, and then once more. */
  async stopAt(position: number): Promise<void> {
    while (this.position < position && !this.#isStopped) {
      await Promise.race([sleep(5), this.#done])
    }
    this.#isStopped = true
    await this.#done
  }

  async #run(): Promise<void> {
    const store = await openPostgresStore(this.#settings)
    const all = new Client({ connectionString: this.#settings.url })
    all.on('error', () => {})
    await all.connect()
    try {
      const start = await store.revocations.head()
      let chain: Uint8Array = start.chain
      const from = start.position
      this.position = from
      while (!this.#isStopped) {
        const head = await store.revocations.head()
        const { entries } = await store.revocations.tail(this.position, 1_000)
        for (const entry of entries) {
          expect(entry.position).toBe(this.position + 1)
          chain = chainValue(chain, entry)
          expect(Buffer.from(entry.chain)).toEqual(Buffer.from(chain))
          this.position += 1
        }
        if (entries.length > 0) this.advances += 1
        // The head never runs ahead of the entries, and no entry appears below what was seen.
        expect(this.position).toBeGreaterThanOrEqual(head.position)
        const { rows } = await all.query<{ n: string; max: string | null }>(
          'SELECT count(*) AS n, max(position) AS max FROM revocations WHERE position > $1',
          [from],
        )
        expect(Number(rows[0]?.n)).toBe(Number(rows[0]?.max ?? from) - from)
      }
    } finally {
      this.#isStopped = true
      await all.end()
      await store.close()
    }
  }
}

describeWith('postgres', 'the order of the revocation log', () => {
  let postgres: Postgres
  beforeAll(async () => void (postgres = await startPostgres()))
  afterAll(() => postgres?.[Symbol.asyncDispose]())

  /** A database with the schema, and readers of its log. */
  async function open(): Promise<
    AsyncDisposable & { readonly database: Database; readonly readers: readonly Reader[] }
  > {
    const database = await postgres.createDatabase()
    const store = await openPostgresStore({ url: database.url, connectionsMax: 1 })
    await store.close()
    const readers = Array.from({ length: READERS }, () => new Reader(database.url))
    return {
      database,
      readers,
      async [Symbol.asyncDispose]() {
        for (const reader of readers) await reader.stopAt(0).catch(() => {})
        await database[Symbol.asyncDispose]()
      },
    }
  }

  async function expectAllRead(readers: readonly Reader[], position: number): Promise<void> {
    for (const reader of readers) await reader.stopAt(position)
    for (const reader of readers) expect(reader.position).toBe(position)
  }

  test('writers that wait between append, write and commit never overtake each other', async () => {
    await using it = await open()
    // The first writer is far away: each of its messages, also COMMIT, takes 10 ms longer.
    await using far = await TcpProxy.start(postgres.port)
    far.slow(10)
    const farUrl = new URL(it.database.url)
    farUrl.port = String(far.port)
    const urls = [farUrl.href, it.database.url, it.database.url, it.database.url]
    const pools = urls.map((url) => createPool({ url, connectionsMax: 2 }))
    let appended = 0
    try {
      const writers = pools.flatMap((pool, w) => {
        const db = new PostgresDatabase(pool)
        return [1, 2].map(async (connection) => {
          for (let n = 0; n < APPENDS_PER_WRITER; n += 1) {
            const isUndone = Math.random() < 0.1
            const account = `account-${w}-${connection}`
            const scope = n % 7 === 0 ? undefined : n % 2 === 0 ? { account } : ('none' as const)
            const write = db.write(async (tx) => {
              if (n % 3 === 0) await sleep(Math.random() * 5)
              await appendRevocation(tx, 'session', `${account}-${n}`, 'hard', n)
              if (n % 5 === 0) await appendRevocation(tx, 'account', account, 'hard', n)
              // It holds the head of the log meanwhile.
              if (n % 4 === 0) await sleep(Math.random() * 5)
              if (isUndone) throw new RangeError('undone')
              return n % 5 === 0 ? 2 : 1
            }, scope)
            const added = await write.catch((error: unknown) => {
              // Those that wait for all others may give up on a busy machine.
              if (error instanceof RangeError || isLockTimeout(error)) return 0
              throw error
            })
            appended += added
          }
        })
      })
      await Promise.all(writers)
      await expectAllRead(it.readers, appended)
      // Readers that only saw the end would prove nothing.
      for (const reader of it.readers) expect(reader.advances).toBeGreaterThan(10)
    } finally {
      await Promise.all(pools.map((pool) => pool.end()))
    }
  })

  test('while a transaction with an entry stays open, no later entry becomes visible', async () => {
    await using it = await open()
    const pool = createPool({ url: it.database.url, connectionsMax: 4 })
    const held = new Client({ connectionString: it.database.url })
    held.on('error', () => {})
    try {
      const db = new PostgresDatabase(pool)
      const append = (subject: string): Promise<number> =>
        db.write((tx) => appendRevocation(tx, 'session', subject, 'hard', 1), 'none')
      await append('first')
      await held.connect()
      // The same locks as a node that stops between its last write and COMMIT.
      await held.query('BEGIN')
      await held.query('SELECT pg_advisory_xact_lock_shared(1129270867, 1)')
      await held.query('SELECT * FROM revocation_head WHERE id = 1 FOR UPDATE')
      await held.query(
        `INSERT INTO revocations (position, kind, subject, hard, at, chain)
         VALUES (2, 'session', 'held', 1, 1, $1)`,
        [chainValue(await chainAt(it.database, 1), entry(2, 'held'))],
      )
      await held.query(
        'UPDATE revocation_head SET position = 2, chain = (SELECT chain FROM revocations WHERE position = 2)',
      )
      let isAppended = false
      const late = append('late').then((position) => {
        isAppended = true
        return position
      })
      await sleep(700)
      expect(isAppended).toBe(false)
      expect(it.readers.map(({ position }) => position)).toEqual([1, 1, 1])
      await held.query('COMMIT')
      expect(await late).toBe(3)
      await expectAllRead(it.readers, 3)

      // A transaction that stays open for longer than writers wait: they fail, and leave no gap.
      await held.query('BEGIN')
      await held.query('SELECT * FROM revocation_head WHERE id = 1 FOR UPDATE')
      await expect(append('in vain')).rejects.toThrow('The database failed')
      await held.query('ROLLBACK')
      expect(await append('after')).toBe(4)
    } finally {
      await held.end()
      await pool.end()
    }
  })

  test('nodes that end sessions and change roles at once write one log without a gap', async () => {
    await using cluster = await startCluster({ postgres })
    const readers = Array.from({ length: READERS }, () => new Reader(cluster.databaseUrl))
    const http = cluster.client()
    await Promise.all([
      (async () => {
        for (const word of ['add', 'remove', 'add', 'remove']) {
          await cluster.run('accounts', 'roles', word, ADMIN.username, 'editor')
        }
      })(),
      ...Array.from({ length: 6 }, async () => {
        for (let n = 0; n < LOG_OUTS / 6; n += 1) {
          const { refresh } = await http.login(ADMIN)
          const answer = await http.post('/api/token/blacklist/', { refresh })
          expect(answer).toMatchObject({ status: 200 })
        }
      }),
    ])
    const [{ position } = { position: '' }] = await cluster.query<{ position: string }>(
      'SELECT position FROM revocation_head',
    )
    expect(Number(position)).toBeGreaterThanOrEqual(LOG_OUTS)
    await expectAllRead(readers, Number(position))
  })
})

function isLockTimeout(error: unknown): boolean {
  return error instanceof StoreFault && error.message.includes('55P03')
}

function entry(position: number, subject: string) {
  return { position, kind: 'session', subject, strength: 'hard', at: 1 } as const
}

async function chainAt(database: Database, position: number): Promise<Uint8Array> {
  const [row] = await database.query<{ chain: Buffer }>(
    'SELECT chain FROM revocations WHERE position = $1',
    [position],
  )
  return row!.chain
}
