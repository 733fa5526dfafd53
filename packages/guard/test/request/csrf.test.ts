import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkCsrfToken, checkOrigin, csrfHash } from '../../src/request/csrf.ts'

const APP = 'https://app.example'
const origins = new Set([APP, 'http://localhost:5173'])

function check(method: string, secFetchSite?: string, origin?: string, allowed = origins) {
  return checkOrigin({ method, secFetchSite, origin }, allowed)
}

describe('the origin of a request', () => {
  test('a page of the service passes, and another page only if its origin is listed', () => {
    expect(check('POST', 'same-origin', 'https://api.example')).toBe('ok')
    expect(check('POST', 'same-site', APP)).toBe('ok')
    expect(check('POST', 'cross-site', 'https://evil.example')).toBe('refused')
  })

  test.each(['GET', 'HEAD', 'OPTIONS'])('%s is a safe method and passes', (method) => {
    expect(check(method, 'cross-site', 'https://evil.example')).toBe('ok')
    expect(check(method)).toBe('ok')
  })

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'CONNECT', 'QUERY', 'get', 'GET ', ''])(
    '%j is not a safe method, so the origin is checked',
    (method) => {
      expect(check(method)).toBe('refused')
      expect(check(method, 'same-origin')).toBe('ok')
    },
  )

  test.each<[site: string | undefined, withoutOrigin: string, foreign: string, listed: string]>([
    ['same-origin', 'ok', 'ok', 'ok'],
    ['none', 'ok', 'ok', 'ok'],
    ['same-site', 'refused', 'refused', 'ok'],
    ['cross-site', 'refused', 'refused', 'ok'],
    [undefined, 'refused', 'refused', 'ok'],
    ['', 'refused', 'refused', 'ok'],
    ['Same-Origin', 'refused', 'refused', 'ok'],
    ['same-origin ', 'refused', 'refused', 'ok'],
    ['same-origin, same-origin', 'refused', 'refused', 'ok'],
    ['same-party', 'refused', 'refused', 'ok'],
  ])('Sec-Fetch-Site %j', (site, withoutOrigin, foreign, listed) => {
    expect(check('POST', site)).toBe(withoutOrigin)
    expect(check('POST', site, 'https://evil.example')).toBe(foreign)
    expect(check('POST', site, APP)).toBe(listed)
  })

  test.each([
    'null',
    '',
    '*',
    'https://app.example/',
    'https://app.example:443',
    'https://APP.example',
    'http://app.example',
    'https://app.example.evil.example',
    'https://evil-app.example',
    'https://app.example, https://app.example',
    'https://app.example https://evil.example',
    'app.example',
    'http://localhost:5174',
    'http://localhost',
  ])('Origin %j is not a listed origin', (origin) => {
    for (const site of [undefined, 'same-site', 'cross-site']) {
      expect(check('POST', site, origin)).toBe('refused')
    }
  })

  test('null is refused even if it is listed', () => {
    expect(check('POST', 'cross-site', 'null', new Set(['null']))).toBe('refused')
  })

  test('no other combination of headers passes', () => {
    const site = fc.option(
      fc.oneof(fc.string(), fc.constantFrom('same-origin', 'none', 'same-site', 'cross-site')),
      { nil: undefined },
    )
    const origin = fc.option(fc.oneof(fc.string(), fc.webUrl(), fc.constantFrom(...origins)), {
      nil: undefined,
    })
    fc.assert(
      fc.property(fc.constantFrom('POST', 'DELETE', 'x'), site, origin, (method, s, o) => {
        const isOurs = s === 'same-origin' || s === 'none'
        const isListed = o === APP || o === 'http://localhost:5173'
        expect(check(method, s, o)).toBe(isOurs || isListed ? 'ok' : 'refused')
      }),
    )
  })
})

describe('the CSRF token', () => {
  test('matches the hash in the access token, and no other token does', () => {
    const csh = csrfHash('kWDAJsmm0zvVEqF9')
    expect(checkCsrfToken({ csh }, 'kWDAJsmm0zvVEqF9')).toBe('ok')
    expect(checkCsrfToken({ csh }, 'kWDAJsmm0zvVEqF8')).toBe('refused')
  })

  // SHA-256 of "abc" and of the empty message, FIPS 180-4.
  test.each([
    ['abc', 'ba7816bf8f01cfea414140de5dae2223'],
    ['', 'e3b0c44298fc1c149afbf4c8996fb924'],
  ])('csrfHash(%j)', (token, hex) => {
    expect(csrfHash(token)).toBe(Buffer.from(hex, 'hex').toString('base64url'))
    expect(csrfHash(token)).toMatch(/^[\w-]{22}$/)
  })

  test('is refused if it is missing or the access token has no hash', () => {
    expect(checkCsrfToken({ csh: csrfHash('a') }, undefined)).toBe('refused')
    expect(checkCsrfToken({}, 'a')).toBe('refused')
    expect(checkCsrfToken({}, undefined)).toBe('refused')
  })

  test.each(['', 'x', '\u0000', csrfHash('a').slice(1), `${csrfHash('a')}=`, `${csrfHash('a')} `])(
    'the hash %j matches nothing',
    (csh) => {
      expect(checkCsrfToken({ csh }, 'a')).toBe('refused')
    },
  )

  test('a character above ASCII does not equal one below', () => {
    expect(checkCsrfToken({ csh: csrfHash('A') }, '\u0141')).toBe('refused')
  })

  test('exactly one token matches', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (token, other) => {
        const claims = { csh: csrfHash(token) }
        expect(checkCsrfToken(claims, token)).toBe('ok')
        expect(checkCsrfToken(claims, other)).toBe(other === token ? 'ok' : 'refused')
      }),
    )
  })
})
