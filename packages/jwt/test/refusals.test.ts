import { expect, test } from 'vitest'
import { refusals } from '../src/index.ts'
import {
  encodePart,
  hsHeader,
  NOW_SEC,
  signEncoded,
  signingKeyFor,
  signParts,
  validClaims,
  verifierFor,
} from './tokens.ts'

const valid = signParts(hsHeader, validClaims())

// One token for each code. The test fails for a code that no token produces, and for a code without a text.
const examples: Record<keyof typeof refusals, string> = {
  token_too_large: 'A'.repeat(8193),
  token_malformed: 'a.b',
  header_invalid: signParts('[]', validClaims()),
  typ_mismatch: signParts({ ...hsHeader, typ: 'rt+jwt' }, validClaims()),
  algorithm_mismatch: signParts({ ...hsHeader, alg: 'none' }, validClaims()),
  key_unknown: signParts({ ...hsHeader, kid: 'other' }, validClaims()),
  critical_unknown: signParts({ ...hsHeader, crit: ['exp'] }, validClaims()),
  signature_invalid: `${valid.slice(0, -43)}${'A'.repeat(43)}`,
  payload_invalid: signEncoded(encodePart(hsHeader), encodePart('[]')),
  claim_missing: signParts(hsHeader, validClaims({ iss: undefined })),
  claim_invalid: signParts(hsHeader, validClaims({ iss: 1 })),
  token_expired: signParts(hsHeader, validClaims({ exp: NOW_SEC })),
  token_not_yet_valid: signParts(hsHeader, validClaims({ nbf: NOW_SEC + 1 })),
  token_issued_in_future: signParts(hsHeader, validClaims({ iat: NOW_SEC + 1 })),
  token_too_old: signParts(hsHeader, validClaims({ iat: NOW_SEC - 3600 })),
  issuer_mismatch: signParts(hsHeader, validClaims({ iss: 'J' })),
  audience_mismatch: signParts(hsHeader, validClaims({ aud: 'B' })),
}

test.each(Object.entries(examples))('a token produces %s', (code, token) => {
  const result = verifierFor(signingKeyFor('HS256'), { maxAgeSec: 3600 }).verify(token)
  expect(result).toMatchObject({ ok: false, code })
  expect(refusals).toHaveProperty(code, expect.stringMatching(/^[A-Z].*\.$/))
})

test('every code of the table has an example', () => {
  expect(Object.keys(examples).toSorted()).toEqual(Object.keys(refusals).toSorted())
})
