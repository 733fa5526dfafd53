import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { ManagedCode } from '../src/accounts/managed.ts'
import type { NewApplication } from '../src/sso/applications.ts'
import { CALLBACK, openSecondStore, registerApplication } from './support/applications.ts'
import { openTestAuthority, type TestAuthority } from './support/authority.ts'

let it: TestAuthority
beforeEach(async () => {
  it = await openTestAuthority()
})
afterEach(() => it[Symbol.asyncDispose]())

const base: NewApplication = { name: 'shop', kind: 'confidential', redirectUris: [CALLBACK] }

async function codeOf(work: Promise<{ ok: boolean; code?: ManagedCode }>): Promise<unknown> {
  const managed = await work
  return managed.ok ? 'ok' : managed.code
}

test('an application is created with a secret, and shown without it', async () => {
  const { application, secret } = await registerApplication(it)
  expect(secret).toMatch(/^[\w-]{43}$/)
  expect(application).toEqual({
    id: expect.stringMatching(/^app_[\w-]{22}$/),
    name: 'shop',
    title: 'Shop',
    registration: {
      kind: 'confidential',
      authMethod: 'client_secret_basic',
      redirectUris: [CALLBACK],
      postLogoutRedirectUris: [],
      firstParty: false,
      grants: ['authorization_code', 'refresh_token'],
      resources: [],
      dpop: false,
    },
    disabledAt: undefined,
    createdAt: it.clock.nowMs(),
    secrets: [
      {
        id: expect.stringMatching(/^sec_[\w-]{22}$/),
        createdAt: it.clock.nowMs(),
        lastUsedAt: undefined,
      },
    ],
  })
  const { applications } = it.authority
  expect(await applications.show('shop')).toEqual({ ok: true, value: application })
  expect(await applications.list()).toEqual([application])
})

test('only an application that authenticates with a secret gets one', async () => {
  const { applications } = it.authority
  for (const [name, more] of Object.entries({
    page: { kind: 'public' },
    keyed: { jwksUri: 'https://shop.example.com/keys' },
  } as const)) {
    const { secret } = await registerApplication(it, { name, ...more })
    expect(secret).toBeUndefined()
    expect(await codeOf(applications.addSecret(name, 'test'))).toBe('application_without_secret')
  }
})

describe('names', () => {
  test.each(['', 'A', 'a_b', '-a', 'a-', 'a'.repeat(65), 'shop\n'])(
    '%j is no name',
    async (name) => {
      const created = it.authority.applications.create({ ...base, name }, 'test')
      expect(await codeOf(created)).toBe('application_name_invalid')
    },
  )

  test.each(['', 'first-party', 'svc_x', 'acct_x', 'a/b', 'a:b', '-a', 'a'.repeat(65), 'ä', 'a\n'])(
    '%j is no id',
    async (id) => {
      const created = it.authority.applications.create({ ...base, id }, 'test')
      expect(await codeOf(created)).toBe('application_name_invalid')
    },
  )

  test.each(['', '   ', 'a\nb', 'Shop \u202e', 'a'.repeat(61), 'a\u2028b'])(
    '%j is no title',
    async (title) => {
      const created = it.authority.applications.create({ ...base, title }, 'test')
      expect(await codeOf(created)).toBe('application_name_invalid')
      await registerApplication(it)
      expect(await codeOf(it.authority.applications.change('shop', { title }, 'test'))).toBe(
        'application_name_invalid',
      )
    },
  )

  test('a name and an id belong to one application', async () => {
    const { applications } = it.authority
    const { application } = await registerApplication(it, { id: 'my.shop-1' })
    expect(application.id).toBe('my.shop-1')
    const again = (more: object): Promise<unknown> =>
      codeOf(applications.create({ ...base, ...more }, 'test'))
    expect(await again({})).toBe('application_taken')
    expect(await again({ name: 'other', id: 'my.shop-1' })).toBe('application_taken')
    expect(await again({ name: 'other' })).toBe('ok')
  })

  test('an unknown name is refused by every method', async () => {
    const { applications } = it.authority
    for (const work of [
      applications.show('x'),
      applications.change('x', {}, 'test'),
      applications.disable('x', 'test'),
      applications.enable('x', 'test'),
      applications.delete('x', 'test'),
      applications.addSecret('x', 'test'),
      applications.removeSecret('x', 'sec_x', 'test'),
    ]) {
      expect(await codeOf(work)).toBe('application_unknown')
    }
  })
})

test('every mistake in a registration is named', async () => {
  const created = await it.authority.applications.create(
    { ...base, redirectUris: ['http://a.example/'], backchannelLogoutUri: 'x' },
    'test',
  )
  expect(created).toEqual({
    ok: false,
    code: 'application_invalid',
    text: [
      'The application is not valid:',
      '  redirectUris[0]: must begin with https://. Plain http is accepted only for 127.0.0.1 and [::1].',
      '  backchannelLogoutUri: must be an absolute URI such as https://app.example.com/callback.',
    ].join('\n'),
  })
  expect(await it.authority.applications.list()).toEqual([])
})

test('a misspelled member throws', async () => {
  const input = { ...base, redirectUri: CALLBACK }
  await expect(it.authority.applications.create(input, 'test')).rejects.toThrow(
    'applications.create has no option "redirectUri". Did you mean redirectUris?',
  )
})

test('a change replaces what it names, and nothing else', async () => {
  const { applications } = it.authority
  const { application } = await registerApplication(it, { startUrl: 'https://shop.example.com/' })
  const other = 'https://shop.example.com/other'
  const change = (changes: object): Promise<unknown> =>
    applications.change('shop', changes, 'test').then((done) => (done.ok ? done.value : done.code))
  expect(await change({ redirectUris: [other], title: ' The shop ' })).toBe('changed')
  expect(await change({ redirectUris: [other] })).toBe('unchanged')
  expect(await change({})).toBe('unchanged')
  expect(await change({ redirectUris: [] })).toBe('application_invalid')
  const shown = await applications.show('shop')
  expect(shown).toMatchObject({
    value: {
      title: 'The shop',
      registration: { ...application.registration, redirectUris: [other] },
      secrets: application.secrets,
    },
  })
  expect(await change({ startUrl: undefined })).toBe('changed')
  const after = await applications.show('shop')
  expect(after.ok && Object.keys(after.value.registration)).not.toContain('startUrl')
})

describe('secrets', () => {
  test('can be replaced without an outage, and are at most two', async () => {
    const { applications } = it.authority
    const { application, secret } = await registerApplication(it)
    const added = await applications.addSecret('shop', 'test')
    if (!added.ok) throw new Error(added.text)
    expect(added.value.secret).not.toBe(secret)
    expect(await codeOf(applications.addSecret('shop', 'test'))).toBe('application_secrets_full')
    const [first] = application.secrets
    expect(await applications.removeSecret('shop', first?.id ?? '', 'test')).toEqual({
      ok: true,
      value: 'changed',
    })
    expect(await codeOf(applications.removeSecret('shop', first?.id ?? '', 'test'))).toBe(
      'application_secret_unknown',
    )
    const shown = await applications.show('shop')
    expect(shown.ok && shown.value.secrets.map(({ id }) => id)).toEqual([added.value.id])
  })

  test('are stored as hashes', async () => {
    const { application, secret = '' } = await registerApplication(it)
    const store = await openSecondStore(it)
    const view = await store.sso.applications.view(application.id)
    await store.close()
    expect(view?.secrets[0]?.hash).toHaveLength(32)
    expect(JSON.stringify(view)).not.toContain(secret)
  })
})

test('an application is disabled, enabled and deleted, and the audit says so', async () => {
  const { applications, audit } = it.authority
  const { application } = await registerApplication(it)
  const done = async (work: ReturnType<typeof applications.disable>): Promise<unknown> => {
    const managed = await work
    return managed.ok ? managed.value : managed.code
  }
  expect(await done(applications.enable('shop', 'test'))).toBe('unchanged')
  expect(await done(applications.disable('shop', 'test'))).toBe('changed')
  expect(await done(applications.disable('shop', 'test'))).toBe('unchanged')
  expect(await applications.show('shop')).toMatchObject({
    value: { disabledAt: it.clock.nowMs() },
  })
  expect(await done(applications.enable('shop', 'test'))).toBe('changed')
  expect(await applications.show('shop')).toMatchObject({ value: { disabledAt: undefined } })
  expect(await done(applications.delete('shop', 'cli:root'))).toBe('changed')
  expect(await done(applications.delete('shop', 'test'))).toBe('application_unknown')
  expect(await applications.list()).toEqual([])
  const { entries } = await audit.list({ limit: 10 })
  const own = entries.filter(({ event }) => event.startsWith('application_'))
  expect(own.map(({ event, actor }) => `${event} ${actor}`)).toEqual([
    'application_deleted cli:root',
    'application_enabled test',
    'application_disabled test',
    'application_created test',
  ])
  expect(new Set(own.map(({ accountId }) => accountId))).toEqual(new Set([application.id]))
})
