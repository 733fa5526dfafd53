import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { openTestAuthority, type TestAuthority } from './support/authority.ts'

const PUBLIC_URL = 'https://auth.shop.test'

let it: TestAuthority
beforeAll(async () => {
  it = await openTestAuthority({
    publicUrl: PUBLIC_URL,
    signUp: true,
    secret: 'a secret for tests of 32 characters',
  })
})
afterAll(() => it[Symbol.asyncDispose]())

async function headersOf(method: string, path: string): Promise<Record<string, string>> {
  const response = await it.authority.fetch(new Request(`${PUBLIC_URL}${path}`, { method }))
  return Object.fromEntries(response.headers)
}

describe.each([
  ['GET', '/'],
  ['GET', '/healthz'],
  ['GET', '/readyz'],
  ['GET', '/nothing/here'],
  ['GET', '/an%20escape'],
  ['PUT', '/auth/login'],
  ['POST', '/auth/login'],
  ['POST', '/auth/refresh'],
  ['POST', '/auth/logout'],
  ['POST', '/auth/signup'],
  ['POST', '/auth/password'],
  ['GET', '/auth/csrf'],
  ['GET', '/auth/me'],
  ['GET', '/auth/sessions'],
  ['POST', '/oauth2/token'],
  ['GET', '/revocations'],
  ['GET', '/revocations/feed'],
])('the answer to %s %s', (method, path) => {
  test('tells browsers what they must not do with it', async () => {
    expect(await headersOf(method, path)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      // Other hosts below this one may belong to somebody else.
      'strict-transport-security': 'max-age=31536000',
    })
  })
})

test('the public keys may be loaded by pages of any origin', async () => {
  expect(await headersOf('GET', '/.well-known/jwks.json')).toMatchObject({
    'cross-origin-resource-policy': 'cross-origin',
    'x-content-type-options': 'nosniff',
  })
})

test.each(['/api/token/', '/api/token/refresh/', '/api/token/verify/', '/api/token/blacklist/'])(
  'JSON of %s is never taken for anything else',
  async (path) => {
    expect(await headersOf('POST', path)).toMatchObject({ 'x-content-type-options': 'nosniff' })
    expect(await headersOf('GET', path)).toMatchObject({ 'x-content-type-options': 'nosniff' })
  },
)

test('over plain http, browsers are not told to use https', async () => {
  await using plain = await openTestAuthority()
  const response = await plain.authority.fetch(new Request('http://localhost:8000/healthz'))
  expect(response.headers.get('strict-transport-security')).toBeNull()
})

test('browsers use https for subdomains only with hstsSubdomains', async () => {
  await using wide = await openTestAuthority({
    publicUrl: PUBLIC_URL,
    hstsSubdomains: true,
    secret: 'a secret for tests of 32 characters',
  })
  const response = await wide.authority.fetch(new Request(`${PUBLIC_URL}/healthz`))
  expect(response.headers.get('strict-transport-security')).toBe(
    'max-age=31536000; includeSubDomains',
  )
})
