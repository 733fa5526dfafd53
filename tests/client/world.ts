import { createServer } from 'node:http'
import { join } from 'node:path'

import type { Browser, Page } from 'playwright-core'

import {
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type TestAuthority,
} from '../../packages/server/test/support/authority.ts'
import type { AuthorityConfig } from '../../packages/server/src/authority.ts'
import { freePort } from '../../packages/server/test/support/server-process.ts'
import { Visitor } from '../browser/chromium.ts'
import { portOf, startProxy, type Arrival, type Instead, type Proxy } from '../browser/proxy.ts'
import { startApi, startPages, type Api } from '../browser/sites.ts'
import { bundle } from '../support/bundle.ts'

export const ALICE = { username: USERNAME, password: PASSWORD } as const
export const BOB = { username: 'bob', password: 'the long password of bob' } as const

/** The entry of `@countersign/client`, which applications bundle. */
export const CLIENT = join(import.meta.dirname, '../../packages/client/src/index.ts')

const PAGE = `<!doctype html><title>App</title><script type="module">
import { createClient } from '/client.js'
globalThis.client = createClient()
globalThis.changes = []
client.onChange((session) => changes.push(session?.username ?? null))
</script>`

/** Page, API and authority on one origin, as docs/guides/browsers.md recommends. */
export interface ClientWorld extends AsyncDisposable {
  readonly origin: string
  readonly front: Proxy
  readonly it: TestAuthority
  readonly api: Api
  /** Requests that the proxy answers itself. */
  readonly instead: Map<string, Instead>
  /** Opens a new browser profile. */
  visit(browser: Browser): Promise<Visitor>
  /** Opens a tab with the client in `globalThis.client`. */
  openTab(visitor: Visitor): Promise<Page>
  /** Returns the requests for a path during some steps. */
  during(path: string, steps: () => Promise<void>): Promise<Arrival[]>
}

/** Starts them, with the accounts of Alice and Bob. `pageOf` returns what the page server has at a path. */
export async function startClientWorld(
  pageOf?: (path: string) => string,
  config: AuthorityConfig = {},
): Promise<ClientWorld> {
  await using stack = new AsyncDisposableStack()
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const { it, url } = stack.use(await startAuthority(origin, config))
  const code = pageOf === undefined ? await bundle(CLIENT) : ''
  const pages = stack.use(
    await startPages(pageOf ?? ((path) => (path === '/client.js' ? code : PAGE))),
  )
  const api = stack.use(
    await startApi({
      issuer: origin,
      jwksUrl: `${url}/.well-known/jwks.json`,
      cookies: true,
      clock: () => it.clock.nowMs(),
    }),
  )
  const instead = new Map<string, Instead>()
  const front = stack.use(
    await startProxy({
      port,
      instead: (path) => instead.get(path),
      target(path) {
        if (/^\/(?:auth|\.well-known)\//.test(path)) return url
        return `http://127.0.0.1:${path.startsWith('/api/') ? api.port : pages.port}`
      },
    }),
  )
  const all = stack.move()
  return {
    origin,
    front,
    it,
    api,
    instead,
    visit: (browser) => Visitor.open(browser),
    async openTab(visitor) {
      const page = await visitor.context.newPage()
      await page.goto(origin)
      await page.waitForFunction('globalThis.client !== undefined')
      return page
    },
    async during(path, steps) {
      const before = front.arrivals.length
      await steps()
      return front.arrivals.slice(before).filter((each) => each.path === path)
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

/** An authority with Alice and Bob that listens on a port. */
export interface ListeningAuthority extends AsyncDisposable {
  readonly it: TestAuthority
  readonly url: string
}

/** Starts an authority whose clock stands still until a test moves it. Without a port, it listens on any free one. */
export async function startAuthority(
  publicUrl?: string,
  config: AuthorityConfig = {},
  port = 0,
): Promise<ListeningAuthority> {
  await using stack = new AsyncDisposableStack()
  const it = stack.use(
    await openTestAuthority({ ...config, ...(publicUrl === undefined ? {} : { publicUrl }) }),
  )
  await it.authority.accounts.create(BOB, 'test')
  const server = createServer()
  it.authority.attach(server)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  stack.defer(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  const all = stack.move()
  return {
    it,
    url: `http://127.0.0.1:${portOf(server)}`,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}
