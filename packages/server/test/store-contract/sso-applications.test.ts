import { describe, expect, test } from 'vitest'

import { NOW } from '../support/session-rows.ts'
import { engines } from './engines.ts'
import { BY, eventsOf, logOf, secret, signedIn, tally } from './samples.ts'
import { application, chain, consent, hashOf, login, record } from './sso-samples.ts'

describe.each(engines)('applications on %s', (_, open) => {
  test('create writes application and secret; view, find and list read them', async () => {
    await using it = await open()
    const { applications } = it.store.sso
    expect(await applications.create(application(), secret('sec_1'), BY)).toBe('created')
    const publicOne = application('app_2', { name: 'aaa' })
    expect(await applications.create(publicOne, undefined, BY)).toBe('created')
    const sameName = application('app_3', { name: 'app-1' })
    expect(await applications.create(sameName, secret('sec_3'), BY)).toBe('taken')
    const sameId = application('app_1', { name: 'other' })
    expect(await applications.create(sameId, secret('sec_3'), BY)).toBe('taken')
    expect(await applications.find('app-1')).toEqual(application())
    expect(await applications.find('other')).toBeUndefined()
    const view = await applications.view('app_1')
    expect(view).toMatchObject({ application: application(), position: 0 })
    expect(view?.secrets.map(({ id, hash }) => [id, hash.length])).toEqual([['sec_1', 32]])
    expect(await applications.view('app_2')).toMatchObject({ secrets: [] })
    expect(await applications.view('unknown')).toBeUndefined()
    const listed = await applications.list()
    expect(listed).toEqual([
      { application: publicOne, secrets: [] },
      {
        application: application(),
        secrets: [{ id: 'sec_1', createdAt: NOW, lastUsedAt: undefined }],
      },
    ])
    expect(await eventsOf(it.store)).toEqual(['application_created', 'application_created'])
    expect(await logOf(it.store)).toEqual([])
  })

  test('of several creates at once with one name, one succeeds with its secret', async () => {
    await using it = await open()
    const of = (
      n: number,
    ): readonly [ReturnType<typeof application>, ReturnType<typeof secret>] => [
      application(`app_${n}`, { name: 'portal' }),
      secret(`sec_${n}`),
    ]
    const results = await Promise.all([
      it.elsewhere('sso.applications.create', ...of(1), BY),
      it.store.sso.applications.create(...of(2), BY),
      it.beside.sso.applications.create(...of(3), BY),
    ])
    expect(tally(results)).toEqual({ created: 1, taken: 2 })
    expect((await it.store.sso.applications.list())[0]?.secrets).toHaveLength(1)
  })

  test('change replaces title and registration once', async () => {
    await using it = await open()
    const { applications } = it.store.sso
    await applications.create(application(), undefined, BY)
    const to = { title: 'Portal', registration: '{"redirect_uris":["https://x.example/"]}' }
    expect(await applications.change('app_1', to, BY)).toBe('changed')
    expect(await applications.change('app_1', to, BY)).toBe('unchanged')
    expect(await applications.change('unknown', to, BY)).toBe('unknown')
    expect(await applications.find('app-1')).toEqual(application('app_1', to))
    expect(await eventsOf(it.store)).toEqual(['application_created', 'application_changed'])
    expect(await logOf(it.store)).toEqual([])
  })

  test('disable revokes grants and access tokens, and enabling brings none of them back', async () => {
    await using it = await open()
    const { applications, records, refreshes, grants } = it.store.sso
    await signedIn(it.store)
    for (const id of ['app_1', 'app_2']) {
      await applications.create(application(id), secret('sec_1'), BY)
      await records.put(record(`grant of ${id}`, { kind: 'Grant', applicationId: id }))
      await refreshes.create(chain(`chain of ${id}`, { applicationId: id }))
      await grants.setConsent(consent('acct_1', id), BY)
    }
    const results = [
      await applications.disable('app_1', { ...BY, at: NOW + 5 }),
      await applications.disable('app_1', BY),
      await applications.disable('unknown', BY),
    ]
    expect(results.join()).toBe('changed,unchanged,unknown')
    expect(await applications.find('app-1')).toMatchObject({ disabledAt: NOW + 5 })
    expect(await logOf(it.store)).toEqual(['client app_1 hard'])
    const left = async (id: string): Promise<readonly unknown[]> => [
      (await records.find('Grant', hashOf(`grant of ${id}`))) !== undefined,
      (await refreshes.read(`chain of ${id}`)) !== undefined,
      (await grants.consent('acct_1', id)) !== undefined,
    ]
    expect(await left('app_1')).toEqual([false, false, true])
    expect(await left('app_2')).toEqual([true, true, true])
    expect(await applications.enable('app_1', BY)).toBe('changed')
    expect(await applications.enable('app_1', BY)).toBe('unchanged')
    expect(await applications.enable('unknown', BY)).toBe('unknown')
    expect(await left('app_1')).toEqual([false, false, true])
    expect(await applications.view('app_1')).toMatchObject({
      application: { disabledAt: undefined },
      position: 1,
    })
    expect((await eventsOf(it.store)).slice(-2)).toEqual([
      'application_disabled',
      'application_enabled',
    ])
  })

  test('delete removes everything of the application, and nothing of another', async () => {
    await using it = await open()
    const { applications, records, refreshes, grants, logouts } = it.store.sso
    await signedIn(it.store)
    for (const id of ['app_1', 'app_2']) {
      await applications.create(application(id), secret('sec_1'), BY)
      await records.put(record(`grant of ${id}`, { kind: 'Grant', applicationId: id }))
      await refreshes.create(chain(`chain of ${id}`, { applicationId: id }))
      await grants.setConsent(consent('acct_1', id), BY)
      await logouts.noteLogin(login('session-1', { applicationId: id }))
      // Its session is unknown, so the logout waits already.
      await logouts.noteLogin(login('gone', { applicationId: id }))
    }
    const results = await Promise.all([
      it.elsewhere('sso.applications.delete', 'app_1', BY),
      applications.delete('app_1', BY),
      it.beside.sso.applications.delete('app_1', BY),
    ])
    expect(tally(results)).toEqual({ changed: 1, unknown: 2 })
    expect(await logOf(it.store)).toEqual(['client app_1 hard'])
    expect((await applications.list()).map((each) => each.application.id)).toEqual(['app_2'])
    expect(await records.find('Grant', hashOf('grant of app_1'))).toBeUndefined()
    expect(await records.find('Grant', hashOf('grant of app_2'))).toBeDefined()
    expect(await refreshes.read('chain of app_1')).toBeUndefined()
    expect(await refreshes.read('chain of app_2')).toBeDefined()
    const consents = await grants.consentsOf('acct_1')
    expect(consents.map(({ applicationId }) => applicationId)).toEqual(['app_2'])
    const logins = await logouts.loginsOf('session-1')
    expect(logins.map(({ applicationId }) => applicationId)).toEqual(['app_2'])
    const waiting = await logouts.take(9, 1_000)
    expect(waiting.map(({ applicationId }) => applicationId)).toEqual(['app_2'])
    expect((await eventsOf(it.store)).at(-1)).toBe('application_deleted')
    // The name is free again, and the new application has no secret of the old one.
    expect(await applications.create(application('app_9', { name: 'app-1' }), undefined, BY)).toBe(
      'created',
    )
    expect(await applications.view('app_9')).toMatchObject({ secrets: [] })
  })

  test('an application has at most two secrets, also when they are added at once', async () => {
    await using it = await open()
    const { applications } = it.store.sso
    await applications.create(application(), secret('sec_1'), BY)
    const results = await Promise.all([
      it.elsewhere('sso.applications.addSecret', 'app_1', secret('sec_2'), BY),
      applications.addSecret('app_1', secret('sec_3'), BY),
      it.beside.sso.applications.addSecret('app_1', secret('sec_4'), BY),
    ])
    expect(tally(results)).toEqual({ added: 1, full: 2 })
    expect((await applications.view('app_1'))?.secrets).toHaveLength(2)
    expect(await applications.addSecret('unknown', secret('sec_5'), BY)).toBe('unknown')
    expect(await logOf(it.store)).toEqual([])
  })

  test('removeSecret makes access tokens stale once, and uses of secrets are noted to the minute', async () => {
    await using it = await open()
    const { applications } = it.store.sso
    await applications.create(application(), secret('sec_1'), BY)
    await applications.addSecret('app_1', secret('sec_2', NOW + 1), BY)
    const usedAt = async (): Promise<readonly unknown[]> =>
      ((await applications.view('app_1'))?.secrets ?? []).map(({ lastUsedAt }) => lastUsedAt)
    await applications.noteSecretUse('app_1', 'sec_2', NOW + 5)
    await applications.noteSecretUse('app_1', 'sec_2', NOW + 60_004)
    await applications.noteSecretUse('app_2', 'sec_2', NOW + 90_000)
    expect(await usedAt()).toEqual([undefined, NOW + 5])
    await applications.noteSecretUse('app_1', 'sec_2', NOW + 60_005)
    expect(await usedAt()).toEqual([undefined, NOW + 60_005])
    expect(await applications.removeSecret('app_1', 'sec_1', BY)).toBe('changed')
    expect(await applications.removeSecret('app_1', 'sec_1', BY)).toBe('unknown')
    expect(await applications.removeSecret('unknown', 'sec_2', BY)).toBe('unknown')
    expect(await logOf(it.store)).toEqual(['client app_1 soft'])
    expect((await eventsOf(it.store)).slice(1)).toEqual([
      'application_secret_added',
      'application_secret_removed',
    ])
  })
})
