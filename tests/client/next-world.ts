import type { Browser } from 'playwright-core'

import { freePort } from '../../packages/server/test/support/server-process.ts'
import type { TestAuthority } from '../../packages/server/test/support/authority.ts'
import { Visitor } from '../browser/chromium.ts'
import { startProxy, type Arrival, type Instead } from '../browser/proxy.ts'
import type { NextApp } from './next-app.ts'
import { startAuthority } from './world.ts'

/** Next.js in front of the authority, and what passes between them. */
export interface NextWorld extends AsyncDisposable {
  readonly origin: string
  /** The same pages on another site. */
  readonly otherSite: string
  readonly it: TestAuthority
  /** What the authority seems to answer, by path. */
  readonly instead: Map<string, Instead>
  visit(browser: Browser): Promise<Visitor>
  /** Returns the refreshes that reach the authority during some steps, from pages and from Next.js. */
  refreshesDuring(steps: () => Promise<void>): Promise<Arrival[]>
}

/** Starts them. The authority has the time of this machine until a test moves its clock. */
export async function startNextWorld(app: NextApp): Promise<NextWorld> {
  await using stack = new AsyncDisposableStack()
  const [port, wirePort] = [await freePort(), await freePort()]
  const origin = `http://localhost:${port}`
  const { it, url } = stack.use(await startAuthority(origin, { trustedProxies: '127.0.0.1' }))
  it.clock.advanceMs(Date.now() - it.clock.nowMs())
  const instead = new Map<string, Instead>()
  const wire = stack.use(
    await startProxy({ port: wirePort, target: () => url, instead: (path) => instead.get(path) }),
  )
  stack.use(
    await app.start(port, {
      AUTHORITY: origin,
      AUTHORITY_INTERNAL: `http://127.0.0.1:${wirePort}`,
    }),
  )
  const all = stack.move()
  return {
    origin,
    otherSite: `http://127.0.0.1:${port}`,
    it,
    instead,
    visit: (browser) => Visitor.open(browser),
    async refreshesDuring(steps) {
      const before = wire.arrivals.length
      await steps()
      return wire.arrivals.slice(before).filter(({ path }) => path === '/auth/refresh')
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}
