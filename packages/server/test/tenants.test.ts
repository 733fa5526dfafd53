import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import {
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type Pair,
  type TestAuthority,
} from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { readAnswer, type Answer } from './support/contract.ts'
import { claimsOf } from './support/forge.ts'

let it: TestAuthority
beforeEach(async () => {
  it = await openTestAuthority()
  const { tenants, accounts } = it.authority
  await tenants.create('acme', 'test')
  await tenants.create('globex', 'test')
  await accounts.addRole(USERNAME, 'reader', 'test')
  await tenants.setMember(
    { username: USERNAME, tenant: 'acme', roles: ['editor', 'reader'] },
    'test',
  )
  await tenants.setMember({ username: USERNAME, tenant: 'globex', roles: ['owner'] }, 'test')
})
afterEach(() => it[Symbol.asyncDispose]())

async function idOf(name: string): Promise<string> {
  const tenant = (await it.authority.tenants.list()).find((each) => each.name === name)
  return tenant?.id ?? 'none'
}

async function login(more: object = {}): Promise<Answer> {
  return readAnswer(
    await it.post('/api/token/', { username: USERNAME, password: PASSWORD, ...more }),
  )
}

async function refresh({ refresh: token }: Pair): Promise<Pair | number> {
  const response = await it.post('/api/token/refresh/', { refresh: token })
  return response.status === 200 ? ((await response.json()) as Pair) : response.status
}

describe('a login', () => {
  test('without a tenant is in the default tenant, with its roles and the global roles', async () => {
    const { access } = await it.login()
    expect(claimsOf(access)).toMatchObject({ tid: await idOf('acme'), roles: ['editor', 'reader'] })
    await it.authority.tenants.setDefault({ username: USERNAME, tenant: 'globex' }, 'test')
    expect(claimsOf((await it.login()).access)).toMatchObject({ tid: await idOf('globex') })
  })

  test('in a browser may name a tenant', async () => {
    const browser = new TestBrowser(it)
    const answer = await browser.login({ username: USERNAME, password: PASSWORD, tenant: 'globex' })
    expect(membersOf(answer)).toMatchObject({
      tid: await idOf('globex'),
      roles: ['owner', 'reader'],
    })
  })

  test.each(['initech', 'acme; drop table', 'ACME'])(
    'to %s, without membership, is refused',
    async (tenant) => {
      const browser = new TestBrowser(it)
      const answer = await browser.login({ username: USERNAME, password: PASSWORD, tenant })
      expect(answer.status).toBe(403)
      expect(membersOf(answer)).toMatchObject({ code: 'tenant_forbidden' })
      const wrong = await browser.login({ username: USERNAME, password: 'wrong', tenant })
      expect(wrong.status).toBe(401)
    },
  )

  test('of an account without memberships has no tenant', async () => {
    await it.authority.accounts.create(
      { username: 'bob', password: PASSWORD, roles: ['guest'] },
      'test',
    )
    const { access } = JSON.parse((await login({ username: 'bob' })).text) as Pair
    expect(claimsOf(access)).toMatchObject({ roles: ['guest'] })
    expect(claimsOf(access)).not.toHaveProperty('tid')
  })
})

describe('the tenant changes', () => {
  test('within the session, when a refresh names another', async () => {
    const browser = new TestBrowser(it)
    const { sid } = membersOf(await browser.login())
    const moved = membersOf(await browser.visit('/auth/refresh', { body: { tenant: 'globex' } }))
    expect(moved).toMatchObject({ sid, tid: await idOf('globex'), roles: ['owner', 'reader'] })
    // Later refreshes stay in the tenant.
    expect(membersOf(await browser.visit('/auth/refresh'))).toMatchObject({
      tid: await idOf('globex'),
    })
    const me = membersOf(await browser.get('/auth/me'))
    expect(me).toMatchObject({
      tenant: { name: 'globex' },
      tenants: [{ name: 'acme' }, { name: 'globex' }],
    })
  })

  test('to no tenant, when a refresh names null', async () => {
    const browser = new TestBrowser(it)
    await browser.login()
    const answer = membersOf(await browser.visit('/auth/refresh', { body: { tenant: null } }))
    expect(answer).not.toHaveProperty('tid')
    expect(answer['roles']).toEqual(['reader'])
  })

  test('not to a tenant that the account is not a member of, and the session stays live', async () => {
    const browser = new TestBrowser(it)
    await browser.login()
    await it.authority.tenants.create('initech', 'test')
    for (const tenant of ['initech', 'nowhere']) {
      const answer = await browser.visit('/auth/refresh', { body: { tenant } })
      expect(answer.status).toBe(403)
      expect(membersOf(answer)).toMatchObject({ code: 'tenant_forbidden' })
    }
    expect(membersOf(await browser.visit('/auth/refresh'))).toMatchObject({
      tid: await idOf('acme'),
    })
  })

  test.each([[1], [[]], [{}], [true], ['']])(
    'but not to %j, which is not a name',
    async (tenant) => {
      const browser = new TestBrowser(it)
      await browser.login()
      const answer = await browser.visit('/auth/refresh', { body: { tenant } })
      expect(membersOf(answer)).toMatchObject({ code: 'fields_invalid', fields: ['tenant'] })
    },
  )

  test('also at a repeat: two tabs end up in the tenant that was named last', async () => {
    const browser = new TestBrowser(it)
    await browser.login()
    const tab = new TestBrowser(it)
    for (const [name, value] of browser.cookies) tab.cookies.set(name, value)
    tab.csrfToken = browser.csrfToken
    await browser.visit('/auth/refresh')
    const answer = membersOf(await tab.visit('/auth/refresh', { body: { tenant: 'globex' } }))
    expect(answer).toMatchObject({ tid: await idOf('globex') })
    expect(tab.cookies.get('cs_refresh')).toBe(browser.cookies.get('cs_refresh'))
  })
})

describe('a change by an operator', () => {
  test('shows in the next token: roles, membership', async () => {
    const first = await it.login()
    const { tenants } = it.authority
    await tenants.setMember({ username: USERNAME, tenant: 'acme', roles: ['viewer'] }, 'test')
    const second = (await refresh(first)) as Pair
    expect(claimsOf(second.access)).toMatchObject({ roles: ['reader', 'viewer'] })
    await tenants.removeMember({ username: USERNAME, tenant: 'acme' }, 'test')
    const third = (await refresh(second)) as Pair
    expect(claimsOf(third.access)).toMatchObject({ roles: ['reader'] })
    expect(claimsOf(third.access)).not.toHaveProperty('tid')
  })

  test('a tenant that is disabled ends the sessions in it, and no others', async () => {
    const inside = await it.login()
    const browser = new TestBrowser(it)
    await browser.login({ username: USERNAME, password: PASSWORD, tenant: 'globex' })
    await it.authority.tenants.disable('acme', 'test')
    expect(await refresh(inside)).toBe(401)
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    expect((await browser.visit('/auth/refresh', { body: { tenant: 'acme' } })).status).toBe(403)
    expect((await login()).status).toBe(200)
    // After the tenant is enabled again, ended sessions stay ended, and new logins succeed.
    await it.authority.tenants.enable('acme', 'test')
    expect(await refresh(inside)).toBe(401)
    const again = new TestBrowser(it)
    const answer = await again.login({ username: USERNAME, password: PASSWORD, tenant: 'acme' })
    expect(answer.status).toBe(200)
    expect((await browser.visit('/auth/refresh', { body: { tenant: 'acme' } })).status).toBe(403)
  })

  test('a session that ended all others while its tenant was disabled stays over when the tenant is enabled', async () => {
    const browser = new TestBrowser(it)
    await browser.login({ username: USERNAME, password: PASSWORD, tenant: 'globex' })
    await it.authority.tenants.disable('acme', 'test')
    await it.authority.tenants.enable('acme', 'test')
    expect((await browser.visit('/auth/sessions/end-others')).status).toBe(204)
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    expect((await browser.visit('/auth/refresh', { body: { tenant: 'acme' } })).status).toBe(403)
  })

  test('is in the log: hard for a tenant, soft for a member', async () => {
    const { tenants } = it.authority
    await tenants.setMember({ username: USERNAME, tenant: 'acme', roles: [] }, 'test')
    await tenants.removeMember({ username: USERNAME, tenant: 'acme' }, 'test')
    await tenants.disable('globex', 'test')
    const { access } = await it.login()
    // addRole, setMember, removeMember and disable. The first memberships revoked nothing.
    expect(claimsOf(access)).toMatchObject({ rvp: 4 })
  })
})

describe('permissions', () => {
  test('follow from the current definitions of the roles', async () => {
    const browser = new TestBrowser(it)
    await browser.login()
    const permissions = async (): Promise<unknown> =>
      membersOf(await browser.get('/auth/me'))['permissions']
    expect(await permissions()).toEqual([])
    const { roles } = it.authority
    await roles.define({ name: 'editor', permissions: ['notes.write', 'notes.read'] }, 'test')
    await roles.define({ name: 'reader', permissions: ['notes.read'] }, 'test')
    await roles.define({ name: 'owner', permissions: ['billing'] }, 'test')
    expect(await permissions()).toEqual(['notes.read', 'notes.write'])
    await roles.define({ name: 'editor', permissions: [] }, 'test')
    expect(await permissions()).toEqual(['notes.read'])
  })

  test.each([
    ['a role with a space', { name: 'my role', permissions: [] }],
    ['a permission with a line end', { name: 'r', permissions: ['a\nb'] }],
    ['an empty permission', { name: 'r', permissions: [''] }],
    ['too many', { name: 'r', permissions: Array.from({ length: 201 }, (_, at) => `p${at}`) }],
  ])('%s is refused', async (_name, role) => {
    expect((await it.authority.roles.define(role, 'test')).ok).toBe(false)
  })
})

describe('an operator gets a refusal', () => {
  test.each([
    ['a name in capitals', 'Acme'],
    ['a name with a dash at its end', 'acme-'],
    ['an empty name', ''],
    ['a long name', 'a'.repeat(65)],
    ['a name that is taken', 'acme'],
  ])('%s is not a tenant name', async (_name, name) => {
    expect((await it.authority.tenants.create(name, 'test')).ok).toBe(false)
  })

  test('for accounts and tenants that do not exist', async () => {
    const { tenants } = it.authority
    const nobody = { username: 'nobody', tenant: 'acme', roles: [] }
    expect(await tenants.setMember(nobody, 'test')).toMatchObject({
      text: 'There is no account "nobody".',
    })
    const nowhere = { username: USERNAME, tenant: 'nowhere', roles: [] }
    expect(await tenants.setMember(nowhere, 'test')).toMatchObject({
      text: 'There is no tenant "nowhere".',
    })
    await tenants.create('initech', 'test')
    expect(
      await tenants.setDefault({ username: USERNAME, tenant: 'initech' }, 'test'),
    ).toMatchObject({ ok: false })
  })

  test('if global and tenant roles together do not fit into a token', async () => {
    const roles = Array.from({ length: 30 }, (_, at) => `${'r'.repeat(60)}${at}`)
    const input = { username: USERNAME, tenant: 'acme', roles }
    expect((await it.authority.tenants.setMember(input, 'test')).ok).toBe(false)
  })
})

describe('own claims', () => {
  test('are added at every login and refresh', async () => {
    let plan = 'free'
    await it.restart({
      claims: (account, session) => {
        expect(session).not.toHaveProperty('seed')
        return { plan, of: account.id, in: session.tenantId ?? null }
      },
    })
    const pair = await it.login()
    const { sub } = claimsOf(pair.access)
    expect(claimsOf(pair.access)).toMatchObject({ plan: 'free', of: sub, in: await idOf('acme') })
    plan = 'paid'
    expect(claimsOf(((await refresh(pair)) as Pair).access)).toMatchObject({ plan: 'paid' })
  })

  test.each(['sub', 'roles', 'tid', 'csh', 'exp', 'scope', 'rvp', 'nbf'])(
    'cannot set %s',
    async (name) => {
      await it.restart({ claims: () => ({ [name]: 'x' }) })
      expect((await login()).status).toBe(500)
      const sessions = new TestBrowser(it)
      expect((await sessions.login()).status).toBe(500)
    },
  )

  test('that are too large fail and create no session', async () => {
    await it.restart({ claims: () => ({ essay: 'x'.repeat(3_000) }) })
    expect((await login()).status).toBe(500)
    await it.restart()
    const browser = new TestBrowser(it)
    await browser.login()
    expect((membersOf(await browser.get('/auth/sessions'))['sessions'] as unknown[]).length).toBe(1)
  })
})

test('a role that would not fit into a token with those of a tenant is rejected, and logins still work', async () => {
  await using own = await openTestAuthority()
  const { accounts, tenants } = own.authority
  await tenants.create('acme', 'test')
  const long = (n: number): string => `role-${String(n).padStart(2, '0')}-${'x'.repeat(40)}`
  const roles = Array.from({ length: 30 }, (_, n) => long(n))
  const member = await tenants.setMember({ tenant: 'acme', username: USERNAME, roles }, 'test')
  expect(member.ok).toBe(true)
  let refused: unknown
  for (let n = 30; n < 80 && refused === undefined; n += 1) {
    const added = await accounts.addRole(USERNAME, long(n), 'test')
    if (!added.ok) refused = added.code
  }
  expect(refused).toBe('roles_invalid')
  const pair = await own.login()
  expect((await own.post('/api/token/refresh/', { refresh: pair.refresh })).status).toBe(200)
  expect(await accounts.addRole('nobody', 'x', 'test')).toMatchObject({ code: 'account_unknown' })
})
