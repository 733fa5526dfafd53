import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { runCommand, type CommandResult } from './support/command-line.ts'
import { startServerProcess, type ServerProcess } from './support/server-process.ts'

const CALLBACK = 'https://shop.example.com/callback'

let server: ServerProcess
beforeAll(async () => {
  server = await startServerProcess({ env: { COUNTERSIGN_SSO: 'true' } })
})
afterAll(() => server[Symbol.asyncDispose]())

function run(...words: readonly string[]): Promise<CommandResult> {
  return runCommand(['applications', ...words], { dataDir: server.dataDir })
}

async function output(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...words)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

async function failure(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...words)
  expect(stdout).toBe('')
  return `${code} ${stderr}`
}

async function shown(name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await output('show', name)) as Record<string, unknown>
}

test('commands register an application, change it, and replace its secret', async () => {
  const created = await output('create', 'shop', '--title', 'Shop', '--redirect-uri', CALLBACK)
  const [, id = '', secret = '', secretId = ''] =
    /^Application shop created\.\nClient id: {5}(app_[\w-]{22})\nClient secret: ([\w-]{43})\nStore it now: the server keeps only its hash\. Lists show it as (sec_[\w-]{22})\.\n$/.exec(
      created,
    ) ?? []
  expect(await shown('shop')).toMatchObject({
    id,
    name: 'shop',
    title: 'Shop',
    kind: 'confidential',
    authMethod: 'client_secret_basic',
    redirectUris: [CALLBACK],
    state: 'active',
    secrets: [{ id: secretId, last_used: null }],
  })
  expect(await output('show', 'shop')).not.toContain(secret)

  const others = ['https://shop.example.com/one', 'https://shop.example.com/two']
  const changes = others.flatMap((uri) => ['--redirect-uri', uri])
  const change = ['change', 'shop', ...changes, '--first-party', 'yes', '--grant', 'device_code']
  expect(await output(...change, '--grant', 'authorization_code')).toBe(
    'Application shop: changed.\n',
  )
  expect(await output('change', 'shop', '--first-party', 'yes')).toBe(
    'Application shop: was already like this.\n',
  )
  expect(await shown('shop')).toMatchObject({
    redirectUris: others,
    firstParty: true,
    grants: ['urn:ietf:params:oauth:grant-type:device_code', 'authorization_code'],
  })

  expect(await output('secrets', 'add', 'shop')).toMatch(/^Client secret: [\w-]{43}\nStore it now/)
  expect(await failure('secrets', 'add', 'shop')).toBe(
    '1 The application "shop" has two secrets. Remove one first.\n',
  )
  expect(await output('secrets', 'remove', 'shop', secretId)).toBe(
    'Application shop: secret removed.\n',
  )

  expect(await output('disable', 'shop')).toBe(
    'Application shop: disabled, nobody can log in there.\n',
  )
  expect(JSON.parse(await output('list', '--json'))).toMatchObject({
    name: 'shop',
    id,
    state: 'disabled',
    first_party: 'yes',
    secrets: 1,
  })
  expect(await output('enable', 'shop')).toContain('enabled')
  expect(await failure('delete', 'shop')).toContain('Add --yes')
  expect(await output('delete', 'shop', '--yes')).toBe(
    `Application shop: deleted, and its tokens are revoked. The audit lists it as ${id}.\n`,
  )
  expect(await output('list')).toBe('There are no applications.\n')
})

test('keys come from a file, and an empty value removes what a flag sets', async () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const file = join(mkdtempSync(join(tmpdir(), 'countersign-keys-')), 'keys.json')
  writeFileSync(file, JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }))
  const words = ['create', 'keyed', '--id', 'my-app', '--redirect-uri', CALLBACK, '--jwks', file]
  const created = await output(...words, '--start-url', 'https://shop.example.com/')
  expect(created).toBe('Application keyed created.\nClient id:     my-app\n')
  expect(await shown('keyed')).toMatchObject({
    id: 'my-app',
    authMethod: 'private_key_jwt',
    startUrl: 'https://shop.example.com/',
    secrets: [],
  })
  await output('change', 'keyed', '--start-url', '', '--jwks', '')
  const after = await shown('keyed')
  expect(after).toMatchObject({ authMethod: 'client_secret_basic' })
  expect(Object.keys(after)).not.toContain('startUrl')
})

test('mistakes name the flag', async () => {
  const uris = ['--redirect-uri', CALLBACK, '--redirect-uri', 'http://b.example/']
  const words = ['create', 'bad', ...uris, '--backchannel-logout-uri', 'ftp://b.example/']
  expect(await failure(...words, '--kind', 'web')).toBe(
    '1 The application is not valid:\n  --kind: must be public or confidential.\n',
  )
  expect(await failure(...words)).toBe(
    [
      '1 The application is not valid:',
      '  --redirect-uri (number 2): must begin with https://. Plain http is accepted only for 127.0.0.1 and [::1].',
      '  --backchannel-logout-uri: must begin with https://. Outside production, plain http to this machine is accepted too.',
      '',
    ].join('\n'),
  )
  expect(await failure('create', 'bad', '--dpop', 'maybe')).toContain('--dpop takes yes or no.')
  expect(await failure('create', 'bad', '--grant', 'password')).toContain('--grant takes ')
  expect(await failure('create', 'bad', '--jwks', '/no/such')).toContain('--jwks: the file cannot')
  expect(await failure('create', 'bad', '--redirct-uri', CALLBACK)).toContain(
    'Did you mean --redirect-uri?',
  )
  expect(await failure('show', 'nobody')).toBe('1 There is no application "nobody".\n')
})
