import { expect, test } from 'vitest'
import {
  importSigningKey,
  importVerifyingKey,
  jwkThumbprint,
  signJws,
  verifyJws,
} from '../src/index.ts'

const PAYLOAD =
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'

const rsaJwk = {
  kty: 'RSA',
  n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
  e: 'AQAB',
}

const ed25519Jwk = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
}

test('RFC 7515 A.1: HS256', () => {
  const jwk = {
    kty: 'oct',
    k: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  }
  const token = `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`
  const key = importVerifyingKey({ jwk }, { alg: 'HS256' })
  expect(verifyJws(token, key, { typ: 'jwt' })).toMatchObject({ ok: true, header: { typ: 'JWT' } })
})

test('RFC 7515 A.2: RS256', () => {
  const signature =
    'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw'
  const key = importVerifyingKey({ jwk: rsaJwk }, { alg: 'RS256' })
  expect(verifyJws(`eyJhbGciOiJSUzI1NiJ9.${PAYLOAD}.${signature}`, key).ok).toBe(true)
})

test('RFC 7515 A.3: ES256', () => {
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  }
  const signature =
    'DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q'
  const key = importVerifyingKey({ jwk }, { alg: 'ES256' })
  expect(verifyJws(`eyJhbGciOiJFUzI1NiJ9.${PAYLOAD}.${signature}`, key).ok).toBe(true)
})

test('RFC 8037 A.4 and A.5: Ed25519, under its old name only where the JWK says so', () => {
  const token =
    'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg'
  const { d: _, ...jwk } = ed25519Jwk
  const strict = importVerifyingKey({ jwk }, { alg: 'Ed25519' })
  const lenient = importVerifyingKey({ jwk: { ...jwk, alg: 'EdDSA' } }, { alg: 'Ed25519' })
  expect(verifyJws(token, strict)).toEqual({ ok: false, code: 'algorithm_mismatch' })
  expect(verifyJws(token, lenient).ok).toBe(true)
})

test('Ed25519 is written under its new name (RFC 9864 §2.2)', () => {
  const jwk = { ...ed25519Jwk, alg: 'EdDSA' }
  const jws = signJws(Buffer.from('x'), importSigningKey({ jwk }, { alg: 'Ed25519', kid: 'k' }))
  const header = Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString()
  expect(header).toBe('{"alg":"Ed25519","kid":"k"}')
})

test('RFC 7638 3.1: thumbprint of an RSA key, whatever else it says', () => {
  const jwk = {
    kty: 'RSA',
    n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
    e: 'AQAB',
    alg: 'RS256',
    kid: '2011-04-29',
  }
  expect(jwkThumbprint(jwk)).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
})

test('RFC 8037 A.3: thumbprint of an Ed25519 key, from either half', () => {
  const thumbprint = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'
  expect(jwkThumbprint(ed25519Jwk)).toBe(thumbprint)
  expect(importSigningKey({ jwk: ed25519Jwk }, { alg: 'Ed25519' }).kid).toBe(thumbprint)
})

test.each([
  ['a secret', { kty: 'oct', k: 'AAAA' }],
  ['a missing member', { kty: 'RSA', n: 'AQAB' }],
  ['another spelling', { kty: 'RSA', n: 'AQAB', e: 'AQAB=' }],
  ['an inherited member', Object.create(rsaJwk)],
  ['no object', 'RSA'],
  ['null', null],
])('there is no thumbprint of %s', (_name, jwk) => {
  expect(() => jwkThumbprint(jwk)).toThrow(TypeError)
})
