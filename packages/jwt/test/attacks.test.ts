import { createHmac, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import {
  createKeySet,
  createSigner,
  encodeBase64url,
  importSigningKey,
  importVerifyingKey,
  publicJwkOf,
  verifyingKeyOf,
  type JwtRefusalCode,
} from '../src/index.ts'
import {
  encodePart,
  hsHeader,
  keyObjectFor,
  signEncoded,
  signingKeyFor,
  signParts,
  validClaims,
  verifierFor,
} from './tokens.ts'

const hs = signingKeyFor('HS256')
const hsVerifier = verifierFor(hs)
const claims = validClaims()
const claimsText = JSON.stringify(claims)

function refusalOf(token: string): JwtRefusalCode | 'accepted' {
  const result = hsVerifier.verify(token)
  return result.ok ? 'accepted' : result.code
}

test('control: a token signed by these helpers is accepted', () => {
  expect(refusalOf(signParts(hsHeader, claims))).toBe('accepted')
  expect(refusalOf(signParts({ kid: 'shared', cty: 'x', ...hsHeader }, claims))).toBe('accepted')
})

describe('algorithm', () => {
  test.each(['none', 'nOnE', 'None', 'NONE', 'hs256', 'HS256 ', 'HS384', 'RS256', ''])(
    'header alg %j is refused, with the right signature, another one and none',
    (alg) => {
      const [header, payload] = [encodePart({ ...hsHeader, alg }), encodePart(claims)]
      expect(refusalOf(signEncoded(header, payload))).toBe('algorithm_mismatch')
      expect(refusalOf(`${header}.${payload}.AA`)).toBe('algorithm_mismatch')
      expect(refusalOf(`${header}.${payload}.`)).toBe('token_malformed')
    },
  )

  test.each([[['HS256']], [null], [256], [{ HS256: true }], [true]])(
    'alg %j is refused, because it is not a name',
    (alg) => {
      expect(refusalOf(signParts({ ...hsHeader, alg }, claims))).toBe('header_invalid')
    },
  )

  test('an HMAC with the public key of RS256 as secret is refused', () => {
    const rs = signingKeyFor('RS256')
    const pem = publicPem('RS256')
    const input = `${encodePart({ ...hsHeader, kid: rs.kid })}.${encodePart(claims)}`
    for (const text of [pem, pem.trim(), JSON.stringify(publicJwkOf(rs))]) {
      const token = `${input}.${createHmac('sha256', text).update(input).digest('base64url')}`
      expect(verifierFor(rs).verify(token)).toEqual({ ok: false, code: 'algorithm_mismatch' })
    }
  })

  test('an RSA key for RS256 refuses a PS256 token, and a PS256 key refuses RS256', () => {
    const [rs, ps] = [signingKeyFor('RS256'), signingKeyFor('PS256')]
    for (const [signer, other] of [
      [rs, ps],
      [ps, rs],
    ] as const) {
      const token = createSigner(signer, { typ: 'at+jwt' }).sign(claims)
      expect(verifierFor(other).verify(token)).toEqual({ ok: false, code: 'algorithm_mismatch' })
      // The same signature under the other name must be refused by the key itself.
      const [, payload, signature] = token.split('.')
      const header = encodePart({ alg: other.alg, typ: 'at+jwt' })
      const renamed = `${header}.${payload}.${signature}`
      expect(verifierFor(other).verify(renamed)).toEqual({ ok: false, code: 'signature_invalid' })
    }
  })

  test.each([0, 20, 31, 33, 48])('PS256 with a salt of %i bytes is refused', (saltLength) => {
    const key = keyObjectFor('PS256') as KeyObject
    const input = `${encodePart({ alg: 'PS256', typ: 'at+jwt' })}.${encodePart(claims)}`
    const signature = sign('sha256', Buffer.from(input), { key, padding: 6, saltLength })
    const token = `${input}.${encodeBase64url(signature)}`
    expect(verifierFor(signingKeyFor('PS256')).verify(token).ok).toBe(false)
  })
})

describe('signature', () => {
  const es = signingKeyFor('ES256')
  const input = `${encodePart({ alg: 'ES256', typ: 'at+jwt' })}.${encodePart(claims)}`
  const refused = { ok: false, code: 'signature_invalid' }
  const N = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'

  test.each([
    ['r = s = 0', '00'.repeat(64)],
    ['r = 0', '00'.repeat(32) + '01'.repeat(32)],
    ['s = 0', '01'.repeat(32) + '00'.repeat(32)],
    ['r = s = n', N + N],
    ['all ones', 'ff'.repeat(64)],
    ['63 bytes', '01'.repeat(63)],
    ['65 bytes', '01'.repeat(65)],
    ['128 bytes', '00'.repeat(128)],
  ])('ES256 with %s is refused', (_name, hex) => {
    expect(verifierFor(es).verify(`${input}.${encodeBase64url(Buffer.from(hex, 'hex'))}`)).toEqual(
      refused,
    )
  })

  test('ES256 with a DER signature is refused', () => {
    const der = sign('sha256', Buffer.from(input), keyObjectFor('ES256') as KeyObject)
    expect(verifierFor(es).verify(`${input}.${encodeBase64url(der)}`)).toEqual(refused)
  })

  test.each(['HS256', 'RS256', 'Ed25519', 'ES384'] as const)(
    '%s: only one spelling of the last character passes',
    (alg) => {
      const key = signingKeyFor(alg)
      const token = createSigner(key, { typ: 'at+jwt' }).sign(claims)
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      const passing = [...alphabet].filter(
        (last) => verifierFor(key).verify(token.slice(0, -1) + last).ok,
      )
      expect(passing).toEqual([token.at(-1)])
    },
  )

  test('the answer to a forged token never reveals that it is expired', () => {
    const token = signParts(hsHeader, validClaims({ exp: 1 }))
    expect(refusalOf(token)).toBe('token_expired')
    expect(refusalOf(`${token.slice(0, -43)}${'A'.repeat(43)}`)).toBe('signature_invalid')
  })
})

describe('shape of the token', () => {
  const token = signParts(hsHeader, claims)

  test.each([
    ['padding after it', `${token}=`, 'signature_invalid'],
    ['a line end after it', `${token}\n`, 'signature_invalid'],
    ['a space before it', ` ${token}`, 'header_invalid'],
    ['four parts', `${token}.AA`, 'token_malformed'],
    ['five parts, as a JWE', 'e30.AA.AA.AA.AA', 'token_malformed'],
    ['two parts', token.slice(0, token.lastIndexOf('.')), 'token_malformed'],
    ['one part', 'AAAA', 'token_malformed'],
    ['nothing', '', 'token_malformed'],
    ['dots', '..', 'token_malformed'],
    ['no payload', `${encodePart(hsHeader)}..AA`, 'token_malformed'],
    ['the JSON serialization', '{"payload":"","signatures":[]}', 'token_malformed'],
    ['8,193 characters', 'A'.repeat(8193), 'token_too_large'],
    ['ten megabytes of dots', '.'.repeat(10_000_000), 'token_too_large'],
    [
      'a header over 1 KiB',
      signParts({ ...hsHeader, pad: 'x'.repeat(1000) }, claims),
      'header_invalid',
    ],
  ])('%s is refused', (_name, text, code) => {
    expect(refusalOf(text)).toBe(code)
  })

  test.each([[undefined], [null], [1], [{}], [['a.b.c']], [Buffer.from('a.b.c')]])(
    'a value that is not text is refused: %j',
    (value) => {
      expect(refusalOf(value as never)).toBe('token_malformed')
    },
  )

  test('8,192 characters are read', () => {
    const pad = (count: number) => signParts(hsHeader, { ...claims, pad: 'x'.repeat(count) })
    const count = Math.floor(((8192 - pad(0).length) * 3) / 4)
    expect(pad(count).length).toBeGreaterThan(8188)
    expect(pad(count).length).toBeLessThanOrEqual(8192)
    expect(refusalOf(pad(count))).toBe('accepted')
  })

  test('another alphabet or padding in a part is refused, even with a valid signature', () => {
    const header = encodePart(hsHeader)
    const text = JSON.stringify({ ...claims, a: '>>>???~~~' })
    for (const pad of ['', ' ', '  ']) {
      const standard = Buffer.from(text + pad).toString('base64')
      if (standard === encodePart(text + pad)) continue
      expect(refusalOf(signEncoded(header, standard))).toBe('payload_invalid')
    }
    expect(refusalOf(signEncoded(`${header}=`, encodePart(claims)))).toBe('header_invalid')
  })

  test('a character 256 code points higher is refused, even with a valid signature', () => {
    const payload = encodePart(claims)
    const alias = String.fromCharCode(payload.charCodeAt(5) + 256)
    const altered = payload.slice(0, 5) + alias + payload.slice(6)
    expect(refusalOf(signEncoded(encodePart(hsHeader), altered))).not.toBe('accepted')
    const [header, , signature] = token.split('.')
    expect(refusalOf(`${header}.${altered}.${signature}`)).toBe('signature_invalid')
  })
})

describe('header', () => {
  const header = (more: string) => `{"alg":"HS256","typ":"at+jwt"${more}}`

  test.each([
    ['crit with an unknown name', ',"crit":["exp2"],"exp2":1'],
    ['crit with a registered claim', ',"crit":["exp"],"exp":1'],
    ['crit with itself', ',"crit":["crit"]'],
    ['crit with equal entries', ',"crit":["a","a"],"a":1'],
    ['crit with __proto__', ',"crit":["__proto__"]'],
    ['an empty crit', ',"crit":[]'],
    ['crit null', ',"crit":null'],
    ['crit as text', ',"crit":"exp"'],
    ['crit false', ',"crit":false'],
    ['b64 false without crit', ',"b64":false'],
    ['b64 false with crit', ',"b64":false,"crit":["b64"]'],
    ['b64 true', ',"b64":true'],
  ])('%s is refused', (_name, more) => {
    expect(refusalOf(signParts(header(more), claims))).toBe('critical_unknown')
  })

  test.each([
    ['a duplicate alg', ',"alg":"HS256"'],
    ['a duplicate alg, escaped', ',"\\u0061lg":"none"'],
    ['a duplicate of an ignored member', ',"x":1,"x":1'],
    ['__proto__', ',"__proto__":{"alg":"none"}'],
    ['a kid that is a path', ',"kid":"../../dev/null"'],
    ['a kid that is SQL', `,"kid":"' OR 1=1--"`],
    ['a kid with a NUL', ',"kid":"a\\u0000"'],
    ['an empty kid', ',"kid":""'],
    ['a kid of 65 characters', `,"kid":"${'a'.repeat(65)}"`],
    ['a kid that is a list', ',"kid":["shared"]'],
    ['a kid that is a number', ',"kid":1'],
    ['a kid that is null', ',"kid":null'],
    ['a cty that is not text', ',"cty":1'],
    ['nesting of 11', `,"x":${'['.repeat(10)}${']'.repeat(10)}`],
  ])('%s is refused', (_name, more) => {
    expect(refusalOf(signParts(header(more), claims))).toBe('header_invalid')
  })

  test.each([
    ['an array', '[]'],
    ['null', 'null'],
    ['text', '"HS256"'],
    ['no JSON', '{'],
    ['nothing', ' '],
    ['a byte order mark', '\uFEFF{"alg":"HS256","typ":"at+jwt"}'],
    ['UTF-16', Buffer.from('{"alg":"HS256","typ":"at+jwt"}', 'utf16le')],
    ['invalid UTF-8', Buffer.from('{"alg":"HS256","typ":"at+jwt","x":"\xff"}', 'latin1')],
  ])('%s is refused as a header', (_name, part) => {
    expect(refusalOf(signParts(part, claims))).toBe('header_invalid')
  })

  test.each(['constructor', '__proto__', 'toString', 'other'])('kid %s is unknown', (kid) => {
    const token = signParts({ ...hsHeader, kid }, claims)
    const keys = createKeySet([verifyingKeyOf(hs)])
    expect(refusalOf(token)).toBe('key_unknown')
    expect(verifierFor(hs, { keys }).verify(token)).toEqual({ ok: false, code: 'key_unknown' })
  })

  test('with a key set, a token must name its key', () => {
    const keys = createKeySet([verifyingKeyOf(hs)])
    const verifier = verifierFor(hs, { keys })
    expect(verifier.verify(signParts(hsHeader, claims))).toEqual({ ok: false, code: 'key_unknown' })
    expect(verifier.verify(signParts({ ...hsHeader, kid: 'shared' }, claims)).ok).toBe(true)
  })

  test('a key in the token is not used, and no URL in it is fetched', async () => {
    let requests = 0
    const server = createServer((_request, response) => {
      requests++
      response.end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`

    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const attacker = importSigningKey({ keyObject: privateKey }, { alg: 'ES256' })
    const embedded = { jwk: publicJwkOf(attacker), jku: url, x5u: url, x5c: ['AAAA'] }
    const input = `${encodePart({ alg: 'ES256', typ: 'at+jwt', ...embedded })}.${encodePart(claims)}`
    const signature = sign('sha256', Buffer.from(input), {
      key: privateKey,
      dsaEncoding: 'ieee-p1363',
    })
    const verifier = verifierFor(signingKeyFor('ES256'))
    const token = `${input}.${encodeBase64url(signature)}`
    expect(verifier.verify(token)).toEqual({ ok: false, code: 'signature_invalid' })

    await new Promise((resolve) => setTimeout(resolve, 50))
    server.close()
    expect(requests).toBe(0)
  })
})

describe('payload', () => {
  test.each([
    ['a duplicate sub', `{"sub":"attacker",${claimsText.slice(1)}`],
    ['a duplicate sub, escaped', `{"s\\u0075b":"attacker",${claimsText.slice(1)}`],
    ['a nested duplicate', `{"x":[{"a":1,"a":2}],${claimsText.slice(1)}`],
    ['__proto__', `{"__proto__":{"admin":true},${claimsText.slice(1)}`],
    ['exp 1e400', `{"exp":1e400}`],
    ['100,000 levels', `{"x":${'['.repeat(3000)}${']'.repeat(3000)}}`],
    ['11 levels', `{"x":${'['.repeat(10)}${']'.repeat(10)},${claimsText.slice(1)}`],
    ['an array', `[${claimsText}]`],
    ['text', '"x"'],
    ['null', 'null'],
    ['no JSON', '{]'],
    ['a byte order mark', `\uFEFF${claimsText}`],
    ['UTF-16', Buffer.from(claimsText, 'utf16le')],
    ['invalid UTF-8', Buffer.from(`{"x":"\xff",${claimsText.slice(1)}`, 'latin1')],
    ['an overlong NUL', Buffer.from(`{"x":"\xc0\x80",${claimsText.slice(1)}`, 'latin1')],
    ['half a surrogate pair', Buffer.from(`{"x":"\xed\xa0\x80",${claimsText.slice(1)}`, 'latin1')],
  ])('%s is refused', (_name, part) => {
    expect(refusalOf(signParts(hsHeader, part))).toBe('payload_invalid')
  })

  test('10 levels, U+FFFD and text outside ASCII are accepted', () => {
    const x = { levels: JSON.parse('['.repeat(8) + ']'.repeat(8)), text: 'é \uFFFD 🦊' }
    expect(refusalOf(signParts(hsHeader, { ...claims, x }))).toBe('accepted')
  })
})

describe('typ', () => {
  test.each(['at+jwt', 'AT+JWT', 'application/at+jwt', 'Application/At+Jwt'])(
    '%s is an access token',
    (typ) => {
      expect(refusalOf(signParts({ ...hsHeader, typ }, claims))).toBe('accepted')
    },
  )

  test.each([
    'JWT',
    'rt+jwt',
    'logout+jwt',
    'at+jwt ',
    'at+jw',
    'x/at+jwt',
    'application/',
    'application/application/at+jwt',
    '',
    'at+jwt;a=b',
  ])('%j is not an access token', (typ) => {
    expect(refusalOf(signParts({ ...hsHeader, typ }, claims))).toBe('typ_mismatch')
  })

  test('a missing typ is refused', () => {
    expect(refusalOf(signParts({ alg: 'HS256' }, claims))).toBe('typ_mismatch')
  })

  test('the Kelvin sign does not become a k', () => {
    const verifier = verifierFor(hs, { typ: 'token' })
    expect(verifier.verify(signParts({ ...hsHeader, typ: 'to\u212aen' }, claims)).ok).toBe(false)
  })
})

test('a verifying key is refused as a secret, with any text around it', () => {
  const pem = publicPem('RS256')
  for (const text of [
    pem,
    `\uFEFF${pem}`,
    `\u200B${pem}`,
    `# key\n${pem}`,
    pem.replaceAll('\n', '\r\n'),
  ]) {
    for (const bytes of [Buffer.from(text), Buffer.from(text, 'utf16le')]) {
      expect(() => importVerifyingKey({ secret: bytes }, { alg: 'HS256' })).toThrow(TypeError)
    }
    expect(() => importVerifyingKey({ pem: text }, { alg: 'HS256' })).toThrow(TypeError)
  }
})

function publicPem(alg: 'RS256'): string {
  const publicKey = createPublicKey(keyObjectFor(alg) as KeyObject)
  return publicKey.export({ format: 'pem', type: 'spki' }).toString()
}
