import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { freePort, startProgram, type Started } from '../scripts/lib/processes.ts'

// Runs examples/own-users as a process: an Express application with its own table of users.

const EXAMPLE = resolve(import.meta.dirname, '../examples/own-users')
const PASSWORD = 'only for this example'

let dataDir: string
let url: string
let application: Started

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  application = await start()
})
afterAll(async () => {
  await application[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(): Promise<Started> {
  const port = await freePort()
  url = `http://localhost:${port}`
  return startProgram({
    command: [process.execPath, join(EXAMPLE, 'server.ts')],
    cwd: dataDir,
    env: { PORT: String(port), DATA_DIR: dataDir },
    readyUrl: `${url}/.well-known/jwks.json`,
  })
}

interface Pair {
  readonly access: string
  readonly refresh: string
}

function post(path: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
}

async function logIn(username: string): Promise<Pair> {
  const response = await post('/api/token/', { username, password: PASSWORD })
  expect(response.status).toBe(200)
  return (await response.json()) as Pair
}

function withToken(path: string, access: string, method = 'GET'): Promise<Response> {
  return fetch(`${url}${path}`, { method, headers: { authorization: `Bearer ${access}` } })
}

async function statusOf(answer: Promise<Response>): Promise<number> {
  return (await answer).status
}

test('its users log in with the passwords of its own table, and read their notes', async () => {
  expect(application.output()).toContain(`curl -s ${url}/api/token/`)
  expect(await statusOf(fetch(`${url}/notes`))).toBe(401)
  const { access, refresh } = await logIn('Alice@example.com')
  const notes = (await (await withToken('/notes', access)).json()) as Record<string, unknown>
  expect(notes).toMatchObject({ roles: ['reader'], owner: expect.stringMatching(/^[\da-f-]{36}$/) })
  const me = await (await withToken('/auth/me', access)).json()
  expect(me).toMatchObject({ sub: notes['owner'], username: 'alice@example.com' })
  expect(await statusOf(post('/api/token/refresh/', { refresh }))).toBe(200)
  const wrong = { username: 'alice@example.com', password: 'something else' }
  expect(await statusOf(post('/api/token/', wrong))).toBe(401)
  expect(await statusOf(post('/auth/signup', wrong))).toBe(404)
})

test('a user that an administrator disables gets no tokens, also after a restart', async () => {
  const alice = await logIn('alice@example.com')
  const root = await logIn('root@example.com')
  expect(await statusOf(withToken('/admin/users', alice.access))).toBe(403)
  const users = (await (await withToken('/admin/users', root.access)).json()) as {
    id: string
    email: string
  }[]
  const id = users.find(({ email }) => email === 'alice@example.com')?.id
  expect(await statusOf(withToken('/admin/users/x/disable', root.access, 'POST'))).toBe(404)
  expect(await statusOf(withToken(`/admin/users/${id}/disable`, root.access, 'POST'))).toBe(204)

  const isOut = async (): Promise<void> => {
    const credentials = { username: 'alice@example.com', password: PASSWORD }
    expect(await statusOf(post('/api/token/refresh/', { refresh: alice.refresh }))).toBe(401)
    expect(await statusOf(post('/api/token/', credentials))).toBe(401)
  }
  expect(await statusOf(withToken('/auth/me', alice.access))).toBe(401)
  // Only the application's guard decides this.
  await expect.poll(() => statusOf(withToken('/notes', alice.access))).toBe(401)
  await isOut()
  expect(await statusOf(post('/api/token/refresh/', { refresh: root.refresh }))).toBe(200)

  await application[Symbol.asyncDispose]()
  expect(application.child.exitCode).toBe(0)
  application = await start()
  await isOut()
  await logIn('root@example.com')
})
