import { describe, expect, test } from 'vitest'
import {
  createKeySet,
  createSigner,
  createVerifier,
  decodeUnverified,
  generateSigningKey,
  publicJwkOf,
  signJws,
  verifyingKeyOf,
  verifyJws,
} from '../src/index.ts'
import {
  algorithms,
  encodePart,
  NOW_MS,
  secret,
  signEncoded,
  signingKeyFor,
  validClaims,
  verifierFor,
} from './tokens.ts'

test('verifying returns the claims, the header and the key', () => {
  const key = signingKeyFor('ES256')
  const token = createSigner(key, { typ: 'at+jwt' }).sign(validClaims({ roles: ['editor'] }))
  expect(verifierFor(key).verify(token)).toEqual({
    ok: true,
    claims: validClaims({ roles: ['editor'] }),
    header: { alg: 'ES256', typ: 'at+jwt', kid: key.kid },
    key: verifyingKeyOf(key),
  })
})

describe.each(algorithms)('%s', (alg) => {
  const key = signingKeyFor(alg)
  const token = createSigner(key, { typ: 'at+jwt' }).sign(validClaims({ name: 'Zoë 🦊 \uFFFD' }))

  test('verifies its own token, with a single key and with a set', () => {
    const keys = createKeySet(
      [verifyingKeyOf(signingKeyFor('ES384')), verifyingKeyOf(key)].slice(alg === 'ES384' ? 1 : 0),
    )
    expect(verifierFor(key).verify(token)).toMatchObject({
      ok: true,
      claims: { name: 'Zoë 🦊 \uFFFD' },
    })
    expect(verifierFor(key, { keys }).verify(token)).toMatchObject({ ok: true })
  })

  test('refuses the token if any one character differs', () => {
    const verifier = verifierFor(key)
    const step = alg.startsWith('HS') || alg === 'ES256' ? 1 : 7
    for (let at = 0; at < token.length; at += step) {
      const code = token.charCodeAt(at)
      for (const other of [code ^ 1, code + 256, 0x3d, 0x20]) {
        const altered = token.slice(0, at) + String.fromCharCode(other) + token.slice(at + 1)
        expect(verifier.verify(altered).ok, `${at} ${other}`).toBe(false)
      }
    }
  })

  test('refuses the token if it is truncated or extended', () => {
    const verifier = verifierFor(key)
    for (let length = 0; length < token.length; length += 3) {
      expect(verifier.verify(token.slice(0, length)).ok).toBe(false)
    }
    for (const more of ['A', 'AA', 'AAAA', '=', '\n', ' ', '\0', '.']) {
      expect(verifier.verify(token + more).ok).toBe(false)
      expect(verifier.verify(more + token).ok).toBe(false)
    }
  })

  test('a JWS returns the same bytes, even if they are long or binary', () => {
    for (const payload of [Buffer.from([0, 255, 0x80]), Buffer.alloc(20_000, 7)]) {
      const jws = signJws(payload, key, { typ: 'bytes' })
      const result = verifyJws(jws, verifyingKeyOf(key), { typ: 'bytes', tokenBytesMax: 40_000 })
      expect(result.ok && Buffer.compare(result.payload, payload)).toBe(0)
    }
  })

  test('a generated key signs', { timeout: 30_000 }, () => {
    const generated = generateSigningKey(alg, { kid: 'fresh' })
    const fresh = createSigner(generated, { typ: 'at+jwt' }).sign(validClaims())
    expect(verifierFor(generated).verify(fresh).ok).toBe(true)
    expect(verifierFor(key).verify(fresh).ok).toBe(false)
  })
})

test('a JWS over 8 KiB is refused unless the caller allows more', () => {
  const key = signingKeyFor('Ed25519')
  const jws = signJws(Buffer.alloc(8192), key)
  expect(verifyJws(jws, verifyingKeyOf(key))).toEqual({ ok: false, code: 'token_too_large' })
})

test('a JWS with another signature is refused', () => {
  const key = signingKeyFor('HS256')
  const jws = signJws(Buffer.from('x'), key)
  const other = signJws(Buffer.from('y'), key).split('.')[2]
  const forged = `${jws.slice(0, jws.lastIndexOf('.'))}.${other}`
  expect(verifyJws(forged, verifyingKeyOf(key))).toEqual({ ok: false, code: 'signature_invalid' })
})

test('a long JWS with a character that is not ASCII is refused', () => {
  const key = signingKeyFor('HS256')
  const jws = signJws(Buffer.alloc(9000), key)
  for (const at of [jws.indexOf('.') + 1, 9000, jws.lastIndexOf('.') - 1]) {
    const altered = `${jws.slice(0, at)}\u0141${jws.slice(at + 1)}`
    const result = verifyJws(altered, verifyingKeyOf(key), { tokenBytesMax: 20_000 })
    expect(result).toEqual({ ok: false, code: 'signature_invalid' })
  }
})

test('a JWS with a signed payload in another spelling is refused', () => {
  const token = signEncoded(encodePart({ alg: 'HS256' }), 'e31')
  expect(verifyJws(token, verifyingKeyOf(signingKeyFor('HS256')))).toEqual({
    ok: false,
    code: 'payload_invalid',
  })
})

test('a JWS without typ verifies only if no typ is expected', () => {
  const key = signingKeyFor('HS512')
  const jws = signJws(Buffer.from('x'), key)
  expect(verifyJws(jws, verifyingKeyOf(key)).ok).toBe(true)
  expect(verifyJws(jws, verifyingKeyOf(key), { typ: 'a' })).toEqual({
    ok: false,
    code: 'typ_mismatch',
  })
})

test('claims are a new object at each call', () => {
  const key = signingKeyFor('HS256')
  const token = createSigner(key, { typ: 'at+jwt' }).sign(validClaims({ roles: [] }))
  const verifier = verifierFor(key)
  const [first, second] = [verifier.verify(token), verifier.verify(token)]
  if (!first.ok || !second.ok) throw new Error('refused')
  expect(first.claims).not.toBe(second.claims)
  expect(Object.isFrozen(first.claims)).toBe(false)
  expect(first.claims['roles']).not.toBe(second.claims['roles'])
  expect(Object.isFrozen(first.header)).toBe(true)
})

test('a signer refuses claims that no verifier would accept', () => {
  const signer = createSigner(signingKeyFor('HS256'), { typ: 'at+jwt' })
  for (const exp of [Number.NaN, Infinity, -1, '1', null, NOW_MS * 1000]) {
    expect(() => signer.sign({ exp })).toThrow(TypeError)
  }
  expect(() => signer.sign([])).toThrow(TypeError)
  expect(() => signer.sign({ toJSON: () => 'text' })).toThrow(TypeError)
  for (const count of [8000, 30_000]) {
    expect(() => signer.sign({ pad: 'x'.repeat(count) })).toThrow('longer than 8192')
  }
})

test('decodeUnverified reads a token strictly without verifying it', () => {
  const key = signingKeyFor('HS256')
  const token = createSigner(key, { typ: 'at+jwt' }).sign({ exp: 1 })
  expect(decodeUnverified(token)).toEqual({
    ok: true,
    header: { alg: 'HS256', typ: 'at+jwt', kid: 'shared' },
    claims: { exp: 1 },
    signatureBytes: 32,
  })
  expect(decodeUnverified(`${token}=`)).toEqual({ ok: false, code: 'token_malformed' })
  expect(decodeUnverified(`e30.W10.AA`)).toEqual({ ok: false, code: 'payload_invalid' })
  expect(decodeUnverified(`W10.e30.AA`)).toEqual({ ok: false, code: 'header_invalid' })
})

test('keys expose no material to a log, to JSON or to code that lists their members', () => {
  const key = signingKeyFor('HS256')
  for (const shown of [JSON.stringify(key), Object.getOwnPropertyNames(key).join()]) {
    expect(shown).not.toContain(secret.toString('base64url').slice(0, 8))
  }
  expect(Reflect.ownKeys(key)).toEqual(['alg', 'kid'])
  expect(() => createSigner({ alg: 'HS256', kid: 'x' }, { typ: 'x' })).toThrow(TypeError)
  expect(() =>
    createVerifier({ keys: key as never, typ: 'x', issuer: 'I', audience: null }),
  ).toThrow(TypeError)
  expect(() => publicJwkOf(key)).toThrow('no public half')
})
