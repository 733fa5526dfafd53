import { createGuard, type Guard, type GuardOptions } from '@countersign/guard'
import { createAuthority, type Authority, type AuthorityConfig } from 'countersign'

import type { Pair } from '../../packages/server/test/support/authority.ts'
import { logTo } from '../../packages/server/test/support/log-lines.ts'
import { sharedPostgres, type Database } from '../support/postgres.ts'

export const PASSWORD = 'correct horse battery'
export const SECRET = 'the-secret-of-all-nodes-of-a-test-0123456789'

/** One node in this process. It listens on no port. */
export interface TestNode {
  readonly authority: Authority
  /** Its log lines. */
  readonly lines: readonly Readonly<Record<string, unknown>>[]
  post(path: string, body: unknown): Promise<Response>
  /** Returns a guard that gets its lease from this node. */
  guard(options?: Partial<GuardOptions>): Promise<Guard>
  close(): Promise<void>
}

/** Nodes on one new database. */
export interface Cluster extends AsyncDisposable {
  readonly database: Database
  readonly url: string
  /** Starts one more node. */
  open(config?: AuthorityConfig): Promise<TestNode>
}

export interface Effective {
  readonly effective: {
    readonly position: number
    readonly ms: number
    readonly guards: number
    readonly confirmed: number
    readonly expired: number
  }
}

/** Settings of all nodes on a database. */
export function settingsOf(database: Database, url: string): AuthorityConfig {
  return {
    publicUrl: url,
    databaseUrl: database.url,
    databaseConnectionsMax: 4,
    secret: SECRET,
    argon2MemoryKib: 8_192,
    argon2Passes: 1,
    throttle: 'off',
  }
}

export async function openCluster(url = 'http://localhost:8000'): Promise<Cluster> {
  const database = await (await sharedPostgres()).createDatabase()
  const opened: TestNode[] = []
  return {
    database,
    url,
    async open(config = {}) {
      const node = await openTestNode({ ...settingsOf(database, url), ...config }, url)
      opened.push(node)
      return node
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((node) => node.close()))
      await database[Symbol.asyncDispose]()
    },
  }
}

async function openTestNode(config: AuthorityConfig, url: string): Promise<TestNode> {
  const lines: Record<string, unknown>[] = []
  const logger = logTo(lines, 'info')
  const authority = await createAuthority({ ...config, logger })
  const guards: Guard[] = []
  let closed: Promise<void> | undefined
  return {
    authority,
    lines,
    post: (path, body) =>
      authority.fetch(
        new Request(`${url}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
        { address: '203.0.113.7' },
      ),
    async guard(options = {}) {
      const guard = createGuard({ issuer: url, feed: authority.feed, ...options })
      guards.push(guard)
      await guard.ready()
      return guard
    },
    close: () =>
      (closed ??= (async () => {
        for (const guard of guards) guard.close()
        authority.feed.close()
        await authority.close()
      })()),
  }
}

/** Logs a person in at a node. Creates the account if it does not exist. */
export async function login(node: TestNode, username = 'alice'): Promise<Pair> {
  await node.authority.accounts.create({ username, password: PASSWORD }, 'test')
  return (await (await node.post('/api/token/', { username, password: PASSWORD })).json()) as Pair
}

/** Logs a session out at a node, and waits for the guards of all nodes. */
export async function logoutEverywhere(
  node: TestNode,
  refresh: string,
): Promise<Effective['effective']> {
  const response = await node.post('/api/token/blacklist/?wait=effective', { refresh })
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
  return ((await response.json()) as Effective).effective
}

/** Removes the newest entries of the log, as a failover to a replica that lagged does. */
export async function loseEntries(database: Database, kept: number): Promise<void> {
  await database.query(`
    BEGIN;
    ALTER TABLE revocations DISABLE TRIGGER ALL;
    DELETE FROM revocations WHERE position > ${kept};
    UPDATE revocation_head SET position = ${kept},
      chain = (SELECT chain FROM revocations WHERE position = ${kept}) WHERE id = 1;
    ALTER TABLE revocations ENABLE TRIGGER ALL;
    COMMIT`)
}

/** Repeats a question until the answer is true. Unlike `expect.poll`, it also works in tests that run together. */
export async function until(
  ask: () => boolean | Promise<boolean>,
  withinMs = 60_000,
): Promise<void> {
  const late = performance.now() + withinMs
  while (!(await ask())) {
    if (performance.now() > late)
      throw new Error(`${ask.toString()} is not true after ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
