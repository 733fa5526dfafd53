import * as fc from 'fast-check'
import * as jose from 'jose'
import { describe, expect, test } from 'vitest'
import { createSigner, jwkThumbprint, publicJwkOf, type Algorithm } from '../src/index.ts'
import {
  algorithms,
  keyObjectFor,
  NOW_MS,
  secret,
  signingKeyFor,
  validClaims,
  verifierFor,
} from './tokens.ts'

async function joseKeysFor(alg: Algorithm) {
  const keyObject = keyObjectFor(alg)
  if (keyObject === undefined) return { privateKey: secret, publicKey: secret }
  const pem = keyObject.export({ format: 'pem', type: 'pkcs8' }).toString()
  const publicKey = await jose.importJWK({ ...publicJwkOf(signingKeyFor(alg)) }, alg)
  return { privateKey: await jose.importPKCS8(pem, alg), publicKey }
}

// The content of a token besides the registered claims: any JSON of modest depth and size, without members
// named `__proto__`. This package refuses such members at any depth, jose does not.
const extraClaims = fc
  .dictionary(fc.string({ maxLength: 12 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 })
  .filter((claims) => !JSON.stringify(claims).includes('__proto__'))

describe.each(algorithms)('%s', (alg) => {
  const key = signingKeyFor(alg)
  const signer = createSigner(key, { typ: 'at+jwt' })
  const verifier = verifierFor(key)
  const runs = { numRuns: 25 }

  test('jose verifies what we sign', async () => {
    const { publicKey } = await joseKeysFor(alg)
    await fc.assert(
      fc.asyncProperty(extraClaims, async (extra) => {
        const claims = { ...extra, ...validClaims() }
        const { payload } = await jose.jwtVerify(signer.sign(claims), publicKey, {
          algorithms: [alg],
          issuer: 'I',
          audience: 'A',
          typ: 'at+jwt',
          currentDate: new Date(NOW_MS),
        })
        expect(payload).toEqual(JSON.parse(JSON.stringify(claims)))
      }),
      runs,
    )
  })

  test('we verify what jose signs', async () => {
    const { privateKey } = await joseKeysFor(alg)
    await fc.assert(
      fc.asyncProperty(extraClaims, async (extra) => {
        const claims = JSON.parse(JSON.stringify({ ...extra, ...validClaims() }))
        const token = await new jose.SignJWT(claims)
          .setProtectedHeader({ typ: 'at+jwt', alg })
          .sign(privateKey)
        expect(verifier.verify(token)).toMatchObject({ ok: true, claims })
      }),
      runs,
    )
  })
})

test.each(algorithms.filter((alg) => !alg.startsWith('HS')))(
  '%s: jose computes the same thumbprint',
  async (alg) => {
    const jwk = publicJwkOf(signingKeyFor(alg))
    expect(jwk.kid).toBe(await jose.calculateJwkThumbprint({ ...jwk }))
    expect(jwkThumbprint(jwk)).toBe(jwk.kid)
  },
)
