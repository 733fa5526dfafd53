import { describe, expect, test } from 'vitest'

import { engines } from './engines.ts'
import { account, BY, eventsOf, logOf, signedIn, tally, tenant } from './samples.ts'

describe.each(engines)('tenants on %s', (_, open) => {
  test('create, find and list; of several creates at once with one name, one succeeds', async () => {
    await using it = await open()
    const { tenants } = it.store
    const results = await Promise.all([
      it.elsewhere('tenants.create', tenant('ten_1', 'acme'), BY),
      tenants.create(tenant('ten_2', 'acme'), BY),
      it.beside.tenants.create(tenant('ten_3', 'acme'), BY),
      tenants.create(tenant('ten_4', 'aaa'), BY),
    ])
    expect(tally(results)).toEqual({ created: 2, taken: 2 })
    expect((await tenants.list()).map(({ name }) => name)).toEqual(['aaa', 'acme'])
    expect(await tenants.find('aaa')).toEqual(tenant('ten_4', 'aaa'))
    expect(await tenants.find('other')).toBeUndefined()
    expect(await eventsOf(it.store)).toEqual(['tenant_created', 'tenant_created'])
  })

  test('disable is one hard entry and a position in the row; enable leaves both', async () => {
    await using it = await open()
    const { tenants } = it.store
    await tenants.create(tenant(), BY)
    const results = [
      await tenants.disable('ten_1', BY),
      await tenants.disable('ten_1', BY),
      await tenants.enable('ten_1', BY),
      await tenants.enable('ten_1', BY),
      await tenants.disable('unknown', BY),
    ]
    expect(results).toEqual(['changed', 'unchanged', 'changed', 'unchanged', 'unchanged'])
    expect(await tenants.find('ten-1')).toMatchObject({ disabledAt: undefined, hardPosition: 1 })
    expect(await logOf(it.store)).toEqual(['tenant ten_1 hard'])
  })

  test('setMember sets exactly these roles; only a change of roles makes tokens stale', async () => {
    await using it = await open()
    const { tenants, accounts } = it.store
    await accounts.create(account(), 'acct_1', BY)
    for (const id of ['ten_1', 'ten_2']) await tenants.create(tenant(id), BY)
    const set = (id: string, ...roles: string[]): Promise<unknown> =>
      tenants.setMember('acct_1', id, roles, BY)
    expect(await set('ten_2', 'a')).toBe('changed')
    expect(await set('ten_2', 'a')).toBe('unchanged')
    expect(await logOf(it.store)).toEqual([])
    expect(await set('ten_2', 'b')).toBe('changed')
    expect(await set('ten_1')).toBe('changed')
    expect(await logOf(it.store)).toEqual(['account acct_1 soft'])
    expect(await tenants.membershipsOf('acct_1')).toEqual([
      { tenantId: 'ten_1', tenantName: 'ten-1', roles: [] },
      { tenantId: 'ten_2', tenantName: 'ten-2', roles: ['b'] },
    ])
    expect((await accounts.find('acct_1'))?.defaultTenantId).toBe('ten_2')
    await tenants.disable('ten_2', BY)
    expect(await tenants.membershipsOf('acct_1')).toHaveLength(1)
  })

  test('membersOf lists the members of a tenant by username, also of a disabled one', async () => {
    await using it = await open()
    const { accounts, tenants } = it.store
    await tenants.create(tenant(), BY)
    for (const n of [3, 1, 2]) {
      await accounts.create(account(`acct_${n}`, { username: `user-${n}` }), `user-${n}`, BY)
      await tenants.setMember(`acct_${n}`, 'ten_1', [`role-${n}`], BY)
    }
    await accounts.disable('acct_2', BY)
    await tenants.disable('ten_1', BY)
    const member = { isDisabled: false, isDefault: true, since: BY.at }
    const members = [
      { ...member, accountId: 'acct_1', username: 'user-1', roles: ['role-1'] },
      { ...member, accountId: 'acct_2', username: 'user-2', roles: ['role-2'], isDisabled: true },
    ]
    expect(await tenants.membersOf('ten_1', 2)).toEqual(members)
    expect(await tenants.membersOf('ten_1', 3)).toHaveLength(3)
    expect(await tenants.membersOf('ten_2', 3)).toEqual([])
  })

  test('setMember of an unknown account or tenant rejects and writes nothing', async () => {
    await using it = await open()
    const { tenants } = it.store
    await tenants.create(tenant(), BY)
    await expect(tenants.setMember('nobody', 'ten_1', [], BY)).rejects.toThrow()
    expect(await eventsOf(it.store)).toEqual(['tenant_created'])
  })

  test('setDefault needs a membership; removeMember clears the default', async () => {
    await using it = await open()
    const { tenants, accounts } = it.store
    await accounts.create(account(), 'acct_1', BY)
    for (const id of ['ten_1', 'ten_2']) {
      await tenants.create(tenant(id), BY)
      await tenants.setMember('acct_1', id, [], BY)
    }
    expect(await tenants.setDefault('acct_1', 'ten_2', BY)).toBe('changed')
    expect(await tenants.setDefault('acct_1', 'unknown', BY)).toBe('unknown')
    expect(await tenants.removeMember('acct_1', 'ten_2', BY)).toBe('changed')
    expect(await tenants.removeMember('acct_1', 'ten_2', BY)).toBe('unchanged')
    expect((await accounts.find('acct_1'))?.defaultTenantId).toBeUndefined()
    expect(await tenants.setDefault('acct_1', 'ten_2', BY)).toBe('unknown')
    expect(await logOf(it.store)).toEqual(['account acct_1 soft'])
  })

  test('removals at once write one entry', async () => {
    await using it = await open()
    await signedIn(it.store)
    await it.store.tenants.create(tenant(), BY)
    await it.store.tenants.setMember('acct_1', 'ten_1', [], BY)
    const results = await Promise.all([
      it.elsewhere('tenants.removeMember', 'acct_1', 'ten_1', BY),
      it.store.tenants.removeMember('acct_1', 'ten_1', BY),
      it.beside.tenants.removeMember('acct_1', 'ten_1', BY),
    ])
    expect(tally(results)).toEqual({ changed: 1, unchanged: 2 })
    expect(await logOf(it.store)).toEqual(['account acct_1 soft'])
  })
})
