import type { ServerResponse } from 'node:http'

import express from 'express'
import { Hono } from 'hono'
import { expect, expectTypeOf, test } from 'vitest'

import { authOf, optionalAuthOf, requireAuth } from '../../src/adapters/express.ts'
import * as onHono from '../../src/adapters/hono.ts'
import {
  type AccessTokenClaims,
  combineGuards,
  createAuthenticator,
  createGuard,
  type Guard,
} from '../../src/index.ts'

// The compiler checks this file. Running it only proves that the calls do not throw.

/** As the MCP SDK and express-oauth2-jwt-bearer declare it. A second declaration would be an error. */
interface OtherAuth {
  readonly token: string
}
declare global {
  namespace Express {
    interface Request {
      auth?: OtherAuth
    }
  }
}

interface MyClaims {
  readonly plan: 'free' | 'paid'
}

const guard = createGuard<MyClaims>({
  issuer: 'https://auth.example.com',
  onNotice: () => {},
  fetch: () => Promise.reject(new Error('no network')),
})

test('the middleware fits routes whose request.auth has the type of another package', () => {
  express().get('/', requireAuth(guard), (request, response: ServerResponse) => {
    expectTypeOf(request.auth).toEqualTypeOf<OtherAuth | undefined>()
    expectTypeOf(authOf(request)).toEqualTypeOf<AccessTokenClaims>()
    expectTypeOf(authOf(request, guard).plan).toEqualTypeOf<'free' | 'paid'>()
    expectTypeOf(optionalAuthOf(request, guard)?.plan).toEqualTypeOf<'free' | 'paid' | undefined>()
    response.end()
  })
})

test('a guard with own claims gives them their types', async () => {
  const result = await guard.verify('x')
  if (result.ok) expectTypeOf(result.claims.plan).toEqualTypeOf<'free' | 'paid'>()
  expect(result.ok).toBe(false)

  const authenticate = createAuthenticator(combineGuards([guard]))
  const answer = await authenticate(new Request('http://localhost'))
  if (answer.ok) {
    expectTypeOf(answer.claims.plan).toEqualTypeOf<'free' | 'paid'>()
    expectTypeOf(answer.claims.sub).toEqualTypeOf<string>()
  }

  new Hono().get('/', onHono.requireAuth(guard), (c) => {
    expectTypeOf(c.var.auth.plan).toEqualTypeOf<'free' | 'paid'>()
    return c.body(null)
  })
})

test('a guard with own claims is a guard, and not the reverse', () => {
  expectTypeOf(guard).toExtend<Guard>()
  expectTypeOf<Guard>().not.toExtend<Guard<MyClaims>>()
})
