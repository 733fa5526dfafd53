import { describe, expect, test } from 'vitest'
import { readBearer } from '../../src/request/bearer.ts'

const missing = (reason: string) => ({ ok: false, code: 'token_missing', reason })
const malformed = (reason: string) => ({ ok: false, code: 'request_malformed', reason })

describe('the Authorization header', () => {
  test('contains the token', () => {
    expect(readBearer(['Bearer abc.def.ghi'])).toEqual({ ok: true, token: 'abc.def.ghi' })
  })

  test.each(['bearer abc', 'BEARER abc', 'bEaReR abc', 'Bearer    abc'])(
    '%j is accepted',
    (value) => {
      expect(readBearer([value])).toEqual({ ok: true, token: 'abc' })
    },
  )

  test.each(['aZ09-._~+/', 'a=', 'a=='])('every character of b64token is accepted: %j', (token) => {
    expect(readBearer([`Bearer ${token}`])).toEqual({ ok: true, token })
  })

  test('is absent', () => {
    expect(readBearer([])).toEqual(missing('authorization_absent'))
  })

  test.each(['', 'Basic YTpi', 'DPoP abc', 'Bearerabc', 'Bearer=abc', 'abc.def.ghi', 'Bear abc'])(
    '%j has no bearer token',
    (value) => {
      expect(readBearer([value])).toEqual(missing('scheme_not_bearer'))
    },
  )

  test.each([
    'Bearer',
    'Bearer ',
    'Bearer  x y',
    'Bearer x y',
    'Bearer x, Bearer y',
    'Bearer x,y',
    'Bearer, Bearer x',
    'Bearer\tx',
    'Bearer "x"',
    'Bearer x=y',
    'Bearer =',
    'Bearer x\u0000',
    'Bearer x\n',
    'Bearer \u00e9',
    'Bearer {}',
  ])('%j is malformed', (value) => {
    expect(readBearer([value])).toEqual(malformed('authorization_unreadable'))
  })

  test('is refused when sent twice, even with equal values', () => {
    expect(readBearer(['Bearer x', 'Bearer x'])).toEqual(malformed('authorization_repeated'))
    expect(readBearer(['Basic x', 'Bearer x'])).toEqual(malformed('authorization_repeated'))
  })

  test('is read in linear time', () => {
    const start = performance.now()
    readBearer([`Bearer ${' '.repeat(500_000)}${'='.repeat(500_000)} `])
    expect(performance.now() - start).toBeLessThan(5_000)
  })
})
