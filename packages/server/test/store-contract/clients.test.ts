import { describe, expect, test } from 'vitest'

import { engines } from './engines.ts'
import { BY, client, eventsOf, logOf, secret, tally, tenant } from './samples.ts'

describe.each(engines)('clients on %s', (_, open) => {
  test('create writes client and secret; view, find and list read them', async () => {
    await using it = await open()
    const { clients, tenants } = it.store
    await tenants.create(tenant(), BY)
    const one = client('svc_1', { roles: ['a'], tenantId: 'ten_1' })
    expect(await clients.create(one, secret('sec_1'), BY)).toBe('created')
    const other = client('svc_2', { name: one.name })
    expect(await clients.create(other, secret('sec_2'), BY)).toBe('taken')
    expect(await clients.find(one.name)).toEqual(one)
    expect(await clients.find('other')).toBeUndefined()
    const view = await clients.view('svc_1')
    expect(view).toMatchObject({
      position: 0,
      client: one,
      tenantDisabled: false,
      tenantHardPosition: 0,
    })
    expect(view.secrets.map(({ id, hash }) => [id, hash.length])).toEqual([['sec_1', 32]])
    const [summary] = await clients.list()
    expect(summary).toMatchObject({ id: 'svc_1', tenantName: 'ten-1', secrets: [{ id: 'sec_1' }] })
    expect(summary?.secrets[0]).not.toHaveProperty('hash')
    expect(await clients.view('unknown')).toMatchObject({
      client: undefined,
      secrets: [],
      tenantDisabled: false,
      tenantHardPosition: 0,
    })
  })

  test('view returns whether the tenant is disabled, and its hard position', async () => {
    await using it = await open()
    const { clients, tenants } = it.store
    await tenants.create(tenant(), BY)
    await clients.create(client('svc_1', { tenantId: 'ten_1' }), secret('sec_1'), BY)
    await tenants.disable('ten_1', BY)
    expect(await clients.view('svc_1')).toMatchObject({
      position: 1,
      tenantDisabled: true,
      tenantHardPosition: 1,
    })
  })

  test('of several creates at once with one name, one succeeds with its secret', async () => {
    await using it = await open()
    const of = (n: number): readonly [ReturnType<typeof client>, ReturnType<typeof secret>] => [
      client(`svc_${n}`, { name: 'job' }),
      secret(`sec_${n}`),
    ]
    const results = await Promise.all([
      it.elsewhere('clients.create', ...of(1), BY),
      it.store.clients.create(...of(2), BY),
      it.beside.clients.create(...of(3), BY),
    ])
    expect(tally(results)).toEqual({ created: 1, taken: 2 })
    const found = await it.store.clients.find('job')
    expect((await it.store.clients.view(found?.id ?? '')).secrets).toHaveLength(1)
  })

  test('disable revokes by a hard entry, a change of roles by a soft one', async () => {
    await using it = await open()
    const { clients } = it.store
    await clients.create(client(), secret('sec_1'), BY)
    const results = [
      await clients.setRoles('svc_1', ['a'], BY),
      await clients.setRoles('svc_1', ['a'], BY),
      await clients.disable('svc_1', BY),
      await clients.disable('svc_1', BY),
      await clients.enable('svc_1', BY),
      await clients.enable('svc_1', BY),
    ]
    expect(results.join()).toBe('changed,unchanged,changed,unchanged,changed,unchanged')
    expect(await clients.find('svc-1')).toMatchObject({ roles: ['a'], hardPosition: 2 })
    expect(await logOf(it.store)).toEqual(['client svc_1 soft', 'client svc_1 hard'])
    expect(await clients.disable('unknown', BY)).toBe('unknown')
    expect(await clients.enable('unknown', BY)).toBe('unknown')
    expect(await clients.setRoles('unknown', [], BY)).toBe('unknown')
  })

  test('a client has at most two secrets, also when they are added at once', async () => {
    await using it = await open()
    const { clients } = it.store
    await clients.create(client(), secret('sec_1'), BY)
    const results = await Promise.all([
      it.elsewhere('clients.addSecret', 'svc_1', secret('sec_2'), BY),
      clients.addSecret('svc_1', secret('sec_3'), BY),
      it.beside.clients.addSecret('svc_1', secret('sec_4'), BY),
    ])
    expect(tally(results)).toEqual({ added: 1, full: 2 })
    expect((await clients.view('svc_1')).secrets).toHaveLength(2)
    expect(await clients.addSecret('unknown', secret('sec_5'), BY)).toBe('unknown')
    expect(await logOf(it.store)).toEqual([])
  })

  test('removeSecret makes tokens stale once, and noteUse refuses removed secrets and disabled clients', async () => {
    await using it = await open()
    const { clients } = it.store
    await clients.create(client(), secret('sec_1'), BY)
    await clients.addSecret('svc_1', secret('sec_2', BY.at + 1), BY)
    const use = (secretId: string): Promise<unknown> =>
      clients.noteUse({ clientId: 'svc_1', secretId, at: BY.at + 5 })
    expect(await use('sec_1')).toBe('noted')
    expect((await clients.view('svc_1')).secrets[0]?.lastUsedAt).toBe(BY.at + 5)
    expect(await clients.removeSecret('svc_1', 'sec_1', BY)).toBe('changed')
    expect(await clients.removeSecret('svc_1', 'sec_1', BY)).toBe('unknown')
    expect(await use('sec_1')).toBe('refused')
    await clients.disable('svc_1', BY)
    expect(await use('sec_2')).toBe('refused')
    expect(await logOf(it.store)).toEqual(['client svc_1 soft', 'client svc_1 hard'])
    expect(await eventsOf(it.store)).toEqual([
      'client_created',
      'client_secret_added',
      'client_secret_removed',
      'client_disabled',
    ])
  })
})
