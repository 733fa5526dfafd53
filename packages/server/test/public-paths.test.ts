import { calculateJwkThumbprint, type JWK } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { ISSUER, openTestAuthority, type TestAuthority } from './support/authority.ts'
import { ask, type Answer } from './support/contract.ts'
import { headerOf } from './support/forge.ts'

let it: TestAuthority
beforeAll(async () => {
  it = await openTestAuthority()
})
afterAll(() => it[Symbol.asyncDispose]())

function get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return ask(it, path, { method: 'GET', type: null, headers })
}

describe('GET /.well-known/jwks.json', () => {
  test('publishes the public key, named by its RFC 7638 thumbprint', async () => {
    const answer = await get('/.well-known/jwks.json')
    expect(answer.status).toBe(200)
    const { keys }: { keys: JWK[] } = JSON.parse(answer.text)
    const published = {
      kty: 'EC',
      crv: 'P-256',
      x: expect.stringMatching(/^[\w-]{43}$/),
      y: expect.stringMatching(/^[\w-]{43}$/),
      kid: expect.any(String),
      alg: 'ES256',
      use: 'sig',
    }
    // The signing key and the next key.
    expect(keys).toEqual([published, published])
    for (const key of keys) expect(key.kid).toBe(await calculateJwkThumbprint(key))
    expect(keys.map(({ kid }) => kid)).toContain(headerOf((await it.login()).access)['kid'])
  })

  test('may be cached for 5 minutes, and read by scripts of any origin', async () => {
    const { headers } = await get('/.well-known/jwks.json', { origin: 'https://app.test' })
    expect(Object.fromEntries(headers)).toEqual({
      'content-type': 'application/jwk-set+json',
      'cache-control': 'public, max-age=300',
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
      'referrer-policy': 'no-referrer',
      etag: expect.stringMatching(/^"[\w-]{22}"$/),
      'x-content-type-options': 'nosniff',
    })
  })

  test.each([
    ['the same tag', (etag: string) => etag, 304],
    ['a weak one, among others', (etag: string) => `"other", W/${etag}`, 304],
    ['any', () => '*', 304],
    ['another', () => '"other"', 200],
  ])('answers a client that already has it: %s', async (_, tagOf, status) => {
    const etag = String((await get('/.well-known/jwks.json')).headers.get('etag'))
    const answer = await get('/.well-known/jwks.json', { 'if-none-match': tagOf(etag) })
    expect(answer.status).toBe(status)
    expect(answer.text === '').toBe(status === 304)
  })

  test('stays the same across a restart', async () => {
    const before = (await get('/.well-known/jwks.json')).text
    await it.restart()
    expect((await get('/.well-known/jwks.json')).text).toBe(before)
  })
})

test.each(['/healthz', '/readyz'])('GET %s answers ok, and is never cached', async (path) => {
  const answer = await get(path)
  expect(answer).toMatchObject({ status: 200, text: '{"status":"ok"}' })
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('content-type')).toBe('application/json')
})

describe('GET /', () => {
  test('D08 is a page without scripts, under a policy that allows none and no frame', async () => {
    const { status, headers, text } = await get('/')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    )
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(text).toMatch(/^<!doctype html>\n<html lang="en">/)
    expect(text).not.toMatch(/<script|<link|<img|<form|style="|\son\w+=/i)
    expect(text).toContain('curl http://localhost:8000/api/token/')
  })

  test('contains no token, key, username, version or path of this machine', async () => {
    const { text } = await get('/')
    expect(text).not.toContain(it.dataDir)
    expect(text).not.toContain('alice')
    expect(text).not.toContain('eyJ')
    expect(text).not.toMatch(/\d\.\d+\.\d/)
  })

  test('D10 escapes values from the settings', async () => {
    await using odd = await openTestAuthority({ audience: `<script>alert("1")</script>'&` })
    const { text } = await ask(odd, '/', { method: 'GET', type: null })
    expect(text).not.toContain('<script')
    expect(text).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;')
  })

  test('A19 is the same whatever Host or forwarded host the request names', async () => {
    const plain = (await get('/')).text
    const evil = await get('/', { host: 'evil.test', 'x-forwarded-host': 'evil.test' })
    expect(evil.text).toBe(plain)
  })
})

test('a client that knows only the issuer finds the endpoints that issue and revoke tokens (RFC 8414)', async () => {
  const answer = await get('/.well-known/oauth-authorization-server')
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/json')
  expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  const metadata = JSON.parse(answer.text) as Record<string, unknown>
  expect(metadata).toMatchObject({ issuer: ISSUER, grant_types_supported: ['client_credentials'] })
  const paths = ['token_endpoint', 'jwks_uri', 'revocation_endpoint', 'introspection_endpoint']
  for (const name of paths) {
    const url = String(metadata[name])
    expect(url.startsWith(`${ISSUER}/`)).toBe(true)
    // Each URL is served: the answer is not 404.
    expect((await get(url.slice(ISSUER.length))).status).not.toBe(404)
  }
})

const gets = [
  '/',
  '/auth/sessions',
  '/.well-known/jwks.json',
  '/.well-known/oauth-authorization-server',
  '/healthz',
  '/readyz',
]

test.each(gets)('HEAD %s answers as GET without the body', async (path) => {
  const full = await get(path)
  const head = await ask(it, path, { method: 'HEAD', type: null })
  expect(head).toMatchObject({ status: full.status, text: '' })
  expect(Object.fromEntries(head.headers)).toEqual(Object.fromEntries(full.headers))
})

describe.each(gets)('%s', (path) => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
    'does not take %s',
    async (method) => {
      const answer = await ask(it, path, { method, type: null })
      expect(answer.status).toBe(405)
      expect(answer.headers.get('allow')).toBe('GET, HEAD')
      expect(answer.headers.get('www-authenticate')).toBeNull()
      expect(JSON.parse(answer.text)).toEqual({
        type: 'about:blank',
        title: 'Method Not Allowed',
        status: 405,
        detail:
          'This path does not support this method. The Allow header lists the methods that it supports.',
        code: 'method_not_allowed',
      })
    },
  )
})

test.each([
  '/nothing',
  '/api',
  '/api/',
  '/api/token/x',
  '/api/token//',
  '//api/token/',
  '/API/TOKEN/',
  '/api/token;x=y',
  '/api/token/;x=y',
  '/auth/me/x.css',
  '/auth/me//',
  '/AUTH/LOGIN',
  '//auth/login',
  '/.env',
  '/.git/config',
  '/.well-known/',
  '/healthz/',
  '/revocations/',
  '/data/countersign.db',
  '/api/%74oken/',
  '/api/token%2f',
  '/%61uth/me',
  '/auth/%6cogin',
])('A20 %s is served by nobody', async (path) => {
  for (const method of ['GET', 'POST']) {
    const answer = await ask(it, path, { method, type: null })
    expect(answer.status).toBe(404)
    expect(answer.text).toBe(
      '{"type":"about:blank","title":"Not Found","status":404,"detail":"There is nothing at this path.","code":"not_found"}',
    )
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  }
})

test.each([
  ['GET', '/auth/me', 401],
  ['DELETE', '/auth/sessions/anything', 401],
  ['POST', '/auth/login', 403],
  ['POST', '/auth/signup', 404],
  ['PUT', '/auth/login', 405],
  ['POST', '/oauth2/token', 415],
  ['GET', '/oauth2/token', 405],
  ['POST', '/api/token', 400],
])('%s %s answers %i with and without a slash at the end', async (method, path, status) => {
  const plain = await ask(it, path, { method, type: null })
  const slashed = await ask(it, `${path}/`, { method, type: null })
  expect(plain.status).toBe(status)
  expect({ ...slashed, headers: Object.fromEntries(slashed.headers) }).toEqual({
    ...plain,
    headers: Object.fromEntries(plain.headers),
  })
})
