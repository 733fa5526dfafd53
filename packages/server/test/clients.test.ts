import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'

import pino from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { grantToClient } from '../src/sessions/client-credentials.ts'
import { createClientManager } from '../src/accounts/clients.ts'
import type { ManagedCode } from '../src/accounts/managed.ts'
import { openTestAuthority, type TestAuthority } from './support/authority.ts'
import { expectWholeLog, readChainStart } from './support/chain.ts'
import { askToken, askWithSecret, basic, newClient, tokenOf } from './support/clients.ts'
import { query } from './support/database.ts'
import { claimsOf } from './support/forge.ts'
import { HERE } from './support/session-rows.ts'
import { openTestSessions } from './support/sessions.ts'

let it: TestAuthority
beforeEach(async () => {
  it = await openTestAuthority()
})
afterEach(() => it[Symbol.asyncDispose]())

test('a service account is created with a secret, and listed without it', async () => {
  const { clients, tenants } = it.authority
  await tenants.create('acme', 'test')
  const created = await clients.create(
    { name: 'billing', roles: ['b', 'a'], tenant: 'acme' },
    'test',
  )
  if (!created.ok) throw new Error(created.text)
  const { client, secret } = created.value
  expect(secret).toEqual({
    id: expect.stringMatching(/^sec_[\w-]{22}$/),
    secret: expect.stringMatching(/^[\w-]{43}$/),
  })
  expect(client).toEqual({
    id: expect.stringMatching(/^svc_[\w-]{22}$/),
    name: 'billing',
    roles: ['a', 'b'],
    tenantId: expect.stringMatching(/^ten_/),
    tenantName: 'acme',
    disabledAt: undefined,
    createdAt: it.clock.nowMs(),
    secrets: [{ id: secret.id, createdAt: it.clock.nowMs(), lastUsedAt: undefined }],
  })
  expect(await clients.list()).toEqual([client])
})

describe('secrets', () => {
  test('can be replaced without an outage', async () => {
    const { clients } = it.authority
    const old = await newClient(it)
    it.clock.advanceMs(1_000)
    const added = await clients.addSecret('billing', 'test')
    if (!added.ok) throw new Error(added.text)
    const young = { ...old, secret: added.value.secret, secretId: added.value.id }
    tokenOf(await askWithSecret(it, old))
    tokenOf(await askWithSecret(it, young))

    expect(await clients.removeSecret('billing', old.secretId, 'test')).toEqual({
      ok: true,
      value: 'changed',
    })
    expect((await askWithSecret(it, old)).status).toBe(401)
    tokenOf(await askWithSecret(it, young))
    // The last secret can be removed. Then no secret is accepted.
    await clients.removeSecret('billing', young.secretId, 'test')
    expect((await askWithSecret(it, young)).status).toBe(401)
    expect((await clients.addSecret('billing', 'test')).ok).toBe(true)
  })

  test('show when they were last used', async () => {
    const old = await newClient(it)
    it.clock.advanceMs(60_000)
    await it.authority.clients.addSecret('billing', 'test')
    tokenOf(await askWithSecret(it, old))
    await askWithSecret(it, { ...old, secret: 'wrong' })
    const [listed] = await it.authority.clients.list()
    expect(listed?.secrets.map(({ lastUsedAt }) => lastUsedAt)).toEqual([
      it.clock.nowMs(),
      undefined,
    ])
  })

  test('are at most two, even if many are added at once', async () => {
    await newClient(it)
    const { clients } = it.authority
    const added = await Promise.all(
      Array.from({ length: 5 }, () => clients.addSecret('billing', 'test')),
    )
    expect(added.filter(({ ok }) => ok)).toHaveLength(1)
    expect(added.find(({ ok }) => !ok)).toEqual({
      ok: false,
      code: 'client_secrets_full',
      text: 'The service account "billing" has two secrets. Remove one first.',
    })
    expect(query(it.dataDir, 'SELECT id FROM client_secrets')).toHaveLength(2)
  })

  test('of another service account are not removed', async () => {
    const other = await newClient(it, 'importer')
    await newClient(it)
    expect(await it.authority.clients.removeSecret('billing', other.secretId, 'test')).toEqual({
      ok: false,
      code: 'client_secret_unknown',
      text: 'The service account "billing" has no such secret.',
    })
    tokenOf(await askWithSecret(it, other))
  })
})

test('a disabled service account gets no token until it is enabled', async () => {
  const { clients } = it.authority
  const client = await newClient(it)
  expect(await clients.disable('billing', 'test')).toEqual({ ok: true, value: 'changed' })
  expect(await clients.disable('billing', 'test')).toEqual({ ok: true, value: 'unchanged' })
  expect((await askWithSecret(it, client)).status).toBe(401)
  expect((await clients.list())[0]?.disabledAt).toBe(it.clock.nowMs())
  expect(await clients.enable('billing', 'test')).toEqual({ ok: true, value: 'changed' })
  expect(await clients.enable('billing', 'test')).toEqual({ ok: true, value: 'unchanged' })
  tokenOf(await askWithSecret(it, client))
})

test('every change is in the audit, and every revocation in the log', async () => {
  const start = readChainStart(it.dataDir)
  const { clients } = it.authority
  const { id, secretId } = await newClient(it)
  const added = await clients.addSecret('billing', 'test')
  await clients.setRoles('billing', ['writer', 'reader', 'writer'], 'test')
  expect(await clients.setRoles('billing', ['reader', 'writer'], 'test')).toEqual({
    ok: true,
    value: 'unchanged',
  })
  await clients.removeSecret('billing', secretId, 'test')
  await clients.disable('billing', 'test')
  await clients.enable('billing', 'test')

  const audit = query(
    it.dataDir,
    `SELECT event, actor, outcome, detail FROM audit WHERE account_id = '${id}' ORDER BY id`,
  )
  const line = (event: string, detail: string | null = null): object => ({
    event,
    actor: 'test',
    outcome: 'ok',
    detail,
  })
  expect(audit).toEqual([
    line('client_created', secretId),
    line('client_secret_added', added.ok ? added.value.id : ''),
    line('client_roles_set', 'reader writer'),
    line('client_secret_removed', secretId),
    line('client_disabled'),
    line('client_enabled'),
  ])
  expect(
    query(it.dataDir, 'SELECT position, kind, subject, hard FROM revocations ORDER BY position'),
  ).toEqual([
    { position: 1, kind: 'client', subject: id, hard: 0 },
    { position: 2, kind: 'client', subject: id, hard: 0 },
    { position: 3, kind: 'client', subject: id, hard: 1 },
  ])
  expect(query(it.dataDir, 'SELECT hard_position FROM clients')).toEqual([{ hard_position: 3 }])
  expectWholeLog(it.dataDir, start)
})

describe('an operator gets a refusal', () => {
  test.each<[string, { name: string; roles?: string[]; tenant?: string }, ManagedCode]>([
    ['a name in capitals', { name: 'Billing' }, 'client_name_invalid'],
    ['an empty name', { name: '' }, 'client_name_invalid'],
    ['a name with a space', { name: 'my service' }, 'client_name_invalid'],
    ['a name with a line end', { name: 'billing\n' }, 'client_name_invalid'],
    ['a long name', { name: 'a'.repeat(65) }, 'client_name_invalid'],
    ['a name that is taken', { name: 'taken' }, 'client_taken'],
    ['a role with a space', { name: 'x', roles: ['a b'] }, 'roles_invalid'],
    ['a tenant that is not there', { name: 'x', tenant: 'nowhere' }, 'tenant_unknown'],
    [
      'more roles than a token holds',
      { name: 'x', roles: Array.from({ length: 40 }, (_, at) => `${'r'.repeat(60)}${at}`) },
      'roles_invalid',
    ],
  ])('for %s', async (_, input, code) => {
    await newClient(it, 'taken')
    const answer = await it.authority.clients.create(input, 'test')
    expect(answer).toMatchObject({ ok: false, code })
    expect(query(it.dataDir, 'SELECT id FROM client_secrets')).toHaveLength(1)
  })

  test('for a service account that does not exist', async () => {
    const { clients } = it.authority
    for (const answer of [
      clients.disable('nobody', 'test'),
      clients.enable('nobody', 'test'),
      clients.setRoles('nobody', [], 'test'),
      clients.addSecret('nobody', 'test'),
      clients.removeSecret('nobody', 'sec_x', 'test'),
    ]) {
      expect(await answer).toEqual({
        ok: false,
        code: 'client_unknown',
        text: 'There is no service account "nobody".',
      })
    }
  })
})

describe('a request in progress', () => {
  test.each(['disable', 'removeSecret'] as const)(
    'gets nothing when %s comes between',
    async (change) => {
      await using own = await openTestSessions()
      const clients = createClientManager({ ...own.services, store: own.store })
      const created = await clients.create({ name: 'billing' }, 'test')
      if (!created.ok) throw new Error(created.text)
      const { client, secret } = created.value
      const credentials = { clientId: client.id, secret: secret.secret }
      const store = {
        ...own.store,
        clients: {
          ...own.store.clients,
          view: async (id: string) => {
            const view = await own.store.clients.view(id)
            if (change === 'disable') await clients.disable('billing', 'test')
            else await clients.removeSecret('billing', secret.id, 'test')
            return view
          },
        },
      }
      expect(await grantToClient({ ...own.services, store }, credentials, HERE)).toEqual({
        ok: false,
        code: 'client_invalid',
      })
    },
  )

  test('gets a token that is older than a change of roles in between', async () => {
    await using own = await openTestSessions()
    const clients = createClientManager({ ...own.services, store: own.store })
    const created = await clients.create({ name: 'billing' }, 'test')
    if (!created.ok) throw new Error(created.text)
    const { client, secret } = created.value
    const store = {
      ...own.store,
      clients: {
        ...own.store.clients,
        view: async (id: string) => {
          const view = await own.store.clients.view(id)
          await clients.setRoles('billing', ['writer'], 'test')
          return view
        },
      },
    }
    const granted = await grantToClient(
      { ...own.services, store },
      { clientId: client.id, secret: secret.secret },
      HERE,
    )
    expect(granted.ok && claimsOf(granted.access)).toMatchObject({ rvp: 0, roles: [] })
    expect((await own.store.revocations.head()).position).toBe(1)
  })
})

test('no secret is readable in the files, the audit or the log', async () => {
  const lines: string[] = []
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  await it.restart({ logger: pino({ level: 'trace' }, sink) })
  const { clients } = it.authority
  const client = await newClient(it)
  const added = await clients.addSecret('billing', 'test')
  const second = added.ok ? added.value.secret : ''
  const mistyped = 'a-secret-that-somebody-mistyped'
  const tokens = [
    tokenOf(await askWithSecret(it, client)),
    tokenOf(await askToken(it, {}, { headers: basic(client.id, second) })),
  ]
  await askWithSecret(it, { ...client, secret: mistyped })
  await askToken(it, { client_id: mistyped, client_secret: client.secret })
  await askToken(it, { scope: mistyped, client_secret: client.secret })

  const files = readdirSync(it.dataDir).map((name) => readFileSync(join(it.dataDir, name)))
  const holds = (secret: Buffer | string): boolean =>
    files.some((file) => file.includes(secret)) ||
    lines.some((line) => line.includes(String(secret)))
  // These values must be present, which shows that the search below works.
  expect(holds(client.id)).toBe(true)
  expect(holds(client.secretId)).toBe(true)
  const secrets = [
    ...[client.secret, second].flatMap((text) => [text, Buffer.from(text, 'base64url')]),
    ...tokens.flatMap((token) => token.split('.')),
    mistyped,
  ]
  expect(secrets.filter(holds)).toEqual([])
})
