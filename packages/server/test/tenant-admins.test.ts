import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { TestBrowser } from './support/browser.ts'
import { askWithSecret, newClient, tokenOf } from './support/clients.ts'
import {
  openTenants,
  outcome,
  send,
  sendWith,
  type Person,
  type Tenants,
} from './support/tenants.ts'
import { readAnswer } from './support/contract.ts'

const INVITATIONS = '/auth/tenants/acme/invitations'
const MEMBERS = '/auth/tenants/acme/members'

let it: Tenants
beforeEach(async () => {
  it = await openTenants()
})
afterEach(() => it[Symbol.asyncDispose]())

async function member(name: string): Promise<string> {
  return `${MEMBERS}/${await it.idOf(name)}`
}

/** The outcomes of one request of each kind to the tenant `acme`, each on a member or invitation of its own. */
async function attempts(
  request: (method: string, path: string, body?: unknown) => Promise<string>,
): Promise<typeof ALL> {
  const { tenants } = it.authority
  await tenants.setMember({ username: 'target', tenant: 'acme', roles: ['reader'] }, 'test')
  const one = await tenants.invite({ tenant: 'acme', email: 'x@example.com' }, 'test')
  const id = one.ok ? one.value.id : ''
  const target = await member('target')
  return {
    members: await request('GET', MEMBERS),
    invitations: await request('GET', INVITATIONS),
    invite: await request('POST', INVITATIONS, { email: 'y@example.com', roles: ['reader'] }),
    resend: await request('POST', `${INVITATIONS}/${id}/resend`),
    withdraw: await request('DELETE', `${INVITATIONS}/${id}`),
    setRoles: await request('PUT', target, { roles: [] }),
    remove: await request('DELETE', target),
  }
}

const ALL = {
  members: '200',
  invitations: '200',
  invite: '201',
  resend: '200',
  withdraw: '204',
  setRoles: '204',
  remove: '204',
}

function every(result: string): Record<keyof typeof ALL, string> {
  // The same keys.
  return Object.fromEntries(Object.keys(ALL).map((key) => [key, result])) as typeof ALL
}

const MISSING = '403 permission_missing'
const UNKNOWN = '404 not_found'

describe('who may manage a tenant', () => {
  const people: readonly (readonly [string, Person, string | undefined, typeof ALL])[] = [
    ['an owner in the tenant', { tenants: { acme: ['owner'] } }, 'acme', ALL],
    [
      'a manager, who may not change roles',
      { tenants: { acme: ['manager'] } },
      'acme',
      { ...ALL, setRoles: MISSING },
    ],
    ['a global administrator without a tenant', { roles: ['staff'] }, undefined, ALL],
    [
      'a global administrator in another tenant',
      { roles: ['staff'], tenants: { globex: [] } },
      'globex',
      ALL,
    ],
    ['a member without the permission', { tenants: { acme: ['editor'] } }, 'acme', every(MISSING)],
    ['an owner of another tenant', { tenants: { globex: ['owner'] } }, 'globex', every(UNKNOWN)],
    [
      'an owner whose session is in another tenant',
      { tenants: { acme: ['owner'], globex: ['owner'] } },
      'globex',
      every(UNKNOWN),
    ],
    ['a person without a tenant', {}, undefined, every(UNKNOWN)],
  ]

  test.each(people)('%s', async (_, person, tenant, expected) => {
    await it.join('target')
    const browser = await it.join('actor', person, tenant)
    const results = await attempts((...request) => outcome(send(browser, ...request)))
    expect(results).toEqual(expected)
  })

  test('no service account, and nobody without a session', async () => {
    await it.join('target')
    for (const tenant of ['acme', undefined]) {
      const client = await newClient(it, tenant ?? 'global', {
        roles: ['owner', 'staff'],
        ...(tenant === undefined ? {} : { tenant }),
      })
      const token = tokenOf(await askWithSecret(it, client))
      const results = await attempts(async (...request) =>
        outcome(await readAnswer(await sendWith(it, token, ...request))),
      )
      expect(results).toEqual(every('403 person_required'))
    }
    const without = await attempts(async (...request) =>
      outcome(await readAnswer(await sendWith(it, undefined, ...request))),
    )
    expect(new Set(Object.values(without).map((each) => each.slice(0, 3)))).toEqual(
      new Set(['401']),
    )
  })

  test('a tenant of others answers exactly like an unknown one, by name and by id', async () => {
    const browser = await it.join('actor', { tenants: { globex: ['owner'] } }, 'globex')
    const [acme] = await it.authority.tenants.list()
    const bodies = new Set<string>()
    for (const name of ['acme', acme?.id, 'unknown', 'ten_unknown', '*']) {
      for (const path of [`/auth/tenants/${name}/members`, `/auth/tenants/${name}/invitations`]) {
        const { status, text } = await browser.get(path)
        bodies.add(`${status} ${text}`)
      }
    }
    expect([...bodies]).toHaveLength(1)
  })

  test('the tenant may be named by its id', async () => {
    const browser = await it.join('actor', { tenants: { acme: ['owner'] } })
    const [acme] = await it.authority.tenants.list()
    expect(await outcome(browser.get(`/auth/tenants/${acme?.id}/members`))).toBe('200')
  })

  test('a browser needs the CSRF token for every change', async () => {
    await it.join('target')
    const browser = await it.join('actor', { tenants: { acme: ['owner'] } })
    const results = await attempts((method, path, body) =>
      outcome(send(browser, method, path, body, { withoutToken: true })),
    )
    expect(results).toEqual({ ...every('403 csrf_failed'), members: '200', invitations: '200' })
  })

  test('nobody changes a disabled tenant', async () => {
    await it.join('target')
    const browser = await it.join('actor', { roles: ['staff'] })
    await it.authority.tenants.setMember({ username: 'target', tenant: 'acme', roles: [] }, 'test')
    await it.authority.tenants.disable('acme', 'test')
    const target = await member('target')
    for (const [method, path, body] of [
      ['POST', INVITATIONS, { email: 'x@example.com' }],
      ['PUT', target, { roles: ['reader'] }],
      ['DELETE', target, undefined],
    ] as const) {
      expect(await outcome(send(browser, method, path, body))).toBe('409 tenant_disabled')
    }
    expect(
      await it.authority.tenants.invite({ tenant: 'acme', email: 'x@y.test' }, 'test'),
    ).toMatchObject({
      ok: false,
      code: 'tenant_disabled',
    })
  })
})

describe('nobody gives more than they have', () => {
  async function manager(roles: readonly string[]): Promise<TestBrowser> {
    await it.join('owner', { tenants: { acme: ['owner'] } })
    await it.join('target', { tenants: { acme: ['reader'] } })
    return it.join('actor', { tenants: { acme: roles } })
  }

  async function invite(browser: TestBrowser, roles: readonly string[]): Promise<string> {
    return outcome(send(browser, 'POST', INVITATIONS, { email: 'x@example.com', roles }))
  }

  test('by an invitation', async () => {
    const browser = await manager(['manager'])
    for (const role of ['owner', 'editor', 'staff', 'undefined', 'named']) {
      expect(await invite(browser, ['reader', role])).toBe('403 role_forbidden')
    }
    expect(await invite(browser, ['reader', 'manager'])).toBe('201')
    expect(await invite(browser, ['not a role!'])).toBe('400 roles_invalid')
  })

  test('by changing roles, also their own', async () => {
    await it.authority.roles.define(
      { name: 'promoter', permissions: ['notes.read', 'tenant.roles'] },
      'test',
    )
    const browser = await manager(['promoter', 'manager'])
    for (const name of ['target', 'actor']) {
      for (const role of ['owner', 'editor', 'undefined', 'named']) {
        const body = { roles: [...((await it.rolesOf(name)) ?? []), role] }
        expect(await outcome(send(browser, 'PUT', await member(name), body))).toBe(
          '403 role_forbidden',
        )
      }
    }
    const body = { roles: ['manager'] }
    expect(await outcome(send(browser, 'PUT', await member('target'), body))).toBe('204')
    expect(await it.rolesOf('target')).toEqual(['manager'])
  })

  test('a role without permissions is given only by somebody who has it', async () => {
    const browser = await manager(['manager', 'named'])
    expect(await invite(browser, ['named'])).toBe('201')
  })

  test('a resent invitation needs the same rights', async () => {
    const browser = await manager(['manager'])
    const one = await it.authority.tenants.invite(
      { tenant: 'acme', email: 'x@example.com', roles: ['owner'] },
      'test',
    )
    const id = one.ok ? one.value.id : ''
    const path = `${INVITATIONS}/${id}`
    expect(await outcome(send(browser, 'POST', `${path}/resend`))).toBe('403 role_forbidden')
    expect(await outcome(send(browser, 'DELETE', path))).toBe('204')
  })

  test('roles of another tenant and of the session before a demotion do not count', async () => {
    await it.join('target', { tenants: { acme: ['reader'] } })
    await it.join('owner', { tenants: { acme: ['owner'] } })
    const browser = await it.join('actor', { tenants: { acme: ['manager'], globex: ['owner'] } })
    expect(await invite(browser, ['editor'])).toBe('403 role_forbidden')
    await it.authority.tenants.setMember(
      { username: 'actor', tenant: 'acme', roles: ['reader'] },
      'test',
    )
    expect(await invite(browser, ['reader'])).toMatch(/^40[13] /)
    await send(browser, 'POST', '/auth/refresh')
    expect(await invite(browser, ['reader'])).toBe(MISSING)
  })

  test('a member with more permissions is protected', async () => {
    const browser = await manager(['manager'])
    const owner = await member('owner')
    expect(await outcome(send(browser, 'DELETE', owner))).toBe('403 member_protected')
    await it.authority.roles.define({ name: 'promoter', permissions: ['tenant.roles'] }, 'test')
    const promoter = await it.join('promoter', { tenants: { acme: ['promoter'] } })
    expect(await outcome(send(promoter, 'PUT', owner, { roles: [] }))).toBe('403 member_protected')
    expect(await it.rolesOf('owner')).toEqual(['owner'])
  })

  test('nobody is made a member without an invitation', async () => {
    const browser = await it.join('actor', { tenants: { acme: ['owner'] } })
    await it.join('stranger')
    for (const id of [await it.idOf('stranger'), 'acct_unknown']) {
      const path = `${MEMBERS}/${id}`
      expect(await outcome(send(browser, 'PUT', path, { roles: ['reader'] }))).toBe(UNKNOWN)
      expect(await outcome(send(browser, 'DELETE', path))).toBe(UNKNOWN)
    }
    expect(await it.rolesOf('stranger')).toBeUndefined()
  })

  test('an account gets no more roles than its tokens can carry', async () => {
    const many = Array.from({ length: 63 }, (_, index) => `role-${index}`)
    for (const name of many.slice(0, 2)) {
      await it.authority.roles.define({ name, permissions: ['notes.read'] }, 'test')
    }
    await it.join('target', { tenants: { acme: ['reader'] }, roles: many })
    const browser = await it.join('actor', { tenants: { acme: ['owner'] } })
    const roles = ['reader', 'editor']
    expect(await outcome(send(browser, 'PUT', await member('target'), { roles }))).toBe(
      '400 roles_invalid',
    )
  })
})

describe('the last administrator', () => {
  test('neither removes nor demotes themselves, and does either beside another one', async () => {
    const browser = await it.join('actor', { tenants: { acme: ['owner'] } })
    const own = await member('actor')
    const last = '409 last_administrator'
    expect(await outcome(send(browser, 'DELETE', own))).toBe(last)
    expect(await outcome(send(browser, 'PUT', own, { roles: ['manager'] }))).toBe(last)
    expect(await outcome(send(browser, 'PUT', own, { roles: [] }))).toBe(last)
    // A disabled account does not count.
    await it.join('second', { tenants: { acme: ['owner'] } })
    await it.authority.accounts.disable('second', 'test')
    expect(await outcome(send(browser, 'DELETE', own))).toBe(last)
    await it.authority.accounts.enable('second', 'test')
    expect(await outcome(send(browser, 'DELETE', own))).toBe('204')
    expect(await it.rolesOf('actor')).toBeUndefined()
  })

  test('stays when two administrators remove each other or themselves at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const names = [`one-${round}`, `two-${round}`]
      const people = { tenants: { acme: ['owner'] } }
      const browsers = await Promise.all(names.map((name) => it.join(name, people)))
      const ids = await Promise.all(names.map(member))
      const isMutual = round % 2 === 0
      const removals = browsers.map((browser, index) =>
        outcome(send(browser, 'DELETE', ids[isMutual ? 1 - index : index] ?? '')),
      )
      const results = await Promise.all(removals)
      expect(results.filter((each) => each === '204')).toHaveLength(1)
      const left = await Promise.all(names.map((name) => it.rolesOf(name)))
      expect(left.filter((roles) => roles?.includes('owner') === true)).toHaveLength(1)
      for (const username of names) {
        await it.authority.tenants.removeMember({ username, tenant: 'acme' }, 'test')
      }
    }
  })
})

describe('the members of a tenant', () => {
  test('are listed with their roles in it, and their tokens are stale after a change', async () => {
    const browser = await it.join('actor', { tenants: { acme: ['owner'] } })
    const target = await it.join('target', { tenants: { acme: ['reader'] }, roles: ['staff'] })
    const { text } = await browser.get(MEMBERS)
    const { members } = JSON.parse(text) as { members: unknown[] }
    expect(members).toMatchObject([
      { username: 'actor', roles: ['owner'], disabled: false },
      { username: 'target', roles: ['reader'], disabled: false },
    ])
    const path = await member('target')
    const before = [...target.cookies].find(([name]) => name.endsWith('access'))?.[1] ?? ''
    // No guard is connected, so nothing has to be waited for.
    const answer = await send(browser, 'PUT', `${path}?wait=effective`, { roles: ['editor'] })
    expect(JSON.parse(answer.text)).toMatchObject({ effective: { guards: 0 } })
    expect(it.authority.verify(before)).toEqual({ ok: false, code: 'token_stale' })
    expect(await it.rolesOf('target')).toEqual(['editor'])
    expect(await outcome(send(browser, 'DELETE', path))).toBe('204')
    expect(await it.rolesOf('target')).toBeUndefined()
  })
})
