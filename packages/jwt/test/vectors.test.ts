import {
  constants,
  createHmac,
  createPublicKey,
  verify,
  X509Certificate,
  type JsonWebKey,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  importSigningKey,
  importVerifyingKey,
  jwkThumbprint,
  keySetFromJwks,
  publicJwkOf,
  signJws,
  verifyingKeyOf,
  verifyJws,
  type Algorithm,
} from '../src/index.ts'
import { signingMaterialOf } from '../src/key/key.ts'

/**
 * One JWS of an RFC. `answer` is `accepted` or the refusal's code. `signingInput` is absent if nothing is
 * signed.
 */
interface JwsVector {
  readonly source: string
  readonly alg: Algorithm
  readonly key: string
  readonly token: string
  readonly signingInput?: string
  readonly signature?: string
  readonly answer: string
  readonly why?: string
}

/** One JWS of an RFC in JSON serialization. */
interface JsonVector {
  readonly source: string
  readonly json: object
  readonly answer: string
  readonly why: string
}

interface Jwk extends JsonWebKey {
  readonly kid?: string
}

interface JwkVectors {
  readonly imports: readonly {
    readonly source: string
    readonly jwk: Jwk
    readonly half: 'signing' | 'verifying'
    readonly alg: Algorithm
    readonly kid?: string
    readonly refused?: string
  }[]
  readonly sets: readonly { source: string; jwks: unknown; kids: string[]; why: string }[]
  readonly thumbprints: readonly { source: string; jwk: Jwk; thumbprint: string }[]
  readonly certificate: { readonly jwk: Jwk & { readonly x5c: readonly string[] } }
}

const keys = read('signing-keys') as Record<string, Jwk>
const jwsVectors = read('jws') as readonly JwsVector[]
const jwkVectors = read('jwk') as JwkVectors
const jsonVectors = read('jws-json') as readonly JsonVector[]
const signedVectors = jwsVectors.filter(({ signature }) => signature !== undefined)

// The tests below prove the casts above: they use every member of every entry.
function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`./vectors/${name}.json`, import.meta.url), 'utf8'))
}

/** The key of a vector, without a `kid` that this package does not allow. */
function jwkOf(name: string): Jwk {
  const { kid, ...jwk } = keys[name] ?? {}
  return kid === undefined || /[.@]/.test(kid) ? jwk : { ...jwk, kid }
}

function publicPartOf({ d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...jwk }: Jwk): Jwk {
  return jwk
}

function verifyingKeyFor({ key, alg }: JwsVector) {
  return importVerifyingKey({ jwk: publicPartOf(jwkOf(key)) }, { alg })
}

test.each(jwsVectors)('$source, $alg: $answer', (vector) => {
  const result = verifyJws(vector.token, verifyingKeyFor(vector))
  expect(result.ok ? 'accepted' : result.code).toBe(vector.answer)
  if (!result.ok) return
  const payload = vector.token.split('.')[1] ?? ''
  expect(Buffer.from(result.payload).toString('base64url')).toBe(payload)
})

test('every refusal has a reason', () => {
  for (const { answer, why } of jwsVectors) {
    expect(why === undefined).toBe(answer === 'accepted')
  }
})

// A vector with a typing error would be refused too. This test proves that each vector is as the RFC has it.
test.each(signedVectors)('$source, $alg: node:crypto accepts the signature', (vector) => {
  const { alg, key, signingInput = '', signature = '' } = vector
  const hash = alg === 'Ed25519' ? null : `sha${alg.slice(2)}`
  const input = Buffer.from(signingInput)
  if (alg.startsWith('HS')) {
    const secret = Buffer.from(keys[key]?.k ?? '', 'base64url')
    expect(
      createHmac(hash ?? '', secret)
        .update(input)
        .digest('base64url'),
    ).toBe(signature)
    return
  }
  const options = {
    key: createPublicKey({ key: publicPartOf(keys[key] ?? {}), format: 'jwk' }),
    dsaEncoding: 'ieee-p1363',
    padding: alg.startsWith('PS') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING,
  } as const
  expect(verify(hash, input, options, Buffer.from(signature, 'base64url'))).toBe(true)
})

test.each(signedVectors.filter(({ alg, key }) => /^(HS|RS|Ed)/.test(alg) && hasPrivatePart(key)))(
  '$source, $alg: our signature over the same text is identical',
  (vector) => {
    const key = importSigningKey({ jwk: jwkOf(vector.key) }, { alg: vector.alg })
    // The payload of RFC 7797 contains dots.
    const [header = '', ...rest] = (vector.signingInput ?? '').split('.')
    expect(signingMaterialOf(key).sign(header, rest.join('.'))).toBe(vector.signature)
  },
)

function hasPrivatePart(name: string): boolean {
  return keys[name]?.k !== undefined || keys[name]?.d !== undefined
}

test.each(jsonVectors)('$source, JSON serialization: $answer', ({ json, answer }) => {
  const key = importVerifyingKey({ jwk: keys['RFC 7520 3.5'] }, { alg: 'HS256' })
  for (const text of [JSON.stringify(json), JSON.stringify(json, null, 2)]) {
    expect(verifyJws(text, key)).toEqual({ ok: false, code: answer })
  }
  expect(verifyJws(json as never, key)).toEqual({ ok: false, code: answer })
})

describe('RFC 8037 A.4 and A.5', () => {
  const vector = jwsVectors.find(({ source }) => source === 'RFC 8037 A.5')
  const jwk = { ...keys['RFC 8037 A.1'], alg: 'EdDSA' }

  test('the old name EdDSA is accepted if the JWK has it', () => {
    const key = importVerifyingKey({ jwk: publicPartOf(jwk) }, { alg: 'Ed25519' })
    expect(verifyJws(vector?.token ?? '', key)).toMatchObject({
      ok: true,
      header: { alg: 'EdDSA' },
    })
  })

  test('tokens are signed with the new name (RFC 9864 §2.2)', () => {
    const jws = signJws(Buffer.from('x'), importSigningKey({ jwk }, { alg: 'Ed25519', kid: 'k' }))
    const header = Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString()
    expect(header).toBe('{"alg":"Ed25519","kid":"k"}')
  })
})

test('RFC 7515 A.1: the typ is compared without case', () => {
  const key = importVerifyingKey({ jwk: keys['RFC 7515 A.1'] }, { alg: 'HS256' })
  const token = jwsVectors[0]?.token ?? ''
  expect(verifyJws(token, key, { typ: 'jwt' })).toMatchObject({ ok: true, header: { typ: 'JWT' } })
})

test.each(jwkVectors.imports)('$source as a $half key for $alg: $refused', (vector) => {
  const { jwk, half, alg, kid, refused } = vector
  const importKey = () =>
    half === 'signing' ? importSigningKey({ jwk }, { alg }) : importVerifyingKey({ jwk }, { alg })
  if (refused === undefined) {
    expect(importKey().kid).toBe(kid)
  } else {
    expect(importKey).toThrow(TypeError)
    expect(importKey).toThrow(refused)
  }
})

test('RFC 7517 A.2: the private keys are those of A.1', () => {
  const rsa = jwkVectors.imports.filter(({ source }) => /A\.[12], RSA$/.test(source))
  const halves = rsa.map(({ jwk, half, alg }) =>
    half === 'signing'
      ? verifyingKeyOf(importSigningKey({ jwk }, { alg }))
      : importVerifyingKey({ jwk }, { alg }),
  )
  expect(halves).toHaveLength(2)
  const [published, own] = halves.map((key) => publicJwkOf(key))
  expect(published).toEqual(own)
})

test.each(jwkVectors.sets)('$source as a set has the keys $kids', ({ jwks, kids }) => {
  expect(keySetFromJwks(jwks)?.keys.map(({ kid }) => kid)).toEqual(kids)
})

test('RFC 7517 B: the certificate in x5c is ignored, and the members beside it are read', () => {
  const { jwk } = jwkVectors.certificate
  const certificate = new X509Certificate(Buffer.from(jwk.x5c[0] ?? '', 'base64'))
  expect(certificate.verify(certificate.publicKey)).toBe(true)
  const key = importVerifyingKey({ jwk: { ...jwk, x5c: ['AAAA'] } }, { alg: 'RS256' })
  expect(publicJwkOf(key)).toMatchObject({ ...certificate.publicKey.export({ format: 'jwk' }) })
  expect(publicJwkOf(key)).not.toHaveProperty('x5c')
})

test.each(jwkVectors.thumbprints)('$source: the thumbprint $thumbprint', ({ jwk, thumbprint }) => {
  expect(jwkThumbprint(jwk)).toBe(thumbprint)
})

test.each([
  ['a secret', { kty: 'oct', k: 'AAAA' }],
  ['a missing member', { kty: 'RSA', n: 'AQAB' }],
  ['another spelling', { kty: 'RSA', n: 'AQAB', e: 'AQAB=' }],
  ['an inherited member', Object.create(keys['RFC 7515 A.2'] ?? {})],
  ['no object', 'RSA'],
  ['null', null],
])('no thumbprint is computed for: %s', (_name, jwk) => {
  expect(() => jwkThumbprint(jwk)).toThrow(TypeError)
})
