import { afterEach, expect, test } from 'vitest'
import { hsHeader, signingKeyFor, signParts, validClaims, verifierFor } from './tokens.ts'

// A process is insecure in many ways if somebody can write to its Object.prototype. Tokens without an expiry
// or an audience must still be refused.

const verifier = verifierFor(signingKeyFor('HS256'))
const polluted = Object.prototype as Record<string, unknown>
const whole = validClaims({ jti: 'j' })

afterEach(() => {
  for (const name of Object.keys(Object.prototype)) delete polluted[name]
})

test.each([
  ['exp', 'claim_missing'],
  ['iss', 'claim_missing'],
  ['aud', 'claim_missing'],
])('a token without %s does not inherit one', (name, code) => {
  const token = signParts(hsHeader, { ...whole, [name]: undefined })
  polluted[name] = whole[name]
  const result = verifier.verify(token)
  expect(result).toMatchObject({ ok: false, code })
})

test('a header without typ does not inherit one', () => {
  const token = signParts({ alg: 'HS256' }, whole)
  polluted['typ'] = 'at+jwt'
  expect(verifier.verify(token)).toMatchObject({ ok: false, code: 'typ_mismatch' })
})

test('other inherited members are not in the claims, and complete tokens still pass', () => {
  const token = signParts(hsHeader, whole)
  polluted['roles'] = ['admin']
  const result = verifier.verify(token)
  const claims = result.ok ? { ...result.claims, roles: result.claims['roles'] } : undefined
  delete polluted['roles']
  expect(claims).toEqual({ ...whole, roles: undefined })
})
