import { expect, test } from 'vitest'
import { createSigner, refusals, TokenRefusedError, verifyOrThrow } from '../src/index.ts'
import { NOW_SEC, signingKeyFor, validClaims, verifierFor } from './tokens.ts'

const key = signingKeyFor('HS256')
const signer = createSigner(key, { typ: 'at+jwt' })

function thrownFor(claims: object): unknown {
  try {
    return verifyOrThrow(verifierFor(key), signer.sign(claims))
  } catch (error) {
    return error
  }
}

test('an accepted token returns the result of the verifier', () => {
  const token = signer.sign(validClaims())
  expect(verifyOrThrow(verifierFor(key), token)).toEqual(verifierFor(key).verify(token))
})

test('a refused token is thrown with its code and the text of the table', () => {
  const error = thrownFor(validClaims({ exp: NOW_SEC - 1 }))
  expect(error).toBeInstanceOf(TokenRefusedError)
  expect(error).toMatchObject({
    name: 'TokenRefusedError',
    code: 'token_expired',
    claim: undefined,
    message: refusals.token_expired,
  })
})

test('the error names the claim and does not contain its value', () => {
  const error = thrownFor(validClaims({ sub: ['mallory@example.com'] }))
  expect(error).toMatchObject({ code: 'claim_invalid', claim: 'sub' })
  expect(error instanceof Error && `${error.stack}${JSON.stringify(error)}`).not.toMatch(/mallory/)
})
