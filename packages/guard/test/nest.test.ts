import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createGuard, type Guard } from '../src/index.ts'
import { authOf, createNestGuard, type NestContext } from '../src/nest.ts'
import { NOW_MS, TestIssuer } from './support/issuer.ts'

// What NestJS does around a guard: it hands over request and response, wrapped or as they are, and ends
// what a refusal has left open.
describe.each(['express', 'fastify'] as const)('on the %s platform', (platform) => {
  const issuer = new TestIssuer()
  let guard: Guard
  let server: Server
  let url: string
  beforeAll(async () => {
    await issuer.start()
    guard = createGuard({ issuer: issuer.url, clock: () => NOW_MS, onNotice: () => {} })
    const nest = createNestGuard(guard, { roles: ['reader'] })
    server = createServer((incoming, outgoing) => void handle(incoming, outgoing))
    async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
      const request = platform === 'express' ? incoming : { raw: incoming }
      const response = platform === 'express' ? outgoing : { raw: outgoing }
      const context: NestContext = {
        switchToHttp: () => ({ getRequest: () => request, getResponse: () => response }),
      }
      if (await nest.canActivate(context)) outgoing.end(authOf(request as never).sub)
      else if (!outgoing.headersSent) outgoing.writeHead(403).end()
    }
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  })
  afterAll(async () => {
    guard.close()
    server.close()
    await issuer.stop()
  })

  const ask = (token?: string): Promise<Response> =>
    fetch(url, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })

  test('lets a good token pass, with its claims on the request', async () => {
    const response = await ask(issuer.token({ roles: ['reader'] }))
    expect(response.status).toBe(200)
    expect(await response.text()).toBe(issuer.claims()['sub'])
  })

  test('answers the rest itself, as the other adapters do', async () => {
    const missing = await ask()
    expect(missing.status).toBe(401)
    expect(missing.headers.get('www-authenticate')).toBe(`Bearer realm="${issuer.url}"`)
    const other = await ask(issuer.token({ roles: ['writer'] }))
    expect(other.status).toBe(403)
    expect(await other.json()).toMatchObject({ code: 'role_missing' })
  })
})
