import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'

import {
  discoverOAuthProtectedResourceMetadata,
  extractWWWAuthenticateParams,
} from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createApp, metadataUrlOf } from '../../examples/mcp-server/app.ts'
import { createDpop } from '../../packages/client/src/dpop.ts'
import {
  createFakeAuthority,
  type FakeAuthority,
  type Holder,
} from '../../packages/guard/src/testing/fake-authority.ts'
import { portOf } from '../browser/proxy.ts'
import { createOwnKey } from '../client/dpop-key.ts'

// The example with the real client of the MCP SDK. The tokens are those that the authority issues to an application.

const EXAMPLE = join(import.meta.dirname, '../../examples/mcp-server')

let app: RequestListener
const server = createServer((request, response) => app(request, response))
let resource: string
let authority: FakeAuthority

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  resource = `http://127.0.0.1:${portOf(server)}/mcp`
  authority = createFakeAuthority({ audience: resource })
  const guard = authority.createGuard({
    resourceMetadata: metadataUrlOf(resource),
    dpop: { publicUrl: new URL(resource).origin },
  })
  await guard.ready()
  app = createApp(guard, resource)
})
afterAll(() => {
  authority.close()
  server.closeAllConnections()
  server.close()
})

/** The token of an application that acts for a person. */
function tokenFor(scope: string | undefined, { claims, ...holder }: Holder = {}): string {
  return authority.tokenFor({ ...holder, claims: { client_id: 'app_editor', scope, ...claims } })
}

/** Opens an MCP client that sends a token with each request. */
async function connect(authorization: string, fetch?: typeof globalThis.fetch): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  const transport = new StreamableHTTPClientTransport(new URL(resource), {
    requestInit: { headers: { authorization } },
    ...(fetch === undefined ? {} : { fetch }),
  })
  await client.connect(transport)
  return client
}

async function toolsOf(client: Client): Promise<string[]> {
  return (await client.listTools()).tools.map(({ name }) => name)
}

async function textOf(client: Client, name: string, input: object = {}): Promise<string> {
  const { content } = await client.callTool({ name, arguments: { ...input } })
  // Each tool of the example answers with one text.
  return (content as { text: string }[])[0]?.text ?? ''
}

const ask = (authorization?: string): Promise<Response> =>
  fetch(resource, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
  })

test('a client without a token learns where to log in, for what and with which scope', async () => {
  const refused = await ask()
  expect(refused.status).toBe(401)
  const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(refused)
  expect(scope).toBe('notes:read')
  expect(String(resourceMetadataUrl)).toBe(metadataUrlOf(resource))
  const found = await discoverOAuthProtectedResourceMetadata(resource, {
    resourceMetadataUrl: metadataUrlOf(resource),
  })
  expect(found).toMatchObject({
    resource,
    authorization_servers: [authority.issuer],
    scopes_supported: ['notes:read', 'notes:write'],
    bearer_methods_supported: ['header'],
  })
})

test('a client also finds the metadata by the URL of the resource alone', async () => {
  expect((await discoverOAuthProtectedResourceMetadata(resource)).resource).toBe(resource)
})

test('the tools are those that the scopes allow, and each person sees only their own notes', async () => {
  const alice = await connect(`Bearer ${tokenFor('notes:read notes:write', { sub: 'acct_alice' })}`)
  expect(await toolsOf(alice)).toEqual(['list_notes', 'add_note'])
  expect(await textOf(alice, 'add_note', { text: 'Buy milk' })).toBe('Noted.')
  expect(await textOf(alice, 'list_notes')).toBe('Buy milk (by app_editor)')
  await alice.close()

  const bob = await connect(`Bearer ${tokenFor('notes:read', { sub: 'acct_bob' })}`)
  expect(await toolsOf(bob)).toEqual(['list_notes'])
  expect(await textOf(bob, 'list_notes')).toBe('There are no notes.')
  await bob.close()
})

test.each<[string, () => string, number, string]>([
  [
    'for another server of the same authority',
    () => tokenFor('notes:read', { claims: { aud: 'https://other.test/mcp' } }),
    401,
    'token_invalid',
  ],
  ['without the scope', () => tokenFor('openid'), 403, 'scope_missing'],
  ['of a direct login, which has no scopes', () => authority.tokenFor(), 403, 'scope_missing'],
  ['that has expired', () => tokenFor('notes:read', { expiresInSec: -60 }), 401, 'token_expired'],
])('a token %s is refused', async (_what, token, status, code) => {
  const refused = await ask(`Bearer ${token()}`)
  expect(refused.status).toBe(status)
  expect(refused.headers.get('www-authenticate')).toContain(metadataUrlOf(resource))
  expect(await refused.json()).toMatchObject({ code })
})

test('the tools stop working when the person logs out', async () => {
  const token = tokenFor('notes:read')
  const client = await connect(`Bearer ${token}`)
  expect(await toolsOf(client)).toEqual(['list_notes'])
  await authority.endSession(token)
  await expect(client.listTools()).rejects.toThrow()
  expect(await (await ask(`Bearer ${token}`)).json()).toMatchObject({ code: 'session_ended' })
  await client.close()
})

test('a token that is bound to a key works with proofs, and is refused without', async () => {
  const { key, jkt } = await createOwnKey()
  const token = tokenFor('notes:read', { claims: { cnf: { jkt } } })
  const client = await connect(`DPoP ${token}`, createDpop({ key }))
  expect(await toolsOf(client)).toEqual(['list_notes'])
  await client.close()
  expect((await ask(`Bearer ${token}`)).status).toBe(401)
  expect((await ask(`DPoP ${token}`)).status).toBe(401)
})

test('the example has under 150 lines', () => {
  const files = readdirSync(EXAMPLE).filter((name) => name.endsWith('.ts'))
  const lines = files.flatMap((name) => readFileSync(join(EXAMPLE, name), 'utf8').split('\n'))
  expect(lines.length).toBeLessThan(150)
})
