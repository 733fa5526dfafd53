import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import pino from 'pino'

import { createAuthority, type Authority, type AuthorityConfig } from '../../src/authority.ts'
import type { Clock } from '../../src/base/clock.ts'

/**
 * The settings of a database of its own: with `TEST_DATABASE=postgres` one of PostgreSQL, so that the suites can run on
 * both engines.
 */
export async function openTestDatabase(): Promise<AsyncDisposable & { settings: AuthorityConfig }> {
  if (process.env['TEST_DATABASE'] !== 'postgres') {
    return { settings: {}, [Symbol.asyncDispose]: () => Promise.resolve() }
  }
  const { sharedPostgres } = await import('../../../../tests/support/postgres.ts')
  const database = await (await sharedPostgres()).createDatabase()
  return {
    settings: { databaseUrl: database.url, databaseConnectionsMax: 4, secret: SHARED_SECRET },
    [Symbol.asyncDispose]: async () => database[Symbol.asyncDispose](),
  }
}

/** The settings of the databases of test authorities, by their data directories. */
export const databases = new Map<string, AuthorityConfig>()

const SHARED_SECRET = 'the-secret-of-all-nodes-of-a-test-0123456789'

/** A clock that stands still until a test moves it. */
export class TestClock implements Clock {
  #nowMs: number
  constructor(startMs = Date.UTC(2026, 10, 23, 12, 0, 0)) {
    this.#nowMs = startMs
  }
  nowMs(): number {
    return this.#nowMs
  }
  advanceMs(ms: number): void {
    this.#nowMs += ms
  }
}

export const USERNAME = 'alice'
export const PASSWORD = 'correct horse battery'
export const ISSUER = 'http://localhost:8000'

export interface TestAuthority extends AsyncDisposable {
  readonly authority: Authority
  readonly clock: TestClock
  readonly dataDir: string
  /** Sends a POST with a JSON body. */
  post(path: string, body: unknown, from?: Partial<From>): Promise<Response>
  /** Logs alice in and returns both tokens. */
  login(from?: Partial<From>): Promise<Pair>
  /** Closes the authority and opens it again on the same data, which `whileClosed` may have changed. */
  restart(config?: AuthorityConfig, whileClosed?: () => void): Promise<void>
}

/** An authority that answers requests, with its own accounts or with those of an application. */
export interface Answering {
  readonly authority: Pick<Authority, 'fetch'>
}

export interface From {
  readonly address: string
  readonly userAgent: string
}

export interface Pair {
  readonly access: string
  readonly refresh: string
}

/**
 * Opens an authority on a real SQLite file in a temporary directory, with one account: alice. `watch` wraps
 * the handling of every request.
 */
export async function openTestAuthority(
  config: AuthorityConfig = {},
  watch: (fetch: Authority['fetch']) => Authority['fetch'] = (fetch) => fetch,
): Promise<TestAuthority> {
  const clock = new TestClock()
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  const database = await openTestDatabase()
  databases.set(dataDir, database.settings)
  const open = async (more: AuthorityConfig): Promise<Authority> => {
    const opened = await createAuthority({
      publicUrl: ISSUER,
      dataDir,
      // The smallest allowed value: most tests are not about hashing.
      argon2MemoryKib: 8_192,
      argon2Passes: 1,
      // Most tests log in more often than a person does.
      throttle: 'off',
      // Test clocks jump by months. Without its key, a token is no longer recognised as expired.
      keyRotation: 'off',
      clock,
      logger: pino({ level: 'silent' }),
      ...database.settings,
      ...config,
      ...more,
    })
    return { ...opened, fetch: watch(opened.fetch) }
  }
  let authority = await open({})
  const created = await authority.accounts.create(
    { username: USERNAME, password: PASSWORD },
    'test',
  )
  if (!created.ok) throw new Error(created.text)

  const post: TestAuthority['post'] = async (path, body, from = {}) =>
    authority.fetch(
      new Request(`${ISSUER}${path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': from.userAgent ?? 'test-agent',
        },
        body: JSON.stringify(body),
      }),
      { address: from.address ?? '203.0.113.7' },
    )

  return {
    get authority() {
      return authority
    },
    clock,
    dataDir,
    post,
    async login(from) {
      const response = await post('/api/token/', { username: USERNAME, password: PASSWORD }, from)
      if (response.status !== 200) throw new Error(`login answered ${response.status}`)
      return (await response.json()) as Pair
    },
    async restart(more = {}, whileClosed) {
      await authority.close()
      whileClosed?.()
      authority = await open(more)
    },
    async [Symbol.asyncDispose]() {
      await authority.close()
      await database[Symbol.asyncDispose]()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
