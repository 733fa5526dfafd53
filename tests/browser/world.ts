import { withDatabase } from '../../packages/server/test/support/database.ts'
import { freePort, startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { startProxy, type Proxy } from './proxy.ts'
import { startApi, startApp, type Api } from './sites.ts'

/** An authority, a page of an allowed origin and an API, each on its own port of localhost. */
export interface World extends AsyncDisposable {
  /** Origins. */
  readonly authority: string
  readonly app: string
  readonly api: string
  readonly dataDir: string
  /** The requests to the authority and to the API. */
  readonly front: Proxy
  readonly apiFront: Proxy
  readonly service: Api
}

/** Starts them over plain http, as on a developer's machine: all ports of localhost share their cookies. */
export async function startWorld(env: Readonly<Record<string, string>> = {}): Promise<World> {
  await using stack = new AsyncDisposableStack()
  const [port, apiPort] = [await freePort(), await freePort()]
  const authority = `http://localhost:${port}`
  const page = stack.use(await startApp(() => authority))
  const app = `http://localhost:${page.port}`
  const server = stack.use(
    await startServerProcess({
      env: { COUNTERSIGN_PUBLIC_URL: authority, COUNTERSIGN_ORIGINS: app, ...env },
    }),
  )
  const front = stack.use(await startProxy({ port, target: () => server.url }))
  const service = stack.use(await startApi({ issuer: authority, cookies: { origins: [app] } }, app))
  const apiFront = stack.use(
    await startProxy({ port: apiPort, target: () => `http://127.0.0.1:${service.port}` }),
  )
  const all = stack.move()
  return {
    authority,
    app,
    api: `http://localhost:${apiPort}`,
    dataDir: server.dataDir,
    front,
    apiFront,
    service,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

/** Returns every row of every table. Two results differ if anything has changed. */
export function dumpDatabase(dataDir: string): string {
  return withDatabase(dataDir, (db) => {
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()
    const dump = tables.map(({ name }) => [
      name,
      db.prepare(`SELECT * FROM "${String(name)}"`).all(),
    ])
    return JSON.stringify(dump)
  })
}
