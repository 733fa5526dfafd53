import type { AddressInfo } from 'node:net'

import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { Hono } from 'hono'
import { expect, test } from 'vitest'

import { openTestAuthority, PASSWORD, USERNAME } from './support/authority.ts'

test('in a Hono application, as in docs/reference/library.md, the client has an address', async () => {
  await using it = await openTestAuthority()
  const { authority } = it
  const app = new Hono()
  app.all('/api/token/*', (c) =>
    authority.fetch(c.req.raw, { address: getConnInfo(c).remote.address }),
  )
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  await new Promise((resolve) => void server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const answer = await fetch(`http://127.0.0.1:${port}/api/token/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ username: USERNAME, password: PASSWORD }),
  })
  expect(answer.status).toBe(200)
  await new Promise((resolve) => server.close(resolve))
  const { entries } = await authority.audit.list({ limit: 1 })
  expect(entries).toMatchObject([{ event: 'login', address: '127.0.0.1' }])
})
