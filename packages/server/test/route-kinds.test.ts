import pino from 'pino'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'

import { createRoleManager, createTenantManager } from '../src/accounts/tenants.ts'
import { loggedInWith } from '../src/http/account/gates.ts'
import { createApp } from '../src/http/app.ts'
import { contractRoutes } from '../src/http/contract/routes.ts'
import { answersOf } from '../src/http/openapi/answers.ts'
import { createOpenApiDocument } from '../src/http/openapi/document.ts'
import { defineRoute, type ApiRoute } from '../src/http/router/define.ts'
import { anyone } from '../src/http/router/gate.ts'
import { defineNodeRoute } from '../src/http/router/node-route.ts'
import { defineAsset, definePage } from '../src/http/router/pages.ts'
import type { AppServices } from '../src/http/services.ts'
import { createRefresher } from '../src/sessions/refresh.ts'
import { ISSUER, PASSWORD } from './support/authority.ts'
import { openTestSessions } from './support/sessions.ts'

// A table can also hold pages, files and handlers of another library.

const URL_OF_SERVER = 'https://auth.shop.test'
const about = { tag: 'Test', description: 'A row of a test.' }
const row = { ...about, style: 'problem', gate: anyone, answers: () => [] } as const

let reads = 0
const table: readonly ApiRoute[] = [
  definePage({
    ...about,
    id: 'page',
    path: '/page',
    summary: 'A page',
    policy: () => "default-src 'none'",
    render: ({ http }) => `<!doctype html><title>${http.publicUrl}</title>`,
  }),
  defineAsset({
    ...about,
    id: 'file',
    path: '/page/file.css',
    summary: 'A file',
    media: 'text/css',
    read: () => {
      reads += 1
      return 'a {}'
    },
  }),
  ...defineNodeRoute({
    ...about,
    id: 'foreign',
    methods: ['GET', 'POST'],
    path: '/foreign/*',
    summary: 'A handler of node:http',
    style: 'oauth',
    csrf: 'none',
    answers: () => [{ status: 200, description: 'Whatever it says.' }],
    handle: () => async (incoming, outgoing) => {
      if (incoming.url === '/foreign/fails') throw new Error('it failed')
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      outgoing.setHeader('set-cookie', ['a=1', 'b=2'])
      outgoing.writeHead(201, {
        'content-type': 'text/plain',
        'x-address': incoming.socket.remoteAddress,
      })
      outgoing.write(`${incoming.method} ${incoming.url} ${String(incoming.headers['x-sent'])} `)
      outgoing.end(Buffer.concat(chunks))
    },
  }),
  defineRoute({
    ...row,
    id: 'broken',
    method: 'POST',
    path: '/broken/{name}',
    summary: 'Breaks',
    params: () => z.object({ name: z.string().regex(/^[a-z]+$/) }),
    body: {
      format: 'fields',
      media: ['application/json'],
      schema: () => z.object({ count: z.int() }),
      example: { count: 1 },
    },
    handle: () => (input) => {
      if (input.body.count === 0) throw new Error('zero')
      return Response.json({ name: input.params.name, count: input.body.count })
    },
  }),
  defineRoute({
    ...row,
    id: 'hidden',
    method: 'GET',
    path: '/hidden',
    summary: 'Hides',
    feature: { isOn: ({ signUp }) => signUp, requires: 'Exists with sign-up.' },
    handle: () => () => new Response('found'),
  }),
]

let logged: string[]
let fetch: ReturnType<typeof createApp>
beforeAll(() => {
  logged = []
  const logger = pino({ level: 'error' }, { write: (line: string) => void logged.push(line) })
  // The handlers above use only these services.
  const services = {
    logger,
    accounts: undefined,
    http: {
      publicUrl: URL_OF_SERVER,
      origins: ['https://app.test'],
      corsHeaders: [],
      signUp: false,
    },
  } as unknown as AppServices
  fetch = createApp(services, table)
})

function ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
  const request = new Request(`${URL_OF_SERVER}${path}`, { method, ...init })
  return fetch(request, { address: '203.0.113.7' })
}

test('a page has its policy and the headers of all answers', async () => {
  const answer = await ask('GET', '/page')
  expect(await answer.text()).toBe(`<!doctype html><title>${URL_OF_SERVER}</title>`)
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  })
  expect((await ask('POST', '/page')).headers.get('allow')).toBe('GET, HEAD')
})

test('a file is read at the first request, once, and sent once to a browser that keeps it', async () => {
  expect(reads).toBe(0)
  const first = await ask('GET', '/page/file.css')
  expect(await first.text()).toBe('a {}')
  const headers = { 'if-none-match': String(first.headers.get('etag')) }
  expect((await ask('GET', '/page/file.css', { headers })).status).toBe(304)
  expect(reads).toBe(1)
})

describe('a handler of node:http', () => {
  test('gets method, path, headers, body and address, and its whole answer is returned', async () => {
    const answer = await ask('POST', '/foreign/a/b?c=d', {
      body: 'sent',
      headers: { 'x-sent': 'yes', origin: 'https://app.test' },
    })
    expect(answer.status).toBe(201)
    expect(await answer.text()).toBe('POST /foreign/a/b?c=d yes sent')
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/plain',
      'x-address': '203.0.113.7',
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': 'https://app.test',
    })
  })

  test('answers in the style of its row when it throws', async () => {
    const answer = await ask('GET', '/foreign/fails')
    expect(answer.status).toBe(500)
    expect(await answer.json()).toMatchObject({ error: 'server_error' })
    expect(logged.at(-1)).toContain('it failed')
  })

  test('gets no body over 16 KiB, and no method that its rows do not name', async () => {
    expect((await ask('POST', '/foreign/x', { body: 'a'.repeat(20_000) })).status).toBe(413)
    const answer = await ask('DELETE', '/foreign/x')
    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe('GET, HEAD, POST')
  })
})

describe('a row with schemas', () => {
  const send = (path: string, body: unknown): Promise<Response> =>
    ask('POST', path, {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })

  test('passes parsed values to its handler, with and without a slash at the end', async () => {
    for (const path of ['/broken/name', '/broken/name/']) {
      const answer = await send(path, { count: 2, other: 'dropped' })
      expect(await answer.json()).toEqual({ name: 'name', count: 2 })
    }
  })

  test('names the invalid fields, and answers 404 for an invalid path parameter', async () => {
    const answer = await send('/broken/name', { count: 'two' })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ code: 'fields_invalid', fields: ['count'] })
    expect((await send('/broken/NAME', { count: 2 })).status).toBe(404)
  })

  test('answers 500 as a problem document when its handler throws', async () => {
    const answer = await send('/broken/name', { count: 0 })
    expect(answer.status).toBe(500)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(logged.at(-1)).toContain('zero')
  })
})

test('a row that requires a permission answers accounts that have it through a role', async () => {
  await using it = await openTestSessions()
  const app = createApp(
    {
      logger: pino({ level: 'silent' }),
      sessions: it.services,
      refresh: createRefresher(it.services),
      http: {
        publicUrl: ISSUER,
        origins: [],
        corsHeaders: [],
        signUp: false,
        usernameField: 'username',
      },
      // The rest of the services is for other routes.
    } as unknown as AppServices,
    [
      ...contractRoutes,
      defineRoute({
        ...row,
        id: 'guarded',
        method: 'GET',
        path: '/guarded',
        summary: 'Requires a permission',
        gate: loggedInWith('reports.read'),
        handle: () => (input) => new Response(input.who.state.username),
      }),
    ],
  )
  await createRoleManager(it).define({ name: 'reader', permissions: ['reports.read'] }, 'test')
  await it.accounts.create({ username: 'alice', password: PASSWORD, roles: ['reader'] }, 'test')
  await it.accounts.create({ username: 'bob', password: PASSWORD }, 'test')
  // A reader in a customer's tenant only.
  await it.accounts.create({ username: 'mallory', password: PASSWORD }, 'test')
  const tenants = createTenantManager(it.services)
  await tenants.create('globex', 'test')
  await tenants.setMember({ username: 'mallory', tenant: 'globex', roles: ['reader'] }, 'test')

  const get = async (authorization?: string): Promise<Response> =>
    app(new Request(`${ISSUER}/guarded`, { headers: authorization ? { authorization } : {} }))
  const bearerOf = async (username: string): Promise<string> => {
    const body = new URLSearchParams({ username, password: PASSWORD })
    const answer = await app(new Request(`${ISSUER}/api/token/`, { method: 'POST', body }))
    return `Bearer ${((await answer.json()) as { access: string }).access}`
  }

  expect(await (await get(await bearerOf('alice'))).text()).toBe('alice')
  for (const username of ['bob', 'mallory']) {
    const refused = await get(await bearerOf(username))
    expect(refused.status).toBe(403)
    expect(await refused.json()).toMatchObject({ code: 'permission_missing' })
  }
  expect((await get()).status).toBe(401)
})

test('a row whose feature is off answers nothing', async () => {
  expect((await ask('GET', '/hidden')).status).toBe(404)
})

test('preflights name the methods of the table', async () => {
  const headers = { origin: 'https://app.test', 'access-control-request-method': 'POST' }
  const answer = await ask('OPTIONS', '/page', { headers })
  expect(answer.headers.get('access-control-allow-methods')).toBe('GET, POST')
})

test('the documents include rows of all kinds', () => {
  const { paths } = createOpenApiDocument(table, {
    issuer: URL_OF_SERVER,
    cookieName: (kind) => kind,
  })
  expect(Object.keys(paths as object)).toHaveLength(4)
  expect(table.flatMap((each) => answersOf(each)).length).toBeGreaterThan(table.length)
})
