import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import * as jwt from '../src/index.ts'
import {
  createKeySet,
  createSigner,
  createVerifier,
  encodeBase64url,
  importSigningKey,
  importVerifyingKey,
  keySetFromJwks,
  publicJwkOf,
  verifyingKeyOf,
  verifyJws,
  type KeySet,
  type Verifier,
} from '../src/index.ts'
import {
  algorithms,
  encodePart,
  hsHeader,
  keyObjectFor,
  NOW_MS,
  NOW_SEC,
  signEncoded,
  signingKeyFor,
  signParts,
  validClaims,
  verifierFor,
} from './tokens.ts'

// One test for each advisory about another library that could apply to a package like this one.

const hs = signingKeyFor('HS256')
const rs = signingKeyFor('RS256')
const claims = validClaims()
const valid = signParts(hsHeader, claims)

function answer(token: string, verifier: Verifier = verifierFor(hs)): string {
  const result = verifier.verify(token)
  if (result.ok) return 'accepted'
  return result.claim === undefined ? result.code : `${result.code} ${result.claim}`
}

describe('fast-jwt', () => {
  test('CVE-2025-30144: an iss that is a list with the right issuer', () => {
    for (const iss of [['I'], ['evil', 'I'], [['I']], { 0: 'I' }, { toString: 'I' }]) {
      expect(answer(signParts(hsHeader, validClaims({ iss })))).toBe('claim_invalid iss')
    }
  })

  test('CVE-2026-35039: no token gets the result of another token', () => {
    const verifier = verifierFor(hs)
    const tokens = Array.from({ length: 200 }, (_, at) =>
      signParts(hsHeader, validClaims({ sub: `user-${at}` })),
    )
    for (let round = 0; round < 3; round++) {
      for (const [at, token] of tokens.entries()) {
        expect(verifier.verify(token)).toMatchObject({ ok: true, claims: { sub: `user-${at}` } })
        const other = tokens[(at + 1) % tokens.length] ?? ''
        // The start of one and the end of the other: everything but the whole text is equal.
        const mixed = other.slice(0, other.lastIndexOf('.')) + token.slice(token.lastIndexOf('.'))
        expect(answer(mixed, verifier)).toBe('signature_invalid')
      }
    }
  })

  test('CVE-2026-35042: an unknown crit', () => {
    for (const crit of ['["x"]', '["exp"]', '["alg"]', '["__proto__"]', '["b64"]', '["x","x"]']) {
      for (const member of ['', ',"x":1,"exp":1,"b64":true']) {
        const header = `{"alg":"HS256","typ":"at+jwt","crit":${crit}${member}}`
        expect(answer(signParts(header, claims))).toBe('critical_unknown')
      }
    }
    for (const crit of ['[]', 'null', '""', '"x"', 'false', '0', '{}', '[[]]', '[null]', '[1]']) {
      const header = `{"alg":"HS256","typ":"at+jwt","crit":${crit}}`
      expect(answer(signParts(header, claims))).toBe('critical_unknown')
      expect(verifyJws(signParts(header, claims), verifyingKeyOf(hs))).toMatchObject({
        code: 'critical_unknown',
      })
    }
    const twice = '{"alg":"HS256","typ":"at+jwt","crit":["x"],"crit":[],"x":1}'
    expect(answer(signParts(twice, claims))).toBe('header_invalid')
    const escaped = '{"alg":"HS256","typ":"at+jwt","cr\\u0069t":["x"],"x":1}'
    expect(answer(signParts(escaped, claims))).toBe('critical_unknown')
  })

  test('CVE-2026-35041, GHSA-3j8v-cgw4-2g6q: no option accepts a pattern', () => {
    const options = { keys: verifyingKeyOf(hs), typ: 'at+jwt', issuer: 'I', audience: 'A' }
    for (const pattern of [/I/, /(a+)+$/, /A/g, /A/y]) {
      for (const name of ['issuer', 'audience', 'typ', 'requiredClaims', 'keys']) {
        expect(() => createVerifier({ ...options, [name]: pattern } as never)).toThrow(TypeError)
      }
      expect(() => createVerifier({ ...options, audience: [pattern] } as never)).toThrow(TypeError)
    }
    const verifier = verifierFor(hs)
    for (let round = 0; round < 4; round++) expect(answer(valid, verifier)).toBe('accepted')
  })

  test('CVE-2026-44351: no kid leads to an empty key', () => {
    const input = `${encodePart({ ...hsHeader, kid: 'unknown' })}.${encodePart(claims)}`
    const forged = `${input}.${createHmac('sha256', '').update(input).digest('base64url')}`
    const keys = createKeySet([verifyingKeyOf(hs)])
    expect(answer(forged, verifierFor(hs, { keys }))).toBe('key_unknown')
    for (const nothing of ['', undefined, null, Buffer.alloc(0), Buffer.alloc(31)]) {
      expect(() => importVerifyingKey({ secret: nothing } as never, { alg: 'HS256' })).toThrow(
        TypeError,
      )
    }
    // A key set made by the caller cannot add such a key, now or later.
    for (const smuggled of ['', undefined, null, { alg: 'HS256', kid: 'unknown' }]) {
      const fake = { keys: [verifyingKeyOf(hs)], get: () => smuggled } as unknown as KeySet
      expect(answer(forged, verifierFor(hs, { keys: fake }))).toBe('key_unknown')
    }
  })

  test('GHSA-8wpc-h4q6-8fxv: a verifier needs a key', () => {
    for (const keys of [
      undefined,
      null,
      '',
      false,
      [],
      {},
      { keys: undefined },
      Buffer.alloc(32),
    ]) {
      const options = { keys, typ: 'at+jwt', issuer: 'I', audience: 'A' }
      expect(() => createVerifier(options as never)).toThrow(TypeError)
      expect(() => verifyJws(valid, keys as never)).toThrow(TypeError)
    }
    const empty = verifierFor(hs, { keys: createKeySet([]) })
    expect(answer(valid, empty)).toBe('key_unknown')
  })
})

describe('jose, node-jose', () => {
  test('CVE-2022-36083, CVE-2024-28176, CVE-2021-29443: nothing is ever decrypted or unpacked', () => {
    expect(Object.keys(jwt).filter((name) => /crypt|unzip|deflate|password/i.test(name))).toEqual(
      [],
    )
    const headers = [
      { alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2 ** 31, p2s: 'AAAA' },
      { alg: 'dir', enc: 'A128CBC-HS256', zip: 'DEF' },
      { alg: 'ECDH-ES', enc: 'A128GCM', epk: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' } },
    ]
    const before = performance.now()
    for (const header of headers) {
      const part = encodePart({ typ: 'at+jwt', ...header })
      expect(answer(`${part}.AAAA.AAAA.AAAA.AAAA`)).toBe('token_malformed')
      expect(answer(signEncoded(part, encodePart(claims)))).toBe('algorithm_mismatch')
    }
    expect(performance.now() - before).toBeLessThan(5000)
  })

  test('a zip parameter on a signed token unpacks nothing', () => {
    expect(answer(signParts({ ...hsHeader, zip: 'DEF' }, claims))).toBe('accepted')
    expect(answer(signParts({ ...hsHeader, zip: 'DEF' }, randomBytes(40)))).toBe('payload_invalid')
  })

  test('CVE-2018-0114: keys and addresses in the header are not used, and no request is made', async () => {
    let connections = 0
    const canary = createServer((socket) => {
      connections++
      socket.destroy()
    })
    await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve))
    const address = canary.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0

    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const attacker = importSigningKey({ keyObject: privateKey }, { alg: 'ES256', kid: 'evil' })
    const jwk = publicJwkOf(attacker)
    for (const scheme of ['http', 'https', 'ftp', 'ws', 'file']) {
      const url = `${scheme}://127.0.0.1:${port}/${scheme}`
      const own = { jku: url, x5u: url, jwk, x5c: [url], iss: url, kid: 'evil' }
      for (const more of [own, { ...own, kid: undefined }]) {
        const input = `${encodePart({ alg: 'ES256', typ: 'at+jwt', ...more })}.${encodePart(claims)}`
        const options = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
        const token = `${input}.${encodeBase64url(sign('sha256', Buffer.from(input), options))}`
        const key = signingKeyFor('ES256')
        const keys = createKeySet([verifyingKeyOf(key)])
        expect(answer(token, verifierFor(key))).toMatch(/^(signature_invalid|key_unknown)$/)
        expect(answer(token, verifierFor(key, { keys }))).toBe('key_unknown')
        expect(keySetFromJwks({ keys: [{ jku: url, x5u: url, kid: 'a' }] })?.keys).toEqual([])
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    canary.close()
    expect(connections).toBe(0)
  })

  test('CVE-2026-22817: a JWK without alg does not get one from a token', () => {
    const { alg: _, ...jwk } = publicJwkOf(rs)
    expect(keySetFromJwks({ keys: [jwk] })?.keys).toEqual([])
    expect(() => importVerifyingKey({ jwk }, { alg: undefined as never })).toThrow(TypeError)
    const ps = importVerifyingKey({ jwk }, { alg: 'PS256' })
    const token = createSigner(rs, { typ: 'at+jwt' }).sign(claims)
    expect(answer(token, verifierFor(rs, { keys: ps }))).toBe('algorithm_mismatch')
  })

  test('CVE-2025-45767: weak keys are errors, whatever the algorithm', () => {
    for (const [alg, bytes] of [
      ['HS256', 31],
      ['HS384', 47],
      ['HS512', 63],
    ] as const) {
      const secret = randomBytes(bytes)
      expect(() => importSigningKey({ secret }, { alg })).toThrow(TypeError)
      expect(() => importVerifyingKey({ secret }, { alg })).toThrow(TypeError)
    }
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    for (const alg of algorithms.filter((name) => /^[RP]S/.test(name))) {
      expect(() => importSigningKey({ keyObject: weak.privateKey }, { alg })).toThrow('2048')
      expect(() => importVerifyingKey({ keyObject: weak.publicKey }, { alg })).toThrow('2048')
      const jwk = weak.publicKey.export({ format: 'jwk' })
      expect(() => importVerifyingKey({ jwk }, { alg })).toThrow('2048')
      expect(keySetFromJwks({ keys: [{ ...jwk, alg, kid: 'weak' }] })?.keys).toEqual([])
    }
  })
})

describe('jsonwebtoken, node-jws', () => {
  test('CVE-2015-9235: the key decides the algorithm', () => {
    const unsigned = `${encodePart({ ...hsHeader, alg: 'none' })}.${encodePart(claims)}`
    for (const end of ['', '.', '.AA', '..', `.${valid.split('.')[2]}`]) {
      expect(answer(unsigned + end)).not.toBe('accepted')
    }
  })

  test('CVE-2022-23539: a key of the wrong kind is refused', () => {
    for (const alg of algorithms) {
      for (const other of algorithms) {
        const [keyObject, expected] = [keyObjectFor(other), keyObjectFor(alg)]
        if (keyObject === expected) continue
        if (keyObject === undefined) continue
        expect(() => importSigningKey({ keyObject }, { alg }), `${other} for ${alg}`).toThrow(
          TypeError,
        )
      }
    }
  })

  test('CVE-2022-23540, -23541: there is no default algorithm and no falsy key', () => {
    for (const alg of [undefined, null, '', false, 0, 'none', ['RS256'], 'constructor']) {
      expect(() => importSigningKey({ secret: randomBytes(64) }, { alg: alg as never })).toThrow(
        TypeError,
      )
    }
    for (const input of [undefined, null, '', false, 0, {}, [], 'secret']) {
      expect(() => importVerifyingKey(input as never, { alg: 'HS256' })).toThrow(TypeError)
    }
  })

  test('GHSA-869p-cjfg-cm3x: only kid selects a key, no claim does', () => {
    const keys = createKeySet([verifyingKeyOf(hs), verifyingKeyOf(rs)])
    const named = validClaims({ kid: 'shared', alg: 'HS256' })
    expect(answer(signParts(hsHeader, named), verifierFor(hs, { keys }))).toBe('key_unknown')
    const kid = rs.kid
    expect(answer(signParts({ ...hsHeader, kid }, named), verifierFor(hs, { keys }))).toBe(
      'algorithm_mismatch',
    )
  })
})

describe('PyJWT, golang-jwt, go-jose, Java', () => {
  test('CVE-2024-53861: iss and aud must be equal, a part is not enough', () => {
    const url = 'https://auth.example.com'
    const verifier = verifierFor(hs, { issuer: url, audience: url })
    const part = (more: object) => signParts(hsHeader, { ...claims, iss: url, aud: url, ...more })
    expect(answer(part({}), verifier)).toBe('accepted')
    for (const other of [
      '',
      'h',
      'auth.example.com',
      `${url}/`,
      `${url}.evil`,
      'HTTPS://auth.example.com',
    ]) {
      expect(answer(part({ iss: other }), verifier)).toBe('issuer_mismatch')
      expect(answer(part({ aud: other }), verifier)).toBe('audience_mismatch')
      expect(answer(part({ aud: [other] }), verifier)).toBe('audience_mismatch')
    }
  })

  test('CVE-2020-26160: an aud of the wrong type matches nothing', () => {
    for (const aud of [null, 0, true, {}, [null], ['A', null], [['A']], { A: 'A' }]) {
      expect(answer(signParts(hsHeader, validClaims({ aud })))).toBe('claim_invalid aud')
    }
    expect(answer(signParts(hsHeader, validClaims({ aud: [] })))).toBe('audience_mismatch')
  })

  test('CVE-2024-51744: the answer to a forged token reveals nothing about its claims', () => {
    for (const more of [
      { exp: 1 },
      { exp: 'x' },
      { nbf: 2e9 },
      { iss: 'J' },
      { aud: [] },
      { sub: 1 },
    ]) {
      const token = signParts(hsHeader, validClaims(more))
      expect(answer(token)).not.toBe('signature_invalid')
      const forged = token.slice(0, token.lastIndexOf('.') + 1) + 'A'.repeat(43)
      expect(answer(forged)).toBe('signature_invalid')
    }
    const noJson = `${encodePart(hsHeader)}.${encodePart('not JSON')}.${'A'.repeat(43)}`
    expect(answer(noJson)).toBe('signature_invalid')
  })

  test('CVE-2025-30204, CVE-2025-27144: megabytes of dots cost nothing', () => {
    const dots = '.'.repeat(10_000_000)
    const before = performance.now()
    for (let round = 0; round < 100; round++) {
      expect(answer(dots)).toBe('token_too_large')
      expect(answer('.'.repeat(8192))).toBe('token_malformed')
      expect(verifyJws(dots, verifyingKeyOf(hs)).ok).toBe(false)
      expect(jwt.decodeUnverified(dots).ok).toBe(false)
    }
    expect(performance.now() - before).toBeLessThan(5000)
  })

  test('CVE-2022-21449: r and s outside 1 to n-1, on every curve', () => {
    const orders = {
      ES256: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
      ES384: `${'f'.repeat(48)}c7634d81f4372ddf581a0db248b0a77aecec196accc52973`,
      ES512: `01${'f'.repeat(63)}a51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`,
    }
    for (const alg of ['ES256', 'ES384', 'ES512'] as const) {
      const key = signingKeyFor(alg)
      const order = orders[alg]
      const width = order.length
      const hex = (value: bigint) => value.toString(16).padStart(width, '0')
      const n = BigInt(`0x${order}`)
      const input = createSigner(key, { typ: 'at+jwt' })
        .sign(claims)
        .replace(/[^.]+$/, '')
      for (const r of [0n, 1n, n - 1n, n, n + 1n]) {
        for (const s of [0n, 1n, n - 1n, n, n + 1n]) {
          const forged = encodeBase64url(Buffer.from(hex(r) + hex(s), 'hex'))
          expect(answer(input + forged, verifierFor(key))).toBe('signature_invalid')
        }
      }
    }
  })
})

test('a token with a kid of an invalid form is refused before any look-up', () => {
  const keys = createKeySet([verifyingKeyOf(hs)])
  for (const kid of [
    '../..',
    '/dev/null',
    'a.b',
    "' OR 1=1--",
    'a;b',
    'a b',
    'a\n',
    'é',
    '\0',
    'a'.repeat(65),
    '${x}',
    '%2e%2e',
    'http://a',
    '\u200B',
    '<script>',
  ]) {
    for (const verifier of [verifierFor(hs), verifierFor(hs, { keys })]) {
      expect(answer(signParts({ ...hsHeader, kid }, claims), verifier)).toBe('header_invalid')
    }
  }
  for (const kid of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'SHARED', 'share']) {
    for (const verifier of [verifierFor(hs), verifierFor(hs, { keys })]) {
      expect(answer(signParts({ ...hsHeader, kid }, claims), verifier)).toBe('key_unknown')
    }
  }
  const long = signParts({ ...hsHeader, kid: 'a'.repeat(1_000_000) }, claims)
  expect(answer(long)).toBe('token_too_large')
})

describe('the clock', () => {
  const token = signParts(hsHeader, validClaims({ nbf: NOW_SEC }))

  test('is read each time, so its steps back and forth take effect', () => {
    let now = NOW_MS
    const verifier = verifierFor(hs, { clock: () => now })
    for (const [shiftMs, expected] of [
      [0, 'accepted'],
      [-1, 'token_not_yet_valid'],
      [299_999, 'accepted'],
      [300_000, 'token_expired'],
      [0, 'accepted'],
      [1e12, 'token_expired'],
      [-NOW_MS, 'token_not_yet_valid'],
      [1, 'accepted'],
    ] as const) {
      now = NOW_MS + shiftMs
      expect(answer(token, verifier), String(shiftMs)).toBe(expected)
    }
  })

  test.each([
    [Number.NaN],
    [Infinity],
    [-Infinity],
    [undefined],
    ['0'],
    [new Date(NOW_MS)],
    [null],
  ])('that returns %j is an error, not a token that is valid forever', (now) => {
    const verifier = verifierFor(hs, { clock: (() => now) as never })
    expect(() => verifier.verify(token)).toThrow(TypeError)
    // A forger cannot cause the error.
    expect(answer(`${token.slice(0, -43)}${'A'.repeat(43)}`, verifier)).toBe('signature_invalid')
  })

  test.each([
    [-1],
    [-0.001],
    [60.001],
    [61],
    [Number.NaN],
    [Infinity],
    ['5'],
    [[5]],
    [null],
    [true],
  ])('a tolerance of %j is refused', (toleranceSec) => {
    expect(() => verifierFor(hs, { toleranceSec: toleranceSec as never })).toThrow(TypeError)
  })

  test.each([[0], [-1], [Number.NaN], [Infinity], ['60'], [null]])(
    'a longest age of %j is refused',
    (maxAgeSec) => {
      expect(() => verifierFor(hs, { maxAgeSec: maxAgeSec as never })).toThrow(TypeError)
    },
  )
})
