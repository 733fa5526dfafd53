import { type KeySet, keySetFromJwks } from '@countersign/jwt'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAccessTokenVerifier, createGuard, explainAccessToken } from '../../src/index.ts'
import { createTestKey, NOW_MS, NOW_SEC, signRaw, TestIssuer } from '../support/issuer.ts'

const issuer = new TestIssuer()
const audience = issuer.url
const keys = keySetOf(issuer.jwks())

function verify(token: string, nowMs = NOW_MS, accepted: string | readonly string[] = audience) {
  return createAccessTokenVerifier({
    keys,
    issuer: issuer.url,
    audience: accepted,
    clock: () => nowMs,
  }).verify(token)
}

function keySetOf(jwks: string): KeySet {
  const set = keySetFromJwks(JSON.parse(jwks))
  if (set === undefined) throw new Error('no keys')
  return set
}

describe('an access token', () => {
  test('is accepted with its claims', () => {
    const more = { plan: 'gold', tid: 'ten-1', tenant_name: 'acme', tenant_roles: ['admin'] }
    const result = verify(issuer.token(more))
    expect(result.ok && result.claims).toEqual({ ...issuer.claims(), ...more })
  })

  test.each(['at+jwt', 'application/at+jwt', 'AT+JWT'])('may have the typ %s', (typ) => {
    expect(verify(issuer.token({}, { typ })).ok).toBe(true)
  })

  test.each([
    undefined,
    '',
    'JWT',
    'jwt',
    'rt+jwt',
    'logout+jwt',
    'secevent+jwt',
    'dpop+jwt',
    'statuslist+jwt',
    'revlog+jwt',
    'at+JWT ',
    'at',
    'text/at+jwt',
    'application/application/at+jwt',
  ])('must not have the typ %j', (typ) => {
    const result = verify(issuer.token({}, { typ }))
    expect(result).toMatchObject({ ok: false, code: expect.stringMatching(/typ_mismatch|header/) })
  })
})

describe('claims', () => {
  const required = ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'sid', 'rvp', 'roles']

  test.each(required)('%s is required', (claim) => {
    const result = verify(issuer.token({ [claim]: undefined }))
    expect(result).toMatchObject({ ok: false, code: 'claim_missing', claim })
  })

  test.each<[claim: string, values: readonly unknown[]]>([
    ['rvp', [-1, 1.5, '7', null, true, [7], {}, 2 ** 53]],
    ['roles', ['admin', null, {}, [1], [['admin']], [''], ['a', null]]],
    ['sub', ['', 7, null, ['acc-1'], {}]],
    ['jti', ['', 7, null]],
    ['client_id', ['', 7, null]],
    ['sid', ['', 7, null, ['ses-1']]],
    ['tid', ['', 7, null]],
    ['tenant_name', ['', 7, null, ['acme']]],
    ['tenant_roles', ['admin', null, {}, [1], [['admin']], [''], ['a', null]]],
    ['scope', [7, null, ['read']]],
    ['auth_time', ['1', null]],
    ['amr', ['pwd', [1], null]],
    ['acr', [1, null]],
    ['token_type', [1, null]],
    ['user_id', [1, null]],
    ['csh', ['', 1, null, ['x']]],
  ])('%s must have the right type', (claim, values) => {
    for (const value of values) {
      const result = verify(issuer.token({ [claim]: value }))
      expect(result, JSON.stringify(value)).toMatchObject({
        ok: false,
        // null counts as absent if the claim is required.
        code: value === null ? expect.stringMatching(/^claim_/) : 'claim_invalid',
        claim,
      })
    }
  })

  test.each([0, 1, Number.MAX_SAFE_INTEGER])('rvp may be %d', (rvp) => {
    expect(verify(issuer.token({ rvp })).ok).toBe(true)
  })

  test('roles may be empty', () => {
    expect(verify(issuer.token({ roles: [] })).ok).toBe(true)
  })

  test.each<[missing: string, claims: object]>([
    // Older authorities put the roles in the tenant into `roles`.
    ['tenant_roles', { tid: 'ten_1', tenant_roles: undefined, roles: ['admin'] }],
    ['tenant_roles', { tid: 'ten_1', tenant_roles: undefined, tenant_name: 'acme' }],
    ['tid', { tenant_roles: [] }],
    ['tid', { tenant_roles: ['admin'] }],
    ['tid', { tenant_name: 'acme' }],
  ])('%s is required with the other claims about a tenant: %j', (claim, claims) => {
    const result = verify(issuer.token(claims))
    expect(result).toEqual({ ok: false, code: 'claim_missing', claim })
  })

  test('a tenant may have no name, and its member no roles', () => {
    expect(verify(issuer.token({ tid: 'ten_1', tenant_roles: [] })).ok).toBe(true)
  })

  test('an rvp that a double cannot hold exactly is refused', () => {
    const payload = JSON.stringify(issuer.claims()).replace('"rvp":7', '"rvp":1e999')
    const header = { alg: 'ES256', typ: 'at+jwt', kid: issuer.key.kid }
    expect(verify(signRaw(issuer.key, header, payload)).ok).toBe(false)
  })

  test('only a safe integer of at least 0 passes as rvp', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (rvp) => {
        const sent: unknown = JSON.parse(JSON.stringify(rvp))
        const good = typeof sent === 'number' && Number.isSafeInteger(sent) && sent >= 0
        expect(verify(issuer.token({ rvp })).ok).toBe(good)
      }),
      { numRuns: 200 },
    )
  })
})

describe('the session', () => {
  const service = { sub: 'svc-1', client_id: 'svc-1' }

  test('may be absent only in the token of a service account, whose sub is its client_id', () => {
    const token = issuer.token({ ...service, sid: undefined })
    const result = verify(token)
    if (!result.ok) throw new Error(result.code)
    expect(result.claims).toMatchObject(service)
    expect(result.claims.sid).toBeUndefined()
  })

  test.each([
    ['a person', {}],
    ['a person at another client', { client_id: 'svc-1' }],
    ['a client in another spelling', { sub: 'svc-1', client_id: 'SVC-1' }],
    ['a client with a space', { sub: 'svc-1', client_id: 'svc-1 ' }],
  ])('is required in the token of %s, at each use', (_, changes) => {
    const verifier = createAccessTokenVerifier({
      keys,
      issuer: issuer.url,
      audience,
      clock: () => NOW_MS,
      cacheEntriesMax: 8,
    })
    const token = issuer.token({ ...changes, sid: undefined })
    for (let sight = 0; sight < 3; sight++) {
      expect(verifier.verify(token)).toEqual({ ok: false, code: 'claim_missing', claim: 'sid' })
    }
  })

  test.each([
    { sub: undefined, client_id: undefined },
    { sub: '', client_id: '' },
  ])('is required for %j', (changes) => {
    expect(verify(issuer.token({ ...changes, sid: undefined })).ok).toBe(false)
  })

  test.each(['', 7, null, ['ses-1']])('of a service account must not be %j', (sid) => {
    expect(verify(issuer.token({ ...service, sid }))).toMatchObject({
      ok: false,
      code: 'claim_invalid',
      claim: 'sid',
    })
  })
})

describe('issuer and audience', () => {
  test.each(['/', 'X', '?', '#'])('iss with %j appended is another issuer', (suffix) => {
    const result = verify(issuer.token({ iss: `${issuer.url}${suffix}` }))
    expect(result).toMatchObject({ ok: false, code: 'issuer_mismatch' })
  })

  test.each(['HTTP://127.0.0.1:0', 'http://user@127.0.0.1:0', 'https://evil.example', ''])(
    'iss %j is refused',
    (iss) => {
      expect(verify(issuer.token({ iss })).ok).toBe(false)
    },
  )

  test('iss as an array is refused', () => {
    expect(verify(issuer.token({ iss: [issuer.url] })).ok).toBe(false)
  })

  test.each(['api', ['api'], ['other', 'api']])('aud %j is accepted', (aud) => {
    expect(verify(issuer.token({ aud }), NOW_MS, 'api').ok).toBe(true)
    expect(verify(issuer.token({ aud }), NOW_MS, ['x', 'api']).ok).toBe(true)
  })

  test.each(['api2', 'ap', 'api.evil', 'API', 'api ', '', [], ['api2'], [['api']], 7, null, {}])(
    'aud %j is refused',
    (aud) => {
      expect(verify(issuer.token({ aud }), NOW_MS, 'api').ok).toBe(false)
    },
  )
})

describe('a tolerance of 5 s', () => {
  const atSec = (token: string, sec: number) => verify(token, NOW_MS + sec * 1000)

  test('exp: accepted until 5 s after it, refused at 5 s', () => {
    const token = issuer.token({ exp: NOW_SEC + 300 })
    expect(atSec(token, 300).ok).toBe(true)
    expect(atSec(token, 304.999).ok).toBe(true)
    expect(atSec(token, 305)).toMatchObject({ ok: false, code: 'token_expired' })
  })

  test('nbf: accepted from 5 s before it', () => {
    const token = issuer.token({ nbf: NOW_SEC + 100 })
    expect(atSec(token, 95).ok).toBe(true)
    expect(atSec(token, 94)).toMatchObject({ ok: false, code: 'token_not_yet_valid' })
  })

  test('iat: accepted from 5 s before it', () => {
    const token = issuer.token({ iat: NOW_SEC + 100 })
    expect(atSec(token, 95).ok).toBe(true)
    expect(atSec(token, 94)).toMatchObject({ ok: false, code: 'token_issued_in_future' })
  })

  test('the answer to a forged token does not reveal that it has expired', () => {
    const forged = issuer.token({ exp: NOW_SEC - 1 }, { kid: issuer.key.kid }, createTestKey())
    expect(verify(forged)).toMatchObject({ ok: false })
    expect(verify(forged)).not.toMatchObject({ code: 'token_expired' })
  })
})

describe('the cache of verified tokens', () => {
  function createVerifier(cacheEntriesMax: number, clock = () => NOW_MS) {
    return createAccessTokenVerifier({
      keys,
      issuer: issuer.url,
      audience,
      clock,
      cacheEntriesMax,
    })
  }

  test('returns the same deeply frozen claims again', () => {
    const verifier = createVerifier(8)
    const token = issuer.token({ plan: { name: 'gold' } })
    const first = verifier.verify(token)
    const second = verifier.verify(token)
    if (!first.ok || !second.ok) throw new Error('refused')
    expect(second.claims).toEqual({ ...issuer.claims(), plan: { name: 'gold' } })
    expect(second.claims).toBe(first.claims)
    for (const part of [first.claims, first.claims.roles, first.claims['plan']]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })

  test('is off by default: each answer is a new object', () => {
    const verifier = createVerifier(0)
    const token = issuer.token()
    const [first, second] = [verifier.verify(token), verifier.verify(token)]
    if (!first.ok || !second.ok) throw new Error('refused')
    expect(second.claims).not.toBe(first.claims)
    expect(Object.isFrozen(first.claims)).toBe(false)
  })

  test('is on in a guard', async () => {
    const local = await new TestIssuer().start()
    const token = local.token()
    for (const [cacheEntriesMax, isSame] of [
      [undefined, true],
      [0, false],
    ] as const) {
      const guard = createGuard({
        issuer: local.url,
        clock: () => NOW_MS,
        ...(cacheEntriesMax === undefined ? {} : { cacheEntriesMax }),
      })
      const [first, second] = [await guard.verify(token), await guard.verify(token)]
      if (!first.ok || !second.ok) throw new Error('refused')
      expect(second.claims === first.claims).toBe(isSame)
      guard.close()
    }
    await local.stop()
  })

  test('refuses a claim of a wrong type at the second use too', () => {
    const verifier = createVerifier(8)
    for (const [claim, value] of Object.entries({ rvp: '7', roles: 'admin', csh: 7, tid: '' })) {
      const token = issuer.token({ [claim]: value })
      for (let sight = 0; sight < 3; sight++) {
        expect(verifier.verify(token)).toEqual({ ok: false, code: 'claim_invalid', claim })
      }
    }
  })

  test('accepts no token after its expiry', () => {
    let nowMs = NOW_MS
    const verifier = createVerifier(8, () => nowMs)
    const token = issuer.token({ exp: NOW_SEC + 300 })
    for (const [atSec, code] of [
      [0, undefined],
      [304.999, undefined],
      [305, 'token_expired'],
      [10, undefined],
      [-5.001, 'token_issued_in_future'],
    ] as const) {
      nowMs = NOW_MS + atSec * 1000
      const expected = code === undefined ? { ok: true } : { ok: false, code }
      expect(verifier.verify(token), `${atSec} s`).toMatchObject(expected)
    }
  })

  test('returns the same results as a verifier without a cache', () => {
    let nowMs = NOW_MS
    const [cached, bare] = [8, 0].map((size) => createVerifier(size, () => nowMs))
    const name = fc.constantFrom('sub', 'sid', 'rvp', 'roles', 'tid', 'amr', 'csh', 'exp', 'nbf')
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom(NOW_SEC + 9, NOW_SEC, 'x', ['x']))
    const sights = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 2, maxLength: 4 })
    fc.assert(
      fc.property(fc.dictionary(name, value, { maxKeys: 2 }), sights, (changes, secs) => {
        const token = issuer.token(changes)
        for (const sec of secs) {
          nowMs = NOW_MS + sec * 1000
          expect(cached?.verify(token)).toEqual(bare?.verify(token))
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('the explanation of an access token', () => {
  const options = { keys, issuer: issuer.url, audience, clock: () => NOW_MS }

  function failures(token: string): readonly string[] {
    return explainAccessToken(token, options).flatMap(({ check, refused }) =>
      refused === undefined ? [] : `${check}: ${[refused.code, refused.claim].join(' ').trim()}`,
    )
  }

  test('has no failed check for an accepted token', () => {
    expect(failures(issuer.token())).toEqual([])
    expect(explainAccessToken(issuer.token(), options).at(-1)?.check).toBe('access_claims')
  })

  test('has every failed check, with those of this package last', () => {
    const token = issuer.token({
      iat: NOW_SEC - 360,
      exp: NOW_SEC - 60,
      iss: 'https://other',
      rvp: -1,
    })
    expect(failures(token)).toEqual([
      'exp: token_expired',
      'iss: issuer_mismatch',
      'access_claims: claim_invalid rvp',
    ])
    expect(failures(issuer.token({ sid: undefined }))).toEqual(['access_claims: claim_missing sid'])
  })

  test('of text that is not a token has one check', () => {
    expect(failures('a.b')).toEqual(['form: token_malformed'])
  })
})
