import { generateKeyPairSync } from 'node:crypto'

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { isAssuredRedirect, isRegisteredRedirect } from '../src/sso/redirect-uris.ts'
import {
  DEVICE_GRANT,
  mergeRegistration,
  parseRegistration,
  readRegistration,
  type RegistrationInput,
} from '../src/sso/registration.ts'

const URI = 'https://app.example.com/callback'
const PRODUCTION = { production: true }
const DEVELOPMENT = { production: false }

function publicJwk(): object {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
}

/** Returns the mistakes as `member: text`. Empty if there are none. */
function mistakesIn(input: unknown, options = PRODUCTION): readonly string[] {
  const parsed = parseRegistration(input, options)
  return parsed.ok ? [] : parsed.problems.map(({ member, text }) => `${member}: ${text}`)
}

function web(more: Partial<RegistrationInput> = {}): RegistrationInput {
  return { kind: 'confidential', redirectUris: [URI], ...more }
}

function native(uri: string): RegistrationInput {
  return { kind: 'public', redirectUris: [uri] }
}

test('what is not given has a default', () => {
  const parsed = parseRegistration(web(), PRODUCTION)
  expect(parsed).toEqual({
    ok: true,
    registration: {
      kind: 'confidential',
      authMethod: 'client_secret_basic',
      redirectUris: [URI],
      postLogoutRedirectUris: [],
      firstParty: false,
      grants: ['authorization_code', 'refresh_token'],
      resources: [],
      dpop: false,
    },
  })
})

test('equal registrations are equal texts, whatever was given and in which order', () => {
  const texts = [
    web(),
    { redirectUris: [URI], dpop: false, kind: 'confidential' },
    { ...web(), authMethod: 'client_secret_basic' },
  ].map((input) => {
    const parsed = parseRegistration(input, PRODUCTION)
    return parsed.ok ? JSON.stringify(parsed.registration) : 'wrong'
  })
  expect(new Set(texts).size).toBe(1)
  const [text = ''] = texts
  expect(JSON.stringify(readRegistration(text))).toBe(text)
})

describe('redirect URIs', () => {
  test.each([
    'https://app.example.com',
    'https://app.example.com/',
    'https://app.example.com:8443/callback?from=auth',
    'https://xn--bcher-kva.example/callback',
    'http://127.0.0.1/callback',
    'http://127.0.0.1:3000/callback',
    'http://[::1]:3000/callback',
    'https://app.example.com/a//b',
  ])('%s is accepted in production', (uri) => {
    expect(mistakesIn(web({ redirectUris: [uri] }))).toEqual([])
    expect(mistakesIn(web({ postLogoutRedirectUris: [uri] }))).toEqual([])
  })

  test.each([
    ['', 'must be an absolute URI'],
    ['/callback', 'must be an absolute URI'],
    ['app.example.com/callback', 'must be an absolute URI'],
    ['https://', 'must be an absolute URI'],
    ['https://app.example.com/callback#', 'fragment'],
    ['https://app.example.com/callback#x', 'fragment'],
    ['https://alice@app.example.com/callback', 'username'],
    ['https://app.example.com:pw@evil.example/', 'username'],
    ['https://@app.example.com/', 'username'],
    ['https://*.example.com/callback', 'wildcard'],
    ['https://app.example.com/*', 'wildcard'],
    ['https://app.example.com\\@evil.example/', 'backslash'],
    ['https://app.example.com/a\\b', 'backslash'],
    ['https://app.example.com/a/../b', 'must be written as browsers do: https://app.example.com/b'],
    ['https://app.example.com/a/./b', 'must be written as browsers do'],
    ['https://app.example.com/a/%2e%2e/b', 'must be written as browsers do'],
    ['https://app.example.com/a%2F..%2Fb', 'percent-encoded'],
    ['https://app.example.com/a%5cb', 'percent-encoded'],
    ['https://APP.example.com/', 'must be written as browsers do: https://app.example.com/'],
    ['HTTPS://app.example.com/', 'must be written as browsers do'],
    ['https://app.example.com:443/', 'must be written as browsers do'],
    ['https://app.example.com?x', 'must be written as browsers do: https://app.example.com/?x'],
    ['https:app.example.com/', 'must be written as browsers do'],
    ['https://2130706433/', 'must be written as browsers do: https://127.0.0.1/'],
    [' https://app.example.com/', 'spaces'],
    ['https://app.example.com/\n', 'spaces'],
    ['https://bücher.example/', 'ASCII'],
    ['https://app.example.com/\u202e', 'ASCII'],
    ['http://app.example.com/callback', 'must begin with https://'],
    ['http://localhost:3000/callback', 'localhost'],
    ['http://127.0.0.2/callback', 'must begin with https://'],
    ['http://0.0.0.0/callback', 'must begin with https://'],
    ['http://127.1/callback', 'must be written as browsers do'],
    ['http://[::ffff:127.0.0.1]/', 'must be written as browsers do'],
    ['javascript:alert(1)', 'must begin with https://'],
    ['data:text/html,x', 'must begin with https://'],
    ['blob:https://app.example.com/x', 'must begin with https://'],
    ['file:///etc/passwd', 'must begin with https://'],
    ['ftp://app.example.com/', 'must begin with https://'],
    ['com.example.app:/callback', 'Only public applications'],
    [`https://app.example.com/${'a'.repeat(2_048)}`, '2048 characters'],
  ])('%j is refused: %s', (uri, text) => {
    for (const member of ['redirectUris', 'postLogoutRedirectUris'] as const) {
      const [mistake = ''] = mistakesIn({ ...web(), [member]: [uri] })
      expect(mistake).toContain(`${member}[0]: `)
      expect(mistake).toContain(text)
    }
  })

  test.each(['com.example.app:/callback', 'com.example.app-2://host/callback'])(
    '%s is accepted for public applications',
    (uri) => expect(mistakesIn(native(uri))).toEqual([]),
  )

  test.each(['myapp:/callback', 'myapp://callback', 'com.example.app:callback', 'com..app:/x'])(
    '%s is refused also for public applications',
    (uri) => expect(mistakesIn(native(uri))[0]).toContain('must begin with https://'),
  )

  test('localhost is accepted outside production only', () => {
    const input = web({ redirectUris: ['http://localhost:3000/callback'] })
    expect(mistakesIn(input, DEVELOPMENT)).toEqual([])
    expect(mistakesIn(input, PRODUCTION)).toHaveLength(1)
  })

  test('twenty are accepted, not more, and each once', () => {
    const many = Array.from({ length: 21 }, (_, n) => `${URI}/${n}`)
    expect(mistakesIn(web({ redirectUris: many.slice(1) }))).toEqual([])
    expect(mistakesIn(web({ redirectUris: many }))).toEqual([
      'redirectUris: must have at most 20 URIs',
    ])
    expect(mistakesIn(web({ redirectUris: [URI, URI] }))).toEqual([
      'redirectUris: must name each URI once',
    ])
  })

  test('an accepted https URI is what a browser calls, and has the host that it shows', () => {
    const part = fc.constantFrom(
      'a',
      'B',
      '/',
      '.',
      '..',
      '%2e',
      '\\',
      '@',
      ':',
      '?',
      '*',
      '[',
      '1',
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const uri = `https://app.example.com${parts.join('')}`
        if (mistakesIn(web({ redirectUris: [uri] })).length > 0) return
        expect(new URL(uri).href.replace(/\/$/, '')).toBe(uri.replace(/\/$/, ''))
        expect(/^https:\/\/app\.example\.com[^/?:]*(?::\d+)?(?:[/?]|$)/.test(uri)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a redirect URI of a request', () => {
  const registered = [URI, 'http://127.0.0.1/cb', 'http://[::1]:5000/cb', 'com.example.app:/cb']

  test.each([...registered, 'http://127.0.0.1:49152/cb', 'http://[::1]/cb', 'http://[::1]:1/cb'])(
    '%s is registered',
    (uri) => expect(isRegisteredRedirect(registered, uri)).toBe(true),
  )

  test.each([
    '',
    `${URI}/`,
    `${URI}/extra`,
    `${URI}?a=1`,
    `${URI}#x`,
    'https://app.example.com/Callback',
    'https://app.example.com:8443/callback',
    'https://app.example.com.evil.example/callback',
    'http://app.example.com/callback',
    'http://127.0.0.1/cb/',
    'http://127.0.0.1/cb?x',
    'http://127.0.0.1:49152/other',
    'http://127.0.0.1:49152@evil.example/cb',
    'http://127.0.0.1.evil.example/cb',
    'http://127.0.0.2/cb',
    'http://localhost/cb',
    'https://127.0.0.1/cb',
    'com.example.app:/other',
    'COM.example.app:/cb',
  ])('%j is not', (uri) => expect(isRegisteredRedirect(registered, uri)).toBe(false))

  test('only https is assured', () => {
    expect(isAssuredRedirect(URI)).toBe(true)
    expect(registered.slice(1).some(isAssuredRedirect)).toBe(false)
  })
})

describe('URLs that the server calls', () => {
  test.each(['backchannelLogoutUri', 'jwksUri'] as const)('%s is https', (member) => {
    const input = (uri: string): RegistrationInput =>
      web({ [member]: uri, ...(member === 'jwksUri' ? { authMethod: 'private_key_jwt' } : {}) })
    expect(mistakesIn(input('https://app.example.com/x'))).toEqual([])
    for (const uri of [
      'http://app.example.com/x',
      'http://127.0.0.1/x',
      'gopher://app.example.com/x',
      'https://u:p@app.example.com/x',
      'https://app.example.com/x#y',
    ]) {
      expect(mistakesIn(input(uri)), uri).toHaveLength(1)
    }
    expect(mistakesIn(input('http://127.0.0.1:9000/x'), DEVELOPMENT)).toEqual([])
    expect(mistakesIn(input('http://localhost:9000/x'), DEVELOPMENT)).toEqual([])
    expect(mistakesIn(input('http://10.0.0.1/x'), DEVELOPMENT)).toHaveLength(1)
  })
})

describe('authentication', () => {
  test.each([
    [{ kind: 'public', authMethod: 'client_secret_basic' }, 'authMethod: must be none'],
    [{ authMethod: 'none' }, 'authMethod: must not be none'],
    [{ authMethod: 'private_key_jwt' }, 'jwks: or jwksUri is needed'],
    [{ authMethod: 'client_secret_jwt' }, 'authMethod: must be one of'],
    [{ authMethod: 'client_secret_post', jwksUri: 'https://a.example/' }, 'jwksUri: is for'],
    [{ jwks: { keys: [] } }, 'jwks: must have 1 to 10 keys'],
    [{ jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }, 'jwks: must contain only public keys'],
    [{ jwks: { keys: [{ kty: 'EC' }] } }, 'jwks: must contain only EC, RSA and OKP'],
    [{ jwks: [] }, 'jwks: must be a JWK set'],
  ])('%j: %s', (more, text) => {
    expect(mistakesIn({ ...web(), ...more }).join('\n')).toContain(text)
  })

  test('keys must be public, strong, for signatures, and told apart', () => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 1_024 })
    const weak = pair.publicKey.export({ format: 'jwk' })
    const keys = (...list: object[]): readonly string[] =>
      mistakesIn({ ...web(), jwks: { keys: list } })
    expect(keys(publicJwk(), { ...publicJwk(), kid: 'a', use: 'sig' })).toEqual([])
    expect(keys(weak)[0]).toContain('2048 bits')
    expect(keys({ ...publicJwk(), d: 'AAAA' })[0]).toContain('only public keys')
    expect(keys({ ...publicJwk(), use: 'enc' })[0]).toContain('keys that sign')
    expect(keys({ ...publicJwk(), kid: 'a' }, { ...publicJwk(), kid: 'a' })[0]).toContain('kid')
    const both = { ...web(), jwks: { keys: [publicJwk()] }, jwksUri: 'https://a.example/keys' }
    expect(mistakesIn(both)).toEqual([
      'jwks: or jwksUri is needed for private_key_jwt, and not both',
    ])
  })

  test('another kind or other keys also change how the application authenticates', () => {
    const parsed = parseRegistration({ ...web(), jwksUri: 'https://a.example/k' }, PRODUCTION)
    if (!parsed.ok) throw new Error('the registration is refused')
    const { registration } = parsed
    expect(registration.authMethod).toBe('private_key_jwt')
    const after = (changes: Partial<RegistrationInput>): unknown => {
      const again = parseRegistration(mergeRegistration(registration, changes), PRODUCTION)
      return again.ok && again.registration.authMethod
    }
    expect(after({ firstParty: true })).toBe('private_key_jwt')
    expect(after({ jwksUri: 'https://b.example/k' })).toBe('private_key_jwt')
    expect(after({ jwksUri: undefined })).toBe('client_secret_basic')
    expect(after({ kind: 'public' })).toBe('none')
    expect(after({ authMethod: 'client_secret_post' })).toBe('client_secret_post')
  })
})

describe('grants and resources', () => {
  test.each([
    [{ redirectUris: [] }, 'redirectUris: must have at least one URI'],
    [{ grants: ['refresh_token'], redirectUris: [] }, 'grants: must contain authorization_code'],
    [{ grants: [DEVICE_GRANT] }, 'redirectUris: must be empty'],
    [{ grants: ['password'] }, 'grants[0]: must be one of'],
    [{ grants: ['implicit'] }, 'grants[0]: must be one of'],
    [{ resources: ['api'] }, 'resources[0]: must be an absolute URI'],
    [{ resources: ['https://api.example.com/#x'] }, 'resources[0]: must be an absolute URI'],
    [{ resources: ['https://api.example.com/ x'] }, 'resources[0]: must be an absolute URI'],
    [{ firstParty: 'yes' }, 'firstParty: must be true or false'],
    [
      { redirectUri: URI },
      'redirectUri: is not a member of a registration. Did you mean redirectUris?',
    ],
    [{ kind: 'web' }, 'kind: must be public or confidential'],
  ])('%j: %s', (more, text) => {
    expect(mistakesIn({ ...web(), ...more })[0]).toContain(text)
  })

  test('a device needs no redirect URI', () => {
    expect(mistakesIn({ kind: 'public', grants: [DEVICE_GRANT, 'refresh_token'] })).toEqual([])
    expect(mistakesIn(web({ resources: ['urn:example:api', 'https://api.example.com'] }))).toEqual(
      [],
    )
  })

  test.each([[undefined], [null], ['x'], [7], [[]]])('%j is no registration', (input) => {
    expect(mistakesIn(input)).toEqual(['registration: must be an object'])
  })
})
