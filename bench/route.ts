import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'

import { report, round, type Row } from './lib/report.ts'
import { pinSelf } from './lib/server.ts'
import { HttpConnection } from './lib/http-connection.ts'
import { median, spread } from './lib/statistics.ts'

/**
 * Measures a guarded `GET /me` in Express, Fastify and Hono, with ES256 and HS256, a thousand tokens in
 * rotation and a connected feed. It compares the bare route, the framework's usual JWT middleware, a
 * middleware that does nothing (the upper limit for any middleware) and a middleware that looks up the header
 * in a `Map`.
 *
 * The server has one core, and the load generator the other. The variants take turns of a tenth of a second,
 * with a turn of the bare route before and after each. The speed of a shared machine changes within seconds,
 * so a variant is compared with the two bare turns around it.
 */

const CONNECTIONS = 16
const TOKENS = 1_000
const quick = process.argv.includes('--quick')
const WARM_MS = quick ? 500 : 2_000
const TURN_MS = 100
const ROUNDS = quick ? 10 : 30
/** How many processes run for each row. V8 optimises the same code differently in each process. */
const INSTANCES = quick ? 1 : 3

const FRAMEWORKS = ['express', 'fastify', 'hono'] as const
const ALGS = ['ES256', 'HS256'] as const
/** The variants besides the bare route. */
const VARIANTS = ['guard', 'noop', 'map', 'own'] as const

type Framework = (typeof FRAMEWORKS)[number]
type Alg = (typeof ALGS)[number]
type Variant = (typeof VARIANTS)[number]
/** For each turn of a variant: its requests per second, and those of the bare route around it. */
type Turns = Readonly<Record<Variant, Turn[]>>

interface Turn {
  readonly perSec: number
  readonly barePerSec: number
}

pinSelf(1)
const rows: Row[] = []
for (const framework of FRAMEWORKS) for (const alg of ALGS) rows.push(await measure(framework, alg))
const ofBare = (framework: Framework): number =>
  Math.min(
    ...rows.filter((row) => row['framework'] === framework).map((row) => Number(row['of_bare'])),
  )
report('route', rows, {
  route_lowest_vs_own: Math.min(...rows.map((row) => Number(row['vs_own']))),
  route_fastify_of_bare: ofBare('fastify'),
  route_hono_of_bare: ofBare('hono'),
  route_express_of_bare: ofBare('express'),
})

async function measure(framework: Framework, alg: Alg): Promise<Row> {
  const turns: Turns = { guard: [], noop: [], map: [], own: [] }
  for (let instance = 0; instance < INSTANCES; instance++) await measureOne(framework, alg, turns)
  const perSec = (variant: Variant): number => median(turns[variant].map((turn) => turn.perSec))
  const shareOf = (variant: Variant): number =>
    median(turns[variant].map((turn) => turn.perSec / turn.barePerSec))
  return {
    framework,
    alg,
    bare_per_sec: Math.round(median(turns.guard.map((turn) => turn.barePerSec))),
    guard_per_sec: Math.round(perSec('guard')),
    own_per_sec: Math.round(perSec('own')),
    of_bare: round(shareOf('guard')),
    noop_of_bare: round(shareOf('noop')),
    map_of_bare: round(shareOf('map')),
    vs_own: round(shareOf('guard') / shareOf('own')),
    spread: round(spread(turns.guard.map((turn) => turn.perSec))),
  }
}

/** Measures one process of the applications and adds its turns. */
async function measureOne(framework: Framework, alg: Alg, turns: Turns): Promise<void> {
  const { child, ports, tokens } = await startApp(framework, alg)
  try {
    const lanes: Record<Variant | 'bare', readonly HttpConnection[]> = {
      bare: await openLanes(ports.bare),
      guard: await openLanes(ports.guard),
      noop: await openLanes(ports.noop),
      map: await openLanes(ports.map),
      own: await openLanes(ports.own),
    }
    const run = (variant: Variant | 'bare', ms: number): Promise<number> =>
      load(lanes[variant], variant === 'own' ? tokens.own : tokens.guard, ms)
    for (const variant of ['bare', ...VARIANTS] as const) await run(variant, WARM_MS)
    let before = await run('bare', TURN_MS)
    for (let turn = 0; turn < ROUNDS; turn++) {
      const first = turn % VARIANTS.length
      for (const variant of [...VARIANTS.slice(first), ...VARIANTS.slice(0, first)]) {
        const perSec = await run(variant, TURN_MS)
        const after = await run('bare', TURN_MS)
        turns[variant].push({ perSec, barePerSec: (before + after) / 2 })
        before = after
      }
    }
    for (const lane of Object.values(lanes).flat()) lane.close()
  } finally {
    child.kill()
  }
}

interface App {
  readonly child: ChildProcess
  readonly ports: Readonly<Record<Variant | 'bare', number>>
  /** Tokens for the guard, and for the framework's usual middleware. */
  readonly tokens: { readonly guard: readonly string[]; readonly own: readonly string[] }
}

function startApp(framework: Framework, alg: Alg): Promise<App> {
  return new Promise((resolve, reject) => {
    const file = join(import.meta.dirname, 'lib/route-app.ts')
    const child = fork(file, [framework, alg, String(TOKENS)], {
      execArgv: ['--disable-warning=CountersignWarning'],
    })
    child.once('exit', (code) => reject(new Error(`the application ended with ${code}`)))
    child.once('message', (message) => {
      resolve({ child, ...(message as Pick<App, 'ports' | 'tokens'>) })
    })
  })
}

function openLanes(port: number): Promise<readonly HttpConnection[]> {
  return Promise.all(Array.from({ length: CONNECTIONS }, () => HttpConnection.open(port)))
}

/** Returns requests per second over all connections. */
async function load(
  lanes: readonly HttpConnection[],
  tokens: readonly string[],
  ms: number,
): Promise<number> {
  const started = performance.now()
  let done = 0
  await Promise.all(
    lanes.map(async (connection, lane) => {
      for (let index = lane; performance.now() - started < ms; index += CONNECTIONS) {
        const { status } = await connection.get('/me', tokens[index % tokens.length] ?? '')
        if (status !== 200) throw new Error(`GET /me answered ${status}`)
        done += 1
      }
    }),
  )
  return (done * 1000) / (performance.now() - started)
}
