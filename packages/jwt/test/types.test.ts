import { expect, expectTypeOf, test } from 'vitest'
import {
  createVerifier,
  verifyOrThrow,
  verifyingKeyOf,
  type Algorithm,
  type AskedClaims,
  type JwtClaims,
  type PublicJwk,
  type Verifier,
  type VerifierOptions,
} from '../src/index.ts'
import { signingKeyFor } from './tokens.ts'

// The compiler checks this file. Running it only proves that the calls do not throw.

const keys = verifyingKeyOf(signingKeyFor('HS256'))
const common = { keys, typ: 'at+jwt', issuer: 'I' } as const

type ClaimsOf<Made> = Made extends Verifier<infer Claims> ? Claims : never

test('required claims are not optional, and all others are', () => {
  const names = ['sub', 'jti', 'sid'] as const
  const verifier = createVerifier({ ...common, audience: 'A', requiredClaims: names })
  type Claims = ClaimsOf<typeof verifier>
  expectTypeOf<Claims['sub']>().toEqualTypeOf<string>()
  expectTypeOf<Claims['jti']>().toEqualTypeOf<string>()
  expectTypeOf<Claims['sid']>().toEqualTypeOf<NonNullable<unknown>>()
  expectTypeOf<Claims['aud']>().toExtend<string | readonly string[]>()
  expectTypeOf<Claims['iat']>().toEqualTypeOf<number | undefined>()
  expectTypeOf<Claims['other']>().toEqualTypeOf<unknown>()
})

test('names that are written in the call need no `as const`', () => {
  const verifier = createVerifier({
    ...common,
    audience: null,
    requiredClaims: ['sub'],
    maxAgeSec: 60,
  })
  type Claims = ClaimsOf<typeof verifier>
  expectTypeOf<Claims['sub']>().toEqualTypeOf<string>()
  expectTypeOf<Claims['iat']>().toEqualTypeOf<number>()
  expectTypeOf<Claims['jti']>().toEqualTypeOf<string | undefined>()
  expectTypeOf<Claims['aud']>().toEqualTypeOf<string | readonly string[] | undefined>()
})

test('options of a wide type result in JwtClaims only', () => {
  const options: VerifierOptions = { ...common, audience: 'A', requiredClaims: ['sub'] }
  expectTypeOf<ClaimsOf<ReturnType<typeof make>>['sub']>().toEqualTypeOf<string | undefined>()
  expectTypeOf<AskedClaims<VerifierOptions>['iat']>().toEqualTypeOf<number | undefined>()
  const make = () => createVerifier(options)
  expect(make()).toBeDefined()
})

test('a caller can name the type that the issuer promises', () => {
  interface Promised {
    readonly sub: string
    readonly roles: readonly string[]
  }
  const verifier = createVerifier<Promised>({ ...common, audience: 'A' })
  expectTypeOf<ClaimsOf<typeof verifier>>().toEqualTypeOf<Promised>()
})

test('header, key and mark of an accepted token', () => {
  const verifier = createVerifier({ ...common, audience: 'A' })
  type Accepted = ReturnType<typeof verifyOrThrow<JwtClaims>>
  expectTypeOf<Accepted['header']['alg']>().toEqualTypeOf<Algorithm | 'EdDSA'>()
  expectTypeOf<Accepted['header']['typ']>().toEqualTypeOf<string>()
  expectTypeOf<Accepted['header']['kid']>().toEqualTypeOf<string | undefined>()
  expectTypeOf<Accepted['mark']>().toEqualTypeOf<number | undefined>()
  expectTypeOf(verifier).toExtend<Verifier>()
})

test('these mistakes do not compile', () => {
  const use = () => {
    // @ts-expect-error a misspelled option would be a check that never happens
    createVerifier({ ...common, audience: 'A', maxAgeSecs: 60 })
    // @ts-expect-error the audience must be given, even if it is null
    createVerifier({ ...common })
    // @ts-expect-error no regular expressions
    createVerifier({ ...common, audience: /A/ })
    const result = createVerifier({ ...common, audience: 'A' }).verify('')
    // @ts-expect-error a refusal has no claims
    expect(result.claims).toBeUndefined()
    if (!result.ok) return
    // @ts-expect-error claims are read-only
    result.claims.sub = 'root'
    // @ts-expect-error the result is read-only, except for its mark
    result.claims = {}
    result.mark = 1
  }
  expectTypeOf(use).returns.toEqualTypeOf<void>()
})

test('a published JWK is distinguished by its kind', () => {
  type Akp = Extract<PublicJwk, { kty: 'AKP' }>
  expectTypeOf<Akp['pub']>().toEqualTypeOf<string>()
  expectTypeOf<Extract<PublicJwk, { kty: 'EC' }>['crv']>().toEqualTypeOf<
    'P-256' | 'P-384' | 'P-521'
  >()
})
