import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'

import express from 'express'

import { authOf, requireAuth } from '../../packages/guard/src/adapters/express.ts'
import { createGuard, type GuardOptions } from '../../packages/guard/src/index.ts'
import { portOf } from './proxy.ts'

/** A server on a free port of localhost. */
export interface Site extends AsyncDisposable {
  readonly port: number
}

async function listen(listener: RequestListener): Promise<Site> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: portOf(server),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Starts a site with one text for each path: a script if the path ends in `.js`, otherwise HTML. */
export function startPages(contentOf: (path: string) => string): Promise<Site> {
  return listen((request, response) => {
    const path = request.url ?? '/'
    const type = path.endsWith('.js') ? 'text/javascript' : 'text/html'
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(contentOf(path))
  })
}

/**
 * Starts the page of docs/guides/browsers.md, word for word, and makes its functions available to the tests.
 * `authority` is empty if the page has the same origin as the authority.
 */
export function startApp(authority: () => string): Promise<Site> {
  const root = join(import.meta.dirname, '../..')
  const text = readFileSync(join(root, 'docs/guides/browsers.md'), 'utf8')
  const code = /```js\n(\/\/ auth\.js\n.*?)```/s.exec(text)?.[1] ?? ''
  const line = "const AUTHORITY = ''"
  if (!code.includes(line)) throw new Error(`docs/guides/browsers.md has no auth.js with "${line}"`)
  return startPages((path) =>
    path.endsWith('auth.js')
      ? code.replace(line, `const AUTHORITY = '${authority()}'`)
      : '<!doctype html><title>App</title><script type="module">globalThis.auth = await import("./auth.js")</script>',
  )
}

/** Starts a page that attacks the targets that a test passes to it. */
export function startHostile(): Promise<Site> {
  const script = readFileSync(join(import.meta.dirname, 'pages/hostile.js'), 'utf8')
  return startPages((path) =>
    path.endsWith('.js')
      ? script
      : '<!doctype html><title>Hostile</title><body><script src="/hostile.js"></script>',
  )
}

/** Starts a site whose server sets the cookies in the query parameter `line`. */
export function startPlanter(): Promise<Site> {
  return listen((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://planter')
    response.writeHead(200, {
      'content-type': 'text/html',
      'set-cookie': searchParams.getAll('line'),
    })
    response.end('<!doctype html><title>Planter</title>')
  })
}

/** An API behind a guard that reads cookies. */
export interface Api extends Site {
  /** The posted notes. */
  readonly notes: string[]
  /** The bodies of requests to `/api/safe` that the guard has accepted. */
  readonly safe: string[]
  /** The cookies and origins of requests to `/unguarded`, a path without the guard. */
  readonly unguarded: { readonly cookie: string; readonly origin: string | undefined }[]
}

/**
 * Starts an API with `GET /api/me` and `POST /api/notes`, both guarded. `/api/safe` demands two factors, and
 * `/api/recent` a login of the last minute. It allows CORS with credentials for
 * one origin, if given.
 */
export async function startApi(options: GuardOptions, corsOrigin?: string): Promise<Api> {
  const guard = createGuard({ ...options, toleranceSec: 0 })
  const notes: string[] = []
  const safe: string[] = []
  const unguarded: Api['unguarded'] = []
  const app = express()
  app.use((request, response, next) => {
    response.vary('Origin')
    if (corsOrigin === undefined || request.headers.origin !== corsOrigin) return next()
    response.set('access-control-allow-origin', corsOrigin)
    response.set('access-control-allow-credentials', 'true')
    response.set('access-control-allow-headers', 'Content-Type, X-CSRF-Token')
    if (request.method === 'OPTIONS') response.sendStatus(204)
    else next()
  })
  app.all('/api/unguarded', (request, response) => {
    unguarded.push({ cookie: request.headers.cookie ?? '', origin: request.headers.origin })
    response.json({})
  })
  const answerMe = (request: express.Request, response: express.Response): void => {
    response.json({ sub: authOf(request).sub })
  }
  const text = express.text({ type: () => true })
  app.all('/api/safe', requireAuth(guard, { acr: 'aal2' }), text, (request, response) => {
    safe.push(String(request.body))
    answerMe(request, response)
  })
  app.all('/api/recent', requireAuth(guard, { maxAgeSec: 60 }), answerMe)
  app.use(requireAuth(guard), text)
  app.get('/api/me', answerMe)
  app.post('/api/notes', (request, response) => {
    notes.push(String(request.body))
    response.status(201).json({ count: notes.length })
  })
  const site = await listen(app)
  return {
    port: site.port,
    notes,
    safe,
    unguarded,
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]()
      guard.close()
    },
  }
}
