import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createAuthority, type Authority, type AuthorityConfig } from 'countersign'

import { createLogger } from '../../packages/server/src/base/logger.ts'
import { sharedPostgres } from '../support/postgres.ts'
import type { RedisCluster } from '../support/redis-cluster.ts'
import type { RedisWithSentinels } from '../support/redis-sentinel.ts'
import { startRedis, type RunningRedis } from '../support/redis.ts'

/** The URL of a primary that Sentinels know. */
export function sentinelUrl({ sentinels, name }: RedisWithSentinels): string {
  return `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${name}/0`
}

/** The URL of a cluster. */
export function clusterUrl({ nodes }: RedisCluster): string {
  return `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
}

/** A Redis without the command HELLO, like servers and proxies that know only RESP2. */
export function startLegacyRedis(): Promise<RunningRedis> {
  return startRedis({ settings: ['rename-command HELLO ""'] })
}

export const PASSWORD = 'correct horse battery'
export const ISSUER = 'http://localhost:8000'

/** An authority of a group on one PostgreSQL. */
export interface Node {
  readonly authority: Authority
  /** The events of its log so far. */
  readonly events: readonly string[]
  logIn(username: string, password: string, address: string): Promise<Response>
}

/** Several authorities in this process, on one database and one Redis, with the account alice. */
export interface Nodes extends AsyncDisposable {
  readonly nodes: readonly [Node, Node]
  readonly databaseUrl: string
}

/** Opens two authorities on a database of their own. */
export async function openNodes(config: AuthorityConfig): Promise<Nodes> {
  const database = await (await sharedPostgres()).createDatabase()
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  const settings: AuthorityConfig = {
    publicUrl: ISSUER,
    dataDir,
    databaseUrl: database.url,
    databaseConnectionsMax: 6,
    secret: 'the-secret-of-all-nodes-of-a-test-0123456789',
    argon2MemoryKib: 8_192,
    argon2Passes: 1,
    ...config,
  }
  const first = await openNode(settings)
  const second = await openNode(settings)
  const created = await first.authority.accounts.create(
    { username: 'alice', password: PASSWORD },
    'test',
  )
  if (!created.ok) throw new Error(created.text)
  return {
    nodes: [first, second],
    databaseUrl: database.url,
    async [Symbol.asyncDispose]() {
      await first.authority.close()
      await second.authority.close()
      await database[Symbol.asyncDispose]()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

async function openNode(settings: AuthorityConfig): Promise<Node> {
  const events: string[] = []
  const logger = createLogger('info', (lines, done) => {
    for (const line of String(lines).trim().split('\n')) {
      events.push((JSON.parse(line) as { event: string }).event)
    }
    done(undefined)
  })
  const authority = await createAuthority({ ...settings, logger })
  return {
    authority,
    events,
    logIn: (username, password, address) =>
      authority.fetch(
        new Request(`${ISSUER}/api/token/`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ username, password }),
        }),
        { address },
      ),
  }
}
