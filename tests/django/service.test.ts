import { afterAll, beforeAll, expect, test } from 'vitest'

import { claimsOf, openForge, type Forge } from '../../packages/server/test/support/forge.ts'
import { send } from '../../packages/server/test/support/raw.ts'
import {
  ADMIN,
  freePort,
  startServerProcess,
  type ServerProcess,
} from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { startService, type DjangoProcess } from './django.ts'

interface Pair {
  readonly access: string
  readonly refresh: string
}

const AUDIENCE = 'django-service'

describeWith('django', 'a Django service with SimpleJWT that uses our JWKS', () => {
  let server: ServerProcess
  let django: DjangoProcess
  let forge: Forge
  let pair: Pair
  beforeAll(async () => {
    const port = await freePort()
    const issuer = `http://127.0.0.1:${port}`
    const env = { COUNTERSIGN_PUBLIC_URL: issuer, COUNTERSIGN_AUDIENCE: AUDIENCE }
    const jwksUrl = `${issuer}/.well-known/jwks.json`
    ;[server, django] = await Promise.all([
      startServerProcess({ port, env }),
      startService({ jwksUrl, issuer, audience: AUDIENCE }),
    ])
    forge = await openForge(server.dataDir)
    const login = await send(server.url, {
      path: '/api/token/',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(ADMIN),
    })
    pair = JSON.parse(login.text) as Pair
  })
  afterAll(async () => {
    await Promise.all([django, server].map((each) => each?.[Symbol.asyncDispose]()))
  })

  async function whoAmI(token: string | undefined): Promise<{ status: number; text: string }> {
    const headers: Record<string, string> =
      token === undefined ? {} : { authorization: `Bearer ${token}` }
    return send(django.url, { method: 'GET', path: '/whoami/', headers })
  }

  async function refuses(token: string): Promise<void> {
    const { status, text } = await whoAmI(token)
    expect(status).toBe(401)
    expect(JSON.parse(text)).toMatchObject({ code: 'token_not_valid' })
  }

  test('accepts our access token and finds its account', async () => {
    const { sub } = claimsOf(pair.access)
    const { status, text } = await whoAmI(pair.access)
    expect({ status, body: JSON.parse(text) as unknown }).toEqual({
      status: 200,
      body: { id: sub, sub },
    })
  })

  test('accepts the token that a refresh returns', async () => {
    const answer = await send(server.url, {
      path: '/api/token/refresh/',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ refresh: pair.refresh }),
    })
    const next = JSON.parse(answer.text) as Pair
    expect((await whoAmI(next.access)).status).toBe(200)
  })

  test('refuses a request without a token', async () => {
    expect((await whoAmI(undefined)).status).toBe(401)
  })

  test('accepts a token until it expires', async () => {
    const claims = claimsOf(pair.access)
    const nowSec = Math.floor(Date.now() / 1000)
    expect((await whoAmI(forge.access({ ...claims, exp: nowSec + 60 }))).status).toBe(200)
    await refuses(forge.access({ ...claims, exp: nowSec - 1 }))
  })

  test('refuses a changed token', async () => {
    const [header, , signature] = pair.access.split('.')
    const claims = { ...claimsOf(pair.access), user_id: 'somebody-else' }
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url')
    await refuses(`${header}.${payload}.${signature}`)
  })

  test('refuses a refresh token', () => refuses(pair.refresh))

  test('refuses a token for another audience or from another issuer', async () => {
    const claims = claimsOf(pair.access)
    await refuses(forge.access({ ...claims, aud: 'another-service' }))
    await refuses(forge.access({ ...claims, iss: 'http://evil.test' }))
  })
})
