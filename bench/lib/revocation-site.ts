import { rmSync } from 'node:fs'

import type { StoreSettings } from '../../packages/server/src/store/open.ts'
import { freePort } from '../../scripts/lib/processes.ts'
import { startPostgres } from '../../tests/support/postgres.ts'
import { cpuSecOf } from './postgres-work.ts'
import { pickSessions, seedPostgres } from './seed-postgres.ts'
import { currentPairs, pairsOf, seedSessions, type SeededPair } from './seed.ts'
import { startServer, type BenchServer } from './server.ts'

/** Running authorities on one store, with live sessions. */
export interface Site extends AsyncDisposable {
  /** To open the store beside them. */
  readonly settings: StoreSettings
  readonly issuer: string
  /** One for each node. */
  readonly urls: readonly string[]
  readonly ports: readonly number[]
  readonly pairs: readonly SeededPair[]
  /** The CPU time of all nodes, and of PostgreSQL. */
  cpuSec(): number
}

/** Starts one authority on core 0 with the embedded store, or this many nodes on one PostgreSQL on all cores. */
export function openSite(sessions: number, nodes: number | undefined): Promise<Site> {
  return nodes === undefined ? openEmbedded(sessions) : openNodes(sessions, nodes)
}

async function openEmbedded(sessions: number): Promise<Site> {
  await using parts = new AsyncDisposableStack()
  const dataDir = await seedSessions(sessions)
  parts.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  const server = parts.use(await startServer({ node: process.execPath, dataDir, cores: '0' }))
  const issuer = `http://localhost:${server.port}`
  const pairs = await currentPairs(dataDir, issuer, sessions)
  const kept = parts.move()
  return {
    settings: { dataDir },
    issuer,
    urls: [issuer],
    ports: [server.port],
    pairs,
    cpuSec: () => server.cpuSec(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

const SECRET = 'only for benchmarks: a secret of all nodes'

async function openNodes(sessions: number, count: number): Promise<Site> {
  await using parts = new AsyncDisposableStack()
  const postgres = parts.use(
    await startPostgres({ durable: true, settings: { max_wal_size: '1GB' } }),
  )
  const database = parts.use(await postgres.createDatabase())
  const settings = { dataDir: '/tmp', databaseUrl: database.url }
  // A name of its own, because each node listens on another port.
  const issuer = `http://localhost:${await freePort()}`
  const nodes: BenchServer[] = []
  for (let n = 0; n < count; n += 1) {
    const env = {
      DATABASE_URL: database.url,
      COUNTERSIGN_SECRET: SECRET,
      COUNTERSIGN_PUBLIC_URL: issuer,
    }
    const { dataDir } = settings
    nodes.push(parts.use(await startServer({ node: process.execPath, dataDir, env })))
  }
  await seedPostgres(database, { sessions, passwordHash: '' })
  const ids = await pickSessions(database, sessions)
  const pairs = await pairsOf({ settings, secret: SECRET, issuer }, ids)
  const kept = parts.move()
  return {
    settings,
    issuer,
    urls: nodes.map(({ port }) => `http://localhost:${port}`),
    ports: nodes.map(({ port }) => port),
    pairs,
    cpuSec: () => nodes.reduce((sum, node) => sum + node.cpuSec(), cpuSecOf(postgres)),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
