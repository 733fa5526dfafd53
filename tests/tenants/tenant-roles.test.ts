import { createGuard, type Guard } from '@countersign/guard'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { runAuthority, type RunningAuthority } from '../revocation/support.ts'
import { services, type Routes, type Service } from './services.ts'

// A member with the role `admin` in one tenant is a customer's administrator, never one of ours.

const PASSWORD = 'correct horse battery'

let it: RunningAuthority
let guard: Guard
let globexId = ''
/** An access token of each caller. */
const tokens: Record<string, string> = {}

beforeAll(async () => {
  it = await runAuthority()
  const { accounts, tenants, roles, clients } = it.authority
  for (const name of ['globex', 'acme']) {
    const created = await tenants.create(name, 'test')
    if (created.ok && name === 'globex') globexId = created.value.id
  }
  await roles.define({ name: 'admin', permissions: ['users.delete'] }, 'test')
  for (const [username, global, tenant, inTenant] of [
    ['mallory', [], 'globex', ['admin']],
    ['ours', ['admin'], undefined, []],
    ['ours-in-acme', ['admin'], 'acme', []],
    ['ours-in-globex', ['admin'], 'globex', []],
    ['member', [], 'globex', ['reader']],
  ] as const) {
    await accounts.create({ username, password: PASSWORD, roles: global }, 'test')
    if (tenant !== undefined) await tenants.setMember({ username, tenant, roles: inTenant }, 'test')
    tokens[username] = (await it.login(username)).access
  }
  for (const tenant of ['globex', undefined]) {
    const name = `machine${tenant === undefined ? '' : '-of-globex'}`
    const created = await clients.create({ name, roles: ['admin'], tenant }, 'test')
    if (!created.ok) throw new Error(created.text)
    const { client, secret } = created.value
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: client.id,
      client_secret: secret.secret,
    })
    const answer = await fetch(`${it.url}/oauth2/token`, { method: 'POST', body })
    tokens[name] = String(((await answer.json()) as Record<string, unknown>)['access_token'])
  }
  guard = await it.guard()
})
afterAll(() => it[Symbol.asyncDispose]())

const roles = ['admin']
const permissions = ['users.delete']
const routes: Routes = (named) => ({
  '/role': { roles },
  '/permission': { permissions },
  '/role-in-globex': { roles, tenant: 'globex' },
  '/permission-in-globex': { permissions, tenant: 'globex' },
  '/role-in-globex-by-id': { roles, tenant: globexId },
  '/role-in-acme': { roles, tenant: 'acme' },
  '/role-in-any': { roles, tenant: '*' },
  '/permission-in-any': { permissions, tenant: '*' },
  '/role-in/:tenant': { roles, tenant: named },
  '/role-in-undefined': { roles, tenant: () => undefined },
  '/role-in-empty': { roles, tenant: () => '' },
  '/role-in-star': { roles, tenant: () => '*' },
  '/in-any': { tenant: '*' },
})

/** The callers that get 200. Every other caller gets 403 with this code. */
const EXPECTED: Readonly<Record<string, readonly [code: string, ...accepted: string[]]>> = {
  '/role': ['role_missing', 'ours', 'ours-in-acme', 'ours-in-globex', 'machine'],
  '/permission': ['permission_missing', 'ours', 'ours-in-acme', 'ours-in-globex', 'machine'],
  '/role-in-globex': ['', 'mallory', 'ours-in-globex', 'machine-of-globex'],
  '/permission-in-globex': ['', 'mallory', 'ours-in-globex', 'machine-of-globex'],
  '/role-in-globex-by-id': ['', 'mallory', 'ours-in-globex', 'machine-of-globex'],
  '/role-in-acme': ['', 'ours-in-acme'],
  '/role-in-any': ['', 'mallory', 'ours-in-acme', 'ours-in-globex', 'machine-of-globex'],
  '/permission-in-any': ['', 'mallory', 'ours-in-acme', 'ours-in-globex', 'machine-of-globex'],
  '/role-in/globex': ['', 'mallory', 'ours-in-globex', 'machine-of-globex'],
  '/role-in/GLOBEX': ['tenant_mismatch'],
  '/role-in/acme': ['', 'ours-in-acme'],
  // A request cannot choose the wildcard: only the requirement can.
  '/role-in/*': ['tenant_mismatch'],
  '/role-in-star': ['tenant_mismatch'],
  '/role-in-undefined': ['tenant_mismatch'],
  '/role-in-empty': ['tenant_mismatch'],
  '/in-any': [
    'tenant_mismatch',
    'mallory',
    'member',
    'ours-in-acme',
    'ours-in-globex',
    'machine-of-globex',
  ],
}

describe.each(Object.keys(services))('a route on %s', (framework) => {
  let service: Service
  beforeAll(async () => {
    service = await services[framework]!(guard, routes)
  })
  afterAll(() => service.close())

  test.each(Object.entries(EXPECTED))('%s', async (path, [code, ...accepted]) => {
    for (const [who, token] of Object.entries(tokens)) {
      const headers = { authorization: `Bearer ${token}` }
      const answer = await fetch(`${service.origin}${path}`, { headers })
      const status = accepted.includes(who) ? 200 : 403
      expect({ who, status: answer.status }).toEqual({ who, status })
      if (status === 403 && code !== '') expect(await answer.json()).toMatchObject({ code })
    }
  })
})

test('a token without a tenant passes no requirement that names one', async () => {
  const bare = createGuard({ issuer: it.url, onNotice: () => {} })
  await bare.ready()
  for (const tenant of ['globex', globexId, '*', () => undefined, () => '']) {
    const result = await bare.route({ tenant }).authenticate({
      method: 'GET',
      values: (name) => (name === 'authorization' ? [`Bearer ${tokens['ours']}`] : []),
    })
    expect(result).toMatchObject({ ok: false, code: 'tenant_mismatch' })
  }
  bare.close()
})
