import { describe, expect, test } from 'vitest'
import { createGuard } from '../src/index.ts'

const issuer = 'https://auth.example'

describe('options', () => {
  test('the audience is the issuer unless it is given', () => {
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
  ])('%s is an issuer', (url) => {
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
  ])('%j is no issuer', (url) => {
    expect(() => createWrong({ issuer: url })).toThrow(TypeError)
    expect(() => createWrong({ issuer: url })).toThrow(/issuer/)
  })

  test.each<[name: string, values: readonly unknown[]]>([
    ['jwksUrl', ['http://auth.example/jwks', 'jwks.json', 7]],
    ['audience', ['', [], ['a', ''], [1], 5]],
    ['toleranceSec', [-1, 61, Number.NaN, '5', Infinity]],
    ['refreshIntervalMs', [0, 999, 86_400_001, '5000']],
    ['fetchTimeoutMs', [0, 60_001, Number.NaN]],
    ['keysMaxAgeMs', [0, 59_999, Infinity]],
    ['onRefused', ['log', {}]],
    ['onKeysError', [true]],
    ['fetch', ['fetch']],
    ['clock', [1]],
    ['elapsed', [1]],
    ['random', [0.5]],
  ])('a wrong %s is named', (name, values) => {
    for (const value of values) {
      expect(() => createWrong({ issuer, [name]: value })).toThrow(
        new RegExp(`^createGuard: ${name} `),
      )
    }
  })
})

/** Passes what the types forbid, as a caller without types would. */
function createWrong(options: Record<string, unknown>): unknown {
  return Reflect.apply(createGuard, undefined, [options])
}
