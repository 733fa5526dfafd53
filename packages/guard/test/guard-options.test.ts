import { createKeySet } from '@countersign/jwt'
import { describe, expect, test } from 'vitest'
import { optionalAuth, requireAuth } from '../src/adapters/express.ts'
import {
  accessCookieName,
  combineGuards,
  createAccessTokenVerifier,
  createGuard,
} from '../src/index.ts'

const issuer = 'https://auth.example'

describe('options', () => {
  test('the default audience is the issuer', () => {
    expect(createGuard({ issuer })).toMatchObject({ issuer, audience: issuer })
    expect(createGuard({ issuer, audience: 'api' }).audience).toBe('api')
    expect(createGuard({ issuer, audience: ['a', 'b'] }).audience).toEqual(['a', 'b'])
  })

  test.each([
    'https://auth.example',
    'https://auth.example/',
    'https://auth.example:8443/tenant/a',
    'http://localhost:8000',
    'http://127.0.0.1:8000',
    'http://[::1]:8000',
  ])('issuer %s is accepted', (url) => {
    expect(createGuard({ issuer: url }).issuer).toBe(url)
  })

  test.each([
    '',
    'auth.example',
    'http://auth.example',
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example',
    'ftp://localhost',
    'file:///etc/passwd',
    'https://user:pass@auth.example',
    'https://auth.example?x=1',
    'https://auth.example?',
    'https://auth.example#x',
    'https://auth.example/"',
    'https://auth.exa\nmple',
    ' https://auth.example',
    42,
    undefined,
  ])('issuer %j is refused', (url) => {
    expect(() => createWrong({ issuer: url })).toThrow(TypeError)
    expect(() => createWrong({ issuer: url })).toThrow(/issuer/)
  })

  test.each([0, 8, 9, 1_048_576])(
    'a cache of %d entries is accepted, by the verifier too',
    (size) => {
      const keys = createKeySet([])
      expect(createGuard({ issuer, cacheEntriesMax: size }).issuer).toBe(issuer)
      expect(() =>
        createAccessTokenVerifier({ keys, issuer, audience: 'a', cacheEntriesMax: size }),
      ).not.toThrow()
    },
  )

  test.each<unknown[]>([
    ['*'],
    ['null'],
    [''],
    ['app.example'],
    ['//app.example'],
    ['https://app.example/'],
    ['https://app.example/x'],
    ['https://app.example:443'],
    ['https://APP.example'],
    ['https://*.example'],
    ['https://b\u00fccher.example'],
    ['https://user@app.example'],
    ['https://app.example '],
    ['ftp://app.example'],
    ['file:///x'],
    ['data:,x'],
    ['blob:https://app.example'],
    ['blob:https://app.example/x'],
    [undefined],
    [new URL('https://app.example')],
    ['https://app.example', 'x'],
  ])('cookies.origins with %j is refused', (...origins) => {
    const wrong = () => createWrong({ issuer, cookies: { origins } })
    expect(wrong).toThrow(TypeError)
    expect(wrong).toThrow(/^createGuard: cookies\.origins /)
  })

  test.each(['https://app.example', new Set(['https://app.example']), {}, true])(
    'cookies.origins must be an array, not %j',
    (origins) => {
      const wrong = () => createWrong({ issuer, cookies: { origins } })
      expect(wrong).toThrow(/^createGuard: cookies\.origins /)
    },
  )

  test.each(['https://app.example', 'https://app.example:8443', 'http://localhost:5173'])(
    'cookies.origins accepts %s',
    (origin) => {
      expect(() => createGuard({ issuer, cookies: { origins: [origin] } })).not.toThrow()
    },
  )

  test.each([
    '',
    'a b',
    'a;b',
    'a=b',
    '__Host-\u00e4',
    7,
    'cs_access',
    '__host-cs_access',
    'Host-x',
  ])('cookie name %j is refused for an https issuer', (name) => {
    expect(() => createWrong({ issuer, cookies: { name } })).toThrow(/^createGuard: cookies\.name /)
  })

  test('the cookie can have another name', () => {
    const name = accessCookieName(issuer, { domain: true })
    expect(() => createGuard({ issuer, cookies: { name } })).not.toThrow()
    const local = 'http://localhost:8000'
    expect(() => createGuard({ issuer: local, cookies: { name: 'mine' } })).not.toThrow()
  })

  test.each<[name: string, values: readonly unknown[]]>([
    ['jwksUrl', ['http://auth.example/jwks', 'jwks.json', 7]],
    ['audience', ['', [], ['a', ''], [1], 5]],
    ['toleranceSec', [-1, 61, Number.NaN, '5', Infinity]],
    ['refreshIntervalMs', [0, 999, 86_400_001, '5000']],
    ['fetchTimeoutMs', [0, 60_001, Number.NaN]],
    ['keysMaxAgeMs', [0, 59_999, Infinity]],
    ['cacheEntriesMax', [-1, 1, 7, 8.5, 1_048_577, '8', Number.NaN, Infinity]],
    ['cookies', ['yes', 1, [], () => true]],
    ['policy', ['loose', 'strict', 1]],
    ['feed', ['svc_x', null, true]],
    ['onRefused', ['log', {}]],
    ['onKeysError', [true]],
    ['fetch', ['fetch']],
    ['clock', [1]],
    ['elapsed', [1]],
    ['random', [0.5]],
  ])('an invalid %s throws an error that names it', (name, values) => {
    for (const value of values) {
      expect(() => createWrong({ issuer, [name]: value })).toThrow(
        new RegExp(`^createGuard: ${name} `),
      )
    }
  })

  test.each<[name: string, options: Record<string, unknown>]>([
    ['isuer', { isuer: issuer }],
    ['audiences', { audiences: ['a'] }],
    ['cookies.origin', { cookies: { origin: ['https://app.example'] } }],
    ['feed.secret', { feed: { clientId: 'svc_x', clientSecret: 'x', secret: 'x' } }],
  ])(
    'the unknown option %s is refused, so that a misspelled name does not get the default',
    (name, options) => {
      expect(() => createWrong({ issuer, ...options })).toThrow(
        `createGuard: ${name} is not a known option.`,
      )
    },
  )

  test('invalid arguments throw a TypeError that names the argument', () => {
    const options = 'createGuard needs an object of options'
    for (const wrong of [undefined, null, issuer]) {
      expect(() => Reflect.apply(createGuard, undefined, [wrong])).toThrow(options)
    }
    for (const keys of [1, {}, []]) {
      expect(() => createWrong({ issuer, keys })).toThrow('createGuard: keys must be a key set')
    }
    for (const wrong of [undefined, {}, { issuer }]) {
      for (const make of [requireAuth, optionalAuth]) {
        expect(() => Reflect.apply(make, undefined, [wrong])).toThrow('must be a guard')
      }
      expect(() => Reflect.apply(combineGuards, undefined, [[wrong]])).toThrow('must be a guard')
    }
    const guard = createGuard({ issuer })
    expect(() => Reflect.apply(combineGuards, undefined, [guard, guard])).toThrow('needs an array')
    expect(() => guard.isFresh('Strict' as 'strict')).toThrow('The policy must be')
  })
})

/** Passes arguments that the types forbid, as JavaScript code without types could. */
function createWrong(options: Record<string, unknown>): unknown {
  return Reflect.apply(createGuard, undefined, [options])
}
