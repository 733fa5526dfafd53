import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { startPostgres } from '../tests/support/postgres.ts'
import { startBetterAuth } from './lib/peers/better-auth.ts'
import { startOidcProvider } from './lib/peers/oidc-provider.ts'
import { startOurs } from './lib/peers/ours.ts'
import { startSimpleJwt } from './lib/peers/simplejwt.ts'
import {
  CLIENTS,
  LOGIN_CLIENTS,
  PEERS_FOLDER,
  SERVER_CORE,
  type Kind,
  type Operation,
  type System,
} from './lib/peers/system.ts'
import { report, round, type Row } from './lib/report.ts'
import { pinSelf } from './lib/server.ts'
import { median, quantile, spread } from './lib/statistics.ts'
import { compare, medianPerSec, type Turn } from './lib/turns.ts'

/**
 * Compares Countersign with oidc-provider, better-auth and SimpleJWT over HTTP: refresh, login with a password, and a
 * protected route. All systems run at the same time and take turns. Each has one core, which it shares with its database;
 * the load has the other. A run takes about 15 minutes. `--quick` takes fewer and shorter turns.
 *
 * Needs Debian's PostgreSQL, Gunicorn, SimpleJWT and psycopg2. Installs the Node packages in `bench/peers`.
 */

const LOAD_CORE = 1
const quick = process.argv.includes('--quick')
// better-auth needs about 1,000 requests until V8 has optimised it.
const WARM_UP_MS = quick ? 3_000 : 10_000
const TURN_MS = quick ? 1_000 : 2_000
const ROUNDS = quick ? 3 : 7

const KINDS: readonly Kind[] = ['refresh', 'login', 'protected route']

pinSelf(LOAD_CORE)
installPeers()
await using running = new AsyncDisposableStack()
const postgres = running.use(
  await startPostgres({
    durable: true,
    core: SERVER_CORE,
    // The defaults of PostgreSQL. Tests use less disk.
    settings: { max_wal_size: '1GB', min_wal_size: '80MB', dynamic_shared_memory_type: 'posix' },
  }),
)
const [ours, ...peers] = await startAll()
for (const { name, settings } of [ours, ...peers]) process.stdout.write(`${name}: ${settings}\n`)

const rows: Row[] = []
for (const kind of KINDS) rows.push(...(await measure(kind)))
for (const { operations } of [ours, ...peers]) {
  for (const operation of operations) await operation.prove?.()
}
report('peers', rows, {
  refresh_vs_simplejwt: lowestRatio('simplejwt, PostgreSQL', 'simplejwt, SQLite'),
  refresh_vs_oidc_provider: lowestRatio('oidc-provider'),
  refresh_vs_better_auth: lowestRatio('better-auth, PostgreSQL', 'better-auth, SQLite'),
  refresh_vs_better_auth_not_durable: lowestRatio('better-auth, not durable'),
  peers_errors: rows.reduce((sum, row) => sum + Number(row['errors']), 0),
})

async function startAll(): Promise<readonly [System, ...System[]]> {
  const betterAuth = versionOf('better-auth')
  return [
    running.use(await startOurs()),
    running.use(await startOidcProvider(versionOf('oidc-provider'))),
    running.use(await startSimpleJwt(postgres)),
    running.use(await startSimpleJwt(undefined)),
    running.use(await startBetterAuth(betterAuth, postgres)),
    running.use(await startBetterAuth(betterAuth, { synchronous: 'FULL' })),
    running.use(await startBetterAuth(betterAuth, { synchronous: 'NORMAL' })),
  ]
}

/** Compares the first operation of this kind of ours with all others of the kind. */
async function measure(kind: Kind): Promise<Row[]> {
  const found = [ours, ...peers].flatMap(({ name, operations }) =>
    operations
      .filter((operation) => operation.kind === kind)
      .map((operation) => ({ name, operation })),
  )
  const [base, ...others] = found
  if (base === undefined) throw new Error(`no system has the operation "${kind}"`)
  const compared = await compare(
    base.operation,
    others.map(({ operation }) => operation),
    {
      clients: kind === 'login' ? LOGIN_CLIENTS : CLIENTS,
      warmUpMs: WARM_UP_MS,
      turnMs: TURN_MS,
      rounds: ROUNDS,
    },
  )
  return [
    rowOf(base.name, base.operation, compared.base, [1]),
    ...compared.others.map(({ operation, turns, ratios }, i) =>
      rowOf(others[i]?.name ?? '', operation, turns, ratios),
    ),
  ]
}

function rowOf(
  system: string,
  { kind, variant }: Operation,
  turns: readonly Turn[],
  ratios: readonly number[],
): Row {
  const latencies = turns.flatMap((turn) => turn.latencies).toSorted((a, b) => a - b)
  return {
    operation: kind,
    system,
    variant,
    per_sec: round(medianPerSec(turns)),
    spread_percent: round(spread(turns.map(({ perSec }) => perSec)) * 100),
    median_ms: round(quantile(latencies, 0.5)),
    p99_ms: round(quantile(latencies, 0.99)),
    cpu_us: Math.round(median(turns.map(({ cpuUs }) => cpuUs))),
    errors: turns.reduce((sum, turn) => sum + turn.errors, 0),
    ours_vs_it: round(median(ratios)),
  }
}

/** Returns how many times as many refreshes we do as the fastest of these systems. */
function lowestRatio(...names: readonly string[]): number {
  return Math.min(
    ...rows
      .filter((row) => row['operation'] === 'refresh' && names.includes(String(row['system'])))
      .map((row) => Number(row['ours_vs_it'])),
  )
}

/** Runs `npm ci` in `bench/peers` if the lock file is newer than what is installed. */
function installPeers(): void {
  const modifiedMs = (file: string): number =>
    statSync(join(PEERS_FOLDER, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (modifiedMs('node_modules/.package-lock.json') > modifiedMs('package-lock.json')) return
  execFileSync('npm', ['ci'], { cwd: PEERS_FOLDER, stdio: 'inherit' })
}

function versionOf(name: string): string {
  const path = join(PEERS_FOLDER, 'node_modules', name, 'package.json')
  // npm has written the file.
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }
  return version
}
