import { accessCookieName } from '../../packages/guard/src/index.ts'
import { freePort, startServerProcess } from '../../packages/server/test/support/server-process.ts'
import type { Certificate } from '../support/certificate.ts'
import { startProxy, type Proxy } from './proxy.ts'
import { startApi, startApp, startPlanter, type Api } from './sites.ts'

/** One host for page (`/app/`), API (`/api/`) and authority over https, as in docs/guides/browsers.md. */
export interface SecureWorld extends AsyncDisposable {
  readonly origin: string
  readonly front: Proxy
  readonly service: Api
}

export interface SecureWorldOptions {
  readonly host: string
  readonly tls: Certificate
  readonly cookieDomain?: string
}

/**
 * Starts page, API and authority behind a TLS proxy that removes the refresh token from requests to the API.
 */
export async function startSecureWorld(options: SecureWorldOptions): Promise<SecureWorld> {
  const { host, tls, cookieDomain } = options
  await using stack = new AsyncDisposableStack()
  const port = await freePort()
  const origin = `https://${host}:${port}`
  const server = stack.use(
    await startServerProcess({
      env: {
        COUNTERSIGN_PUBLIC_URL: origin,
        COUNTERSIGN_SECRET: 'a-secret-of-many-different-characters-0123456789',
        ...(cookieDomain === undefined ? {} : { COUNTERSIGN_COOKIE_DOMAIN: cookieDomain }),
      },
    }),
  )
  const name = accessCookieName(origin, { domain: cookieDomain !== undefined })
  const page = stack.use(await startApp(() => ''))
  const service = stack.use(
    await startApi({
      issuer: origin,
      jwksUrl: `${server.url}/.well-known/jwks.json`,
      cookies: { name },
    }),
  )
  const front = stack.use(
    await startProxy({
      port,
      tls,
      target(path) {
        if (path.startsWith('/app/')) return `http://127.0.0.1:${page.port}`
        return path.startsWith('/api/') ? `http://127.0.0.1:${service.port}` : server.url
      },
      cookies(path, header) {
        if (!path.startsWith('/api/')) return header
        const pairs = header.split('; ')
        return pairs.filter((pair) => !/^__\w+-cs_refresh=/.test(pair)).join('; ')
      },
    }),
  )
  const all = stack.move()
  return { origin, front, service, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

/** Starts the site of sites.ts that plants cookies, over https. */
export async function startSecurePlanter(
  tls: Certificate,
): Promise<AsyncDisposable & { readonly port: number }> {
  await using stack = new AsyncDisposableStack()
  const planter = stack.use(await startPlanter())
  const port = await freePort()
  stack.use(await startProxy({ port, tls, target: () => `http://127.0.0.1:${planter.port}` }))
  const all = stack.move()
  return { port, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
