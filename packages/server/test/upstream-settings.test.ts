import { writeFileSync } from 'node:fs'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { createAuthority } from '../src/authority.ts'
import { SetupError } from '../src/base/faults.ts'
import type { SettingsInput } from '../src/settings-table.ts'
import { parseSettings } from '../src/settings.ts'
import { writeProviders } from './support/upstream-people.ts'

let file: ReturnType<typeof writeProviders>
beforeEach(() => {
  file = writeProviders([])
})
afterEach(() => file[Symbol.dispose]())

function read(input: SettingsInput) {
  return parseSettings(input, { production: false }).upstreams
}

function readFile(entries: unknown, more: SettingsInput = {}) {
  writeFileSync(file.path, typeof entries === 'string' ? entries : JSON.stringify(entries))
  return read({ upstreamsFile: file.path, ...more })
}

test('without settings there are no providers', () => {
  expect(read({})).toEqual({ providers: [], signUp: false, redirects: [] })
})

test('two settings are a provider', () => {
  const { providers } = read({
    upstreamGithubId: 'github-id',
    upstreamGithubSecret: 'github-secret',
    upstreamGoogleId: 'google-id',
    upstreamGoogleSecret: 'google-secret',
    upstreamMicrosoftId: 'microsoft-id',
    upstreamMicrosoftSecret: 'microsoft-secret',
    upstreamMicrosoftTenant: 'contoso.onmicrosoft.com',
  })
  expect(providers.map(({ name, title, protocol }) => [name, title, protocol.issuer])).toEqual([
    ['google', 'Google', 'https://accounts.google.com'],
    ['microsoft', 'Microsoft', 'https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0'],
    ['github', 'GitHub', 'github'],
  ])
})

test('three settings are any OpenID Connect issuer', () => {
  const { providers } = read({
    upstreamIssuer: 'https://id.example.com',
    upstreamId: 'an-id',
    upstreamSecret: 'a-secret',
  })
  expect(providers).toMatchObject([{ name: 'openid', title: 'id.example.com', clientId: 'an-id' }])
})

test.each([
  [{}, false],
  [{ signUp: true }, true],
  [{ signUpVerified: true }, true],
  [{ signUp: true, upstreamSignUp: false }, false],
  [{ upstreamSignUp: true }, true],
] as const)('with %j, new identities may sign up: %s', (input, expected) => {
  expect(read(input).signUp).toBe(expected)
})

test.each([
  [{ upstreamGithubId: 'an-id' }, /UPSTREAM_GITHUB_SECRET: must be set with .*GITHUB_ID/],
  [{ upstreamGithubSecret: 'a-secret' }, /UPSTREAM_GITHUB_ID: must be set/],
  [{ upstreamIssuer: 'https://id.example.com' }, /UPSTREAM_ID: must be set/],
  [{ upstreamId: 'an-id' }, /UPSTREAM_ISSUER: must be set/],
  [{ upstreamIssuer: 'http://id.example.com', upstreamId: 'an-id' }, /must begin with https/],
  [{ upstreamIssuer: 'id.example.com', upstreamId: 'an-id' }, /must be an http or https URL/],
  [{ upstreamAppleId: 'an-id' }, /UPSTREAM_APPLE_TEAM_ID: must be set/],
  [
    {
      upstreamMicrosoftId: 'an-id',
      upstreamMicrosoftSecret: 'a-secret',
      upstreamMicrosoftTenant: '../evil',
    },
    /MICROSOFT_TENANT: must be the id of a tenant/,
  ],
  [{ upstreamsFile: '/nowhere/upstreams.json' }, /UPSTREAMS_FILE: the file cannot be read/],
  [{ upstreamRedirects: 'javascript:alert(1)' }, /UPSTREAM_REDIRECTS: must be URLs/],
  [{ upstreamRedirects: 'http://app.example.com/' }, /UPSTREAM_REDIRECTS: must be URLs/],
  [{ upstreamRedirects: 'myapp:/log-in' }, /UPSTREAM_REDIRECTS: must be URLs/],
] as const)('%j is a mistake', (input, message) => {
  expect(() => read(input)).toThrow(SetupError)
  expect(() => read(input)).toThrow(message)
})

test('a message shows no secret', () => {
  const input = { upstreamGithubSecret: 'x'.repeat(5_000) }
  expect(() => read(input)).toThrow(/UPSTREAM_GITHUB_SECRET/)
  expect(() => read(input)).not.toThrow(/xxx/)
})

describe('the file', () => {
  const work = { name: 'work', issuer: 'https://id.example.com', clientId: 'an-id' }

  test('has any number of providers', () => {
    const { providers } = readFile([
      {
        ...work,
        title: 'Work',
        clientSecret: 'a-secret',
        roles: { claim: 'g', map: { a: ['b'] } },
      },
      { preset: 'github', name: 'ghe', clientId: 'an-id' },
    ])
    expect(providers).toMatchObject([
      { name: 'work', title: 'Work', secret: { kind: 'text' }, trustsEmail: true },
      { name: 'ghe', title: 'GitHub', secret: { kind: 'none' }, protocol: { kind: 'github' } },
    ])
  })

  test('may have secrets in files', () => {
    using secret = writeProviders([])
    writeFileSync(secret.path, 'the secret\n')
    const { providers } = readFile([{ ...work, clientSecretFile: secret.path }])
    expect(providers[0]?.secret).toEqual({ kind: 'text', value: 'the secret' })
  })

  test.each([
    ['{', /is not JSON/],
    [{}, /the file is not valid/],
    [[{ ...work, secret: 'a' }], /entry 1 is not valid: secret/],
    [[work, { ...work, clientId: 7 }], /entry 2 is not valid: clientId/],
    [[work, work], /two providers with the name work/],
    [[{ ...work, name: 'exchange' }], /entry 1: name must be/],
    [[{ ...work, name: 'a/b' }], /entry 1: name must be/],
    [[{ ...work, issuer: undefined }], /entry 1: issuer is missing/],
    [[{ ...work, issuer: 'http://id.example.com' }], /entry 1: must begin with https/],
    [[{ preset: 'github', clientId: 'a', issuer: 'https://github.example.com' }], /set endpoints/],
    [[{ ...work, clientSecret: 'a', clientSecretFile: '/b' }], /set one of clientSecret/],
    [[{ ...work, clientSecretFile: '/nowhere' }], /clientSecretFile: the file cannot be read/],
  ] as const)('%j is a mistake', (entries, message) => {
    expect(() => readFile(entries)).toThrow(message)
  })
})

test('an authority with the accounts of an application takes no providers', async () => {
  const accounts = { find: () => undefined, get: () => undefined, verifyPassword: () => false }
  await expect(
    createAuthority({
      dataDir: file.path.replace(/[^/]+$/, 'data'),
      logLevel: 'silent',
      accounts,
      upstreamIssuer: 'https://id.example.com',
      upstreamId: 'an-id',
    }),
  ).rejects.toThrow(/needs the accounts of Countersign/)
})
