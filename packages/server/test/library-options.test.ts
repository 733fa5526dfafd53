import { afterAll, beforeAll, expect, test } from 'vitest'

import { openTestAuthority, PASSWORD, USERNAME, type TestAuthority } from './support/authority.ts'

let it: TestAuthority
beforeAll(async () => {
  it = await openTestAuthority()
})
afterAll(() => it[Symbol.asyncDispose]())

// JavaScript has no type checker that finds these, and neither has a spread object in TypeScript.
const calls: [name: string, call: (extra: object) => Promise<unknown>][] = [
  [
    'sessions.create',
    (extra) => it.authority.sessions.create('acct_x', { amr: ['fed'], ...extra }),
  ],
  ['sessions.list', (extra) => it.authority.sessions.list(extra)],
  ['audit.list', (extra) => it.authority.audit.list(extra)],
  ['accounts.list', (extra) => it.authority.accounts.list(extra)],
  [
    'accounts.create',
    (extra) => {
      const input = { username: 'bob', password: PASSWORD, ...extra }
      return it.authority.accounts.create(input, 'test')
    },
  ],
  ['clients.create', (extra) => it.authority.clients.create({ name: 'jobs', ...extra }, 'test')],
  [
    'tenants.setMember',
    (extra) => {
      const input = { username: USERNAME, tenant: 'acme', roles: [], ...extra }
      return it.authority.tenants.setMember(input, 'test')
    },
  ],
  [
    'tenants.removeMember',
    (extra) => {
      const input = { username: USERNAME, tenant: 'acme', ...extra }
      return it.authority.tenants.removeMember(input, 'test')
    },
  ],
  [
    'tenants.setDefault',
    (extra) => {
      const input = { username: USERNAME, tenant: 'acme', ...extra }
      return it.authority.tenants.setDefault(input, 'test')
    },
  ],
  [
    'roles.define',
    (extra) => {
      const role = { name: 'editor', permissions: [], ...extra }
      return it.authority.roles.define(role, 'test')
    },
  ],
]

test.each(calls)('%s rejects an option that does not exist, and names it', async (name, call) => {
  await expect(call({ frobnicate: true })).rejects.toThrow(
    new RegExp(`^${name} has no option "frobnicate"\\. It takes `),
  )
  await expect(call({ frobnicate: undefined })).rejects.toThrow(TypeError)
})

test.each([
  ['tenat', 'tenant'],
  ['useragent', 'userAgent'],
  ['forCookie', 'forCookies'],
  ['authenticated_at', 'authenticatedAt'],
])('sessions.create explains the misspelled option %s', async (option, meant) => {
  await expect(
    it.authority.sessions.create('acct_x', { amr: ['fed'], [option]: 'x' }),
  ).rejects.toThrow(`sessions.create has no option "${option}". Did you mean ${meant}?`)
})

test('no input is a TypeError too', async () => {
  for (const input of [null, 'alice', undefined]) {
    await expect(it.authority.accounts.create(input as never, 'test')).rejects.toThrow(TypeError)
    await expect(it.authority.sessions.create('acct_x', input as never)).rejects.toThrow(TypeError)
  }
})
