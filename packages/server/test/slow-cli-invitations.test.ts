import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { runCommand, type CommandResult } from './support/command-line.ts'
import { startServerProcess, type ServerProcess } from './support/server-process.ts'

let server: ServerProcess
beforeAll(async () => {
  server = await startServerProcess()
  for (const words of [
    ['tenants', 'create', 'acme'],
    ['roles', 'define', 'editor', 'notes.write'],
  ]) {
    expect(await run(words)).toMatchObject({ code: 0 })
  }
})
afterAll(() => server[Symbol.asyncDispose]())

function run(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return runCommand(words, { dataDir: server.dataDir, env })
}

/** The links of the invitations in the outbox of the server, the newest first. */
async function links(): Promise<readonly string[]> {
  const page = await (await fetch(`${server.url}/dev/outbox`)).text()
  return [
    ...new Set([...page.matchAll(/\/account\/invite\?link=([\w.-]+)/g)].map(([, link]) => link!)),
  ]
}

async function listed(): Promise<readonly Record<string, unknown>[]> {
  const { stdout } = await run(['tenants', 'invitations', 'list', 'acme', '--json'])
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

function failed(result: CommandResult): string {
  expect(result.code).toBe(1)
  return result.stderr
}

test('a command invites, the running server sends the mail, and a command resends and withdraws', async () => {
  const publicUrl = { COUNTERSIGN_PUBLIC_URL: server.url }
  const words = ['tenants', 'invite', 'acme', 'bob@example.com', '--role', 'editor']
  const invited = await run(words, publicUrl)
  expect(invited).toMatchObject({ code: 0 })
  expect(invited.stdout).toContain(`Its link begins with ${server.url}`)
  await expect.poll(links, { timeout: 20_000 }).toHaveLength(1)
  const [first] = await links()
  const [row] = await listed()
  expect(row).toMatchObject({ email: 'bob@example.com', roles: ['editor'] })
  const id = String(row?.['id'])
  expect(first?.split('.')[0]).toBe(id)

  expect(await run(['tenants', 'invitations', 'resend', 'acme', id], publicUrl)).toMatchObject({
    code: 0,
  })
  await expect.poll(links, { timeout: 20_000 }).toHaveLength(2)
  expect(await run(['tenants', 'invitations', 'withdraw', 'acme', id])).toMatchObject({ code: 0 })
  expect(await listed()).toEqual([])
  expect(failed(await run(['tenants', 'invitations', 'withdraw', 'acme', id]))).toContain(
    'no such open invitation',
  )
})

test('a command that cannot invite says why', async () => {
  const words = ['tenants', 'invite', 'acme', 'bob@example.com']
  const production = {
    NODE_ENV: 'production',
    COUNTERSIGN_PUBLIC_URL: 'https://auth.example.com',
    COUNTERSIGN_SECRET: readFileSync(join(server.dataDir, 'secret'), 'utf8').trim(),
  }
  expect(failed(await run(words, production))).toContain('COUNTERSIGN_SMTP_URL')
  expect(failed(await run(['tenants', 'invite', 'globex', 'bob@example.com']))).toContain(
    'no tenant "globex"',
  )
  expect(failed(await run(['tenants', 'invite', 'acme', 'not an address']))).toContain(
    'not an e-mail address',
  )
  const otherSecret = { COUNTERSIGN_SECRET: 'another secret of at least 32 characters' }
  expect(failed(await run(words, otherSecret))).not.toBe('')
  expect(await listed()).toEqual([])
})
