import { afterAll, beforeAll, expect, test } from 'vitest'

import { send } from '../../packages/server/test/support/raw.ts'
import {
  ADMIN,
  freePort,
  startServerProcess,
  type ServerProcess,
} from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { startSharingService, type DjangoProcess } from './django.ts'

const SECRET = 'u7Qp0sVb3mX9Lk2TzR5eWn8YcA1dGf4H'

describeWith('django', 'a Django service with SimpleJWT and its usual HS256', () => {
  let server: ServerProcess
  let django: DjangoProcess
  beforeAll(async () => {
    const port = await freePort()
    const issuer = `http://127.0.0.1:${port}`
    const env = { COUNTERSIGN_PUBLIC_URL: issuer, COUNTERSIGN_SHARED_SECRET: SECRET }
    ;[server, django] = await Promise.all([
      startServerProcess({ port, env }),
      startSharingService({ sharedSecret: SECRET, issuer, audience: issuer }),
    ])
  })
  afterAll(async () => {
    await Promise.all([django, server].map((each) => each?.[Symbol.asyncDispose]()))
  })

  test('accepts an access token and rejects a refresh token', async () => {
    const login = await send(server.url, {
      path: '/api/token/',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(ADMIN),
    })
    const { access, refresh } = JSON.parse(login.text) as { access: string; refresh: string }
    const whoAmI = (token: string): Promise<{ status: number; text: string }> =>
      send(django.url, {
        method: 'GET',
        path: '/whoami/',
        headers: { authorization: `Bearer ${token}` },
      })
    expect((await whoAmI(access)).status).toBe(200)
    expect((await whoAmI(refresh)).status).toBe(401)
    expect(server.output()).not.toContain(SECRET)
  })
})
