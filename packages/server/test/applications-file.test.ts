import { createHash } from 'node:crypto'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { findClientSecret } from '../src/accounts/client-secrets.ts'
import { CALLBACK, openSecondStore } from './support/applications.ts'
import { openTestAuthority, type TestAuthority } from './support/authority.ts'

const SECRET = 'a-secret-of-forty-three-characters-0123456789'
const OTHER = 'another-secret-of-forty-three-chars-0123456789'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

let path: string
let it: TestAuthority | undefined
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'countersign-file-')), 'applications.json')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await it?.[Symbol.asyncDispose]()
  it = undefined
})

const shop = { id: 'shop', kind: 'confidential', redirectUris: [CALLBACK] }

function write(content: unknown): void {
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  chmodSync(path, 0o600)
}

/** Starts with the file, or again with its new content. */
async function start(content: unknown): Promise<TestAuthority> {
  write(content)
  if (it === undefined) it = await openTestAuthority({ applicationsFile: path })
  else await it.restart()
  return it
}

async function mistakesOf(content: unknown): Promise<string> {
  write(content)
  return openTestAuthority({ applicationsFile: path }).then(
    async (opened) => {
      await opened[Symbol.asyncDispose]()
      return 'none'
    },
    (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`,
  )
}

/** Which of the secrets the application accepts. */
async function accepted(running: TestAuthority, id = 'shop'): Promise<readonly string[]> {
  const store = await openSecondStore(running)
  const view = await store.sso.applications.view(id)
  await store.close()
  return [SECRET, OTHER].filter(
    (secret) => findClientSecret(view?.secrets ?? [], secret) !== undefined,
  )
}

async function auditOf({ authority }: TestAuthority): Promise<readonly string[]> {
  const { entries } = await authority.audit.list({ limit: 50 })
  return entries
    .filter(({ event }) => event.startsWith('application_'))
    .map(({ event }) => event)
    .toReversed()
}

test('the file creates applications with the ids that it chooses', async () => {
  const running = await start([
    { ...shop, title: 'Shop', secrets: [{ sha256: sha256(SECRET) }] },
    { id: 'Mobile.App', name: 'mobile', kind: 'public', redirectUris: ['com.example.app:/cb'] },
  ])
  expect(await running.authority.applications.list()).toMatchObject([
    { id: 'Mobile.App', name: 'mobile', title: 'mobile', registration: { authMethod: 'none' } },
    { id: 'shop', name: 'shop', title: 'Shop', secrets: [{}] },
  ])
  expect(await accepted(running)).toEqual([SECRET])
})

test('a second start with the same file writes nothing', async () => {
  const content = [{ ...shop, secrets: [{ sha256: sha256(SECRET) }] }]
  const running = await start(content)
  const before = await auditOf(running)
  await start(content)
  expect(await auditOf(running)).toEqual(before)
  expect(before).toEqual(['application_created', 'application_secret_added'])
})

test('a changed file changes the application, and one that is not named stays', async () => {
  const running = await start([shop, { ...shop, id: 'other' }])
  await running.authority.applications.disable('shop', 'test')
  await start([{ ...shop, title: 'The shop', firstParty: true }])
  expect(await running.authority.applications.list()).toMatchObject([
    { id: 'other', title: 'other' },
    {
      id: 'shop',
      title: 'The shop',
      registration: { firstParty: true },
      // An operator has disabled it.
      disabledAt: expect.any(Number) as number,
    },
  ])
})

test('secrets come from the environment or a file, and are replaced one after the other', async () => {
  vi.stubEnv('SHOP_SECRET', SECRET)
  const file = join(mkdtempSync(join(tmpdir(), 'countersign-secret-')), 'secret')
  writeFileSync(file, `${OTHER}\n`)
  const running = await start([{ ...shop, secrets: [{ env: 'SHOP_SECRET' }] }])
  expect(await accepted(running)).toEqual([SECRET])
  await start([{ ...shop, secrets: [{ env: 'SHOP_SECRET' }, { file }] }])
  expect(await accepted(running)).toEqual([SECRET, OTHER])
  await start([{ ...shop, secrets: [{ file }] }])
  expect(await accepted(running)).toEqual([OTHER])
  // Without the member, the secrets stay.
  await start([shop])
  expect(await accepted(running)).toEqual([OTHER])
  await start([{ ...shop, secrets: [] }])
  expect(await accepted(running)).toEqual([])
})

test('two new secrets take the place of two old ones', async () => {
  const old = ['x', 'y'].map((each) => ({ sha256: sha256(each) }))
  const running = await start([{ ...shop, secrets: old }])
  expect(await accepted(running)).toEqual([])
  await start([{ ...shop, secrets: [SECRET, OTHER].map((each) => ({ sha256: sha256(each) })) }])
  expect(await accepted(running)).toEqual([SECRET, OTHER])
})

describe('mistakes name the entry and the member', () => {
  test.each([
    ['not JSON', '[{"id": "shop",}]', 'the file: is not JSON'],
    ['no list', {}, 'the file: must contain a list of applications'],
    ['no object', ['x'], 'entry 1: must be an object'],
    ['no id', [{ kind: 'public' }], 'entry 1.id: must be text'],
    ['a wrong id', [{ ...shop, id: 'a/b' }], 'entry 1: The id of an application has'],
    [
      'an id that is no name',
      [shop, { ...shop, id: 'My_App' }],
      'entry 2 (My_App): The name of an application has',
    ],
    [
      'a wrong URI',
      [shop, { ...shop, id: 'b', redirectUris: [CALLBACK, 'http://b.example/'] }],
      'entry 2 (b).redirectUris[1]: must begin with https://',
    ],
    [
      'an unknown member',
      [{ ...shop, redirectUri: CALLBACK }],
      'entry 1 (shop).redirectUri: is not a member of an application. Did you mean redirectUris?',
    ],
    ['an unknown member of its own', [{ ...shop, secret: 'x' }], 'Did you mean secrets?'],
    ['one id twice', [shop, shop], 'the id "shop": two entries have it'],
    ['one name twice', [shop, { ...shop, id: 'B', name: 'shop' }], 'the name "shop": two entries'],
    [
      'three secrets',
      [{ ...shop, secrets: [{}, {}, {}] }],
      'entry 1 (shop).secrets: must have at most 2',
    ],
    [
      'a plain secret',
      [{ ...shop, secrets: [SECRET] }],
      'entry 1 (shop).secrets[0]: must be { "sha256"',
    ],
    ['a short hash', [{ ...shop, secrets: [{ sha256: 'ab' }] }], 'secrets[0]: sha256 must be 64'],
    [
      'another source',
      [{ ...shop, secrets: [{ value: SECRET }] }],
      'secrets[0]: must have the member',
    ],
    [
      'no variable',
      [{ ...shop, secrets: [{ env: 'NO_SUCH' }] }],
      'secrets[0]: the variable NO_SUCH is not set',
    ],
    [
      'no file',
      [{ ...shop, secrets: [{ file: '/no/such' }] }],
      'secrets[0]: the file /no/such cannot be read',
    ],
    [
      'a weak secret',
      [{ ...shop, secrets: [{ env: 'WEAK_SECRET' }] }],
      'at least 32 random characters',
    ],
  ])('%s', async (_, content, text) => {
    vi.stubEnv('WEAK_SECRET', 'hunter2')
    const message = await mistakesOf(content)
    expect(message).toContain('SetupError: COUNTERSIGN_APPLICATIONS_FILE: the file ')
    expect(message).toContain(text)
    expect(message).not.toContain(SECRET)
    expect(message).not.toContain('hunter2')
  })

  test('all at once', async () => {
    const message = await mistakesOf([
      { ...shop, dpop: 1 },
      { ...shop, id: 'b', kind: 'x' },
    ])
    expect(message.split('\n')).toHaveLength(3)
  })

  test('and a file that everybody can change is refused', async () => {
    write([shop])
    chmodSync(path, 0o666)
    await expect(openTestAuthority({ applicationsFile: path })).rejects.toThrow('chmod o-w')
    await expect(openTestAuthority({ applicationsFile: '/no/such' })).rejects.toThrow(
      'COUNTERSIGN_APPLICATIONS_FILE: the file /no/such cannot be read',
    )
  })

  test('and a name that another application has', async () => {
    const running = await start([])
    await running.authority.applications.create(
      { name: 'shop', kind: 'public', redirectUris: [CALLBACK] },
      'test',
    )
    await expect(start([shop])).rejects.toThrow('another application in the database has it')
    await start([])
    await start([{ ...shop, id: 'app-1', name: 'first' }])
    await expect(start([{ ...shop, id: 'app-1', name: 'second' }])).rejects.toThrow(
      'names do not change',
    )
    await start([])
  })
})
