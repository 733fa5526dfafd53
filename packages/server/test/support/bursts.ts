import { setImmediate as turn } from 'node:timers/promises'

import { ISSUER, type Pair, type TestAuthority } from './authority.ts'
import { claimsOf } from './forge.ts'

/** How a page refreshes when several of its calls find that the access token has expired. */
export type Interceptor =
  /** Each call refreshes by itself, with the refresh token that it has read. */
  | 'naive'
  /** Calls of one tab share a refresh. Tabs know nothing of each other. */
  | 'queueing'

/** The result of all bursts. */
export interface Bursts {
  readonly refreshes: number
  /** Answers to a token that was at least two generations old. */
  readonly chained: number
  /** Calls that were refused after all, each with the reason. */
  readonly failures: readonly string[]
}

interface World {
  readonly it: TestAuthority
  readonly below: (limit: number) => number
  /** The pair in the storage of the browser, which all tabs share. */
  stored: Pair
  refreshes: number
  chained: number
  readonly failures: string[]
}

const TABS = 5
const CALLS = 4
/** Requests of a burst take up to this long, by the clock of the authority. All of them fit into a grace. */
const LATENCY_MS_MAX = 400

/**
 * Lets five tabs of one browser make four calls each, all with an expired access token, `count` times. Requests wait a
 * random time on their way, and some are sent again as if their answer was lost. So tokens arrive late, and form chains.
 */
export async function runBursts(
  it: TestAuthority,
  { interceptor, count, seed }: { interceptor: Interceptor; count: number; seed: number },
): Promise<Bursts> {
  const world: World = {
    it,
    below: generator(seed),
    stored: await it.login(),
    refreshes: 0,
    chained: 0,
    failures: [],
  }
  for (let n = 0; n < count; n += 1) {
    // Some bursts follow each other within a grace.
    it.clock.advanceMs(world.below(3) === 0 ? world.below(10_000) : 300_000)
    await runBurst(world, interceptor, n)
  }
  const { refreshes, chained, failures } = world
  return { refreshes, chained, failures }
}

/** Every third burst has a second round of calls, then a request that stalled since before the first. */
async function runBurst(world: World, interceptor: Interceptor, n: number): Promise<void> {
  const stalled = world.stored.refresh
  await runTabs(world, interceptor)
  if (n % 3 !== 0) return
  await runTabs(world, interceptor)
  await refresh(world, stalled)
}

async function runTabs(world: World, interceptor: Interceptor): Promise<void> {
  await Promise.all(Array.from({ length: TABS }, () => runTab(world, interceptor)))
}

async function runTab(world: World, interceptor: Interceptor): Promise<void> {
  let shared: Promise<void> | undefined
  await Promise.all(
    Array.from({ length: CALLS }, async () => {
      await wait(world)
      if (interceptor === 'naive') await refresh(world)
      else await (shared ??= refresh(world).finally(() => (shared = undefined)))
      await call(world)
    }),
  )
}

async function refresh(world: World, sent = world.stored.refresh): Promise<void> {
  await wait(world)
  if (world.below(10) === 0) {
    await post(world, sent) // its answer is lost
    await wait(world)
  }
  const response = await post(world, sent)
  world.refreshes += 1
  if (response.status !== 200) {
    world.failures.push(`refresh ${response.status} ${await response.text()}`)
    return
  }
  const pair = (await response.json()) as Pair
  if (generationOf(pair.refresh) - generationOf(sent) > 1) world.chained += 1
  world.stored = pair
}

function post({ it }: World, token: string): Promise<Response> {
  return it.post('/api/token/refresh/', { refresh: token })
}

async function call({ it, stored, failures }: World): Promise<void> {
  const headers = { authorization: `Bearer ${stored.access}` }
  const { status } = await it.authority.fetch(new Request(`${ISSUER}/auth/me`, { headers }))
  if (status !== 200) failures.push(`call ${status}`)
}

async function wait({ it, below }: World): Promise<void> {
  for (let turns = below(6); turns > 0; turns -= 1) await turn()
  it.clock.advanceMs(below(LATENCY_MS_MAX / (TABS * CALLS)))
}

function generationOf(token: string): number {
  return Number(claimsOf(token)['gen'])
}

/** Numbers that look random and are the same for each seed (Numerical Recipes' generator). */
function generator(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}
