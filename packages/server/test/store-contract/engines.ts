import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

import { openServerStore } from '../../src/store/open-server.ts'
import { openStore, type StoreSettings } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { isPresent, requirements } from '../../../../scripts/setup-tests.ts'
import { sharedPostgres } from '../../../../tests/support/postgres.ts'
import { TestClock } from '../support/authority.ts'
import type { Answer, Question } from './elsewhere.ts'

/** A new database of an engine, and further connections to it. */
export interface OpenedEngine extends AsyncDisposable {
  readonly store: Store
  /** A second connection to the same database, in this thread. */
  readonly beside: Store
  /** The clock of both connections. */
  readonly clock: TestClock
  /** Calls a method, such as `accounts.create`, by a third connection in another thread. */
  elsewhere(method: string, ...values: readonly unknown[]): Promise<unknown>
  /** Closes both connections and opens them again. */
  reopen(): Promise<void>
}

type Open = (settings: StoreSettings, clock: TestClock) => Promise<Store>

const inThisThread: Open = (settings, clock) => openStore(settings, { exclusive: true, clock })
const beside: Open = (settings, clock) => openStore(settings, { exclusive: false, clock })
const forServer: Open = (settings, clock) => openServerStore(settings, { clock, onEvent: () => {} })

async function openSqlite(openMain: Open): Promise<OpenedEngine> {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-contract-'))
  return openEngine({ dataDir }, openMain, async () =>
    rmSync(dataDir, { recursive: true, force: true }),
  )
}

async function openPostgres(): Promise<OpenedEngine> {
  const postgres = await sharedPostgres()
  const database = await postgres.createDatabase()
  const settings = { dataDir: '', databaseUrl: database.url, databaseConnectionsMax: 5 }
  return openEngine(settings, forServer, async () => {
    await database[Symbol.asyncDispose]()
  })
}

async function openEngine(
  settings: StoreSettings,
  openMain: Open,
  remove: () => Promise<void>,
): Promise<OpenedEngine> {
  const clock = new TestClock()
  const open = async (): Promise<readonly [Store, Store]> => [
    await openMain(settings, clock),
    await beside(settings, clock),
  ]
  let [store, other] = await open()
  const close = async (): Promise<void> => {
    await other.close()
    await store.close()
  }
  return {
    get store() {
      return store
    },
    get beside() {
      return other
    },
    clock,
    elsewhere: (method, ...values) =>
      (thread ??= new Thread()).ask({ settings, method, values, nowMs: clock.nowMs() }),
    async reopen() {
      await close()
      ;[store, other] = await open()
    },
    async [Symbol.asyncDispose]() {
      await thread?.ask({ settings, method: 'close', values: [], nowMs: 0 })
      await close()
      await remove()
    },
  }
}

/**
 * Another thread with its own connections, so its calls really run at the same time. All tests of a file
 * share one thread.
 */
class Thread {
  readonly #worker = new Worker(new URL('elsewhere.ts', import.meta.url))
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #asked = 0

  constructor() {
    this.#worker.on('message', (answer: Answer) => {
      if (this.#waiting.size === 1) this.#worker.unref()
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
  }

  ask(question: Omit<Question, 'id'>): Promise<unknown> {
    const id = (this.#asked += 1)
    this.#worker.ref()
    // A thread, not a window.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    this.#worker.postMessage({ ...question, id } satisfies Question)
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ value, error }) =>
        error === undefined ? resolve(value) : reject(new Error(error)),
      )
    })
  }
}

let thread: Thread | undefined

/** Every engine that must keep the contract. Add a line for a new engine. */
export const engines: readonly (readonly [name: string, open: () => Promise<OpenedEngine>])[] = [
  ['SQLite', () => openSqlite(inThisThread)],
  ['SQLite in its thread', () => openSqlite(forServer)],
  // If PostgreSQL is not installed, `npm test` says so, and CI fails.
  ...(isPresent(requirements.postgres) ? [['PostgreSQL', openPostgres] as const] : []),
]
