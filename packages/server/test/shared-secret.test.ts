import { createGuard, type Guard } from '@countersign/guard'
import { createSigner, importSigningKey } from '@countersign/jwt'
import { expect, test } from 'vitest'

import { ISSUER, openTestAuthority, type TestAuthority } from './support/authority.ts'
import { askWithSecret, newClient, tokenOf } from './support/clients.ts'
import { claimsOf, headerOf } from './support/forge.ts'

const SECRET = 'u7Qp0sVb3mX9Lk2TzR5eWn8YcA1dGf4H'
const NEXT = 'Zr6Mq1wXc8Vt3Nb5Kp0Jd7Hs2Lf9Gy4T'

function guardWith(it: TestAuthority, sharedSecret: string | readonly string[]): Guard {
  const clock = (): number => it.clock.nowMs()
  return createGuard({ issuer: ISSUER, sharedSecret, clock, onNotice: () => {} })
}

test('every access token is signed with the shared secret, which is not published', async () => {
  await using it = await openTestAuthority({ sharedSecret: SECRET })
  const pair = await it.login()
  const machine = tokenOf(await askWithSecret(it, await newClient(it)))
  const guard = guardWith(it, SECRET)
  for (const token of [pair.access, machine]) {
    expect(headerOf(token)).toMatchObject({ alg: 'HS256', typ: 'at+jwt' })
    expect(it.authority.verify(token).ok).toBe(true)
    expect(await guard.verify(token)).toMatchObject({ ok: true })
    expect((await it.post('/api/token/verify/', { token })).status).toBe(200)
  }
  const answer = await it.authority.fetch(new Request(`${ISSUER}/.well-known/jwks.json`))
  const jwks = await answer.text()
  expect(jwks).not.toContain('oct')
  expect(jwks).not.toContain(String(headerOf(pair.access)['kid']))
  // Refresh tokens are still signed with keys that are not shared.
  expect((await it.post('/api/token/refresh/', { refresh: pair.refresh })).status).toBe(200)
})

test('the shared secret can sign access tokens, but no refresh tokens', async () => {
  await using it = await openTestAuthority({ sharedSecret: SECRET })
  const { access, refresh } = await it.login()
  const key = importSigningKey(
    { secret: Buffer.from(SECRET) },
    { alg: 'HS256', kid: String(headerOf(access)['kid']) },
  )
  const forged = createSigner(key, { typ: 'rt+jwt' }).sign(claimsOf(refresh))
  expect((await it.post('/api/token/refresh/', { refresh: forged })).status).toBe(401)
  expect((await it.post('/api/token/refresh/', { refresh })).status).toBe(200)
})

test('several shared secrets: all verify, the first signs', async () => {
  await using it = await openTestAuthority({ sharedSecret: SECRET })
  const { access: old } = await it.login()
  await it.restart({ sharedSecret: `${NEXT},${SECRET}` })
  const { access } = await it.login()
  expect(headerOf(access)['kid']).not.toBe(headerOf(old)['kid'])
  const both = guardWith(it, [SECRET, NEXT])
  const next = guardWith(it, NEXT)
  expect(it.authority.verify(old).ok).toBe(true)
  expect(await both.verify(old)).toMatchObject({ ok: true })
  expect(await both.verify(access)).toMatchObject({ ok: true })
  expect(await next.verify(access)).toMatchObject({ ok: true })
  expect(await next.verify(old)).toMatchObject({ ok: false, code: 'token_invalid' })
  await it.restart({ sharedSecret: NEXT })
  expect(it.authority.verify(old).ok).toBe(false)
})

test('a guard with the shared secret refuses a token that a published key signed', async () => {
  await using it = await openTestAuthority()
  const { access } = await it.login()
  const guard = guardWith(it, SECRET)
  expect(await guard.verify(access)).toMatchObject({ ok: false, reason: 'key_unknown' })
})

test.each([[{ sharedSecret: 'short' }], [{ sharedSecret: [] }], [{ sharedSecret: [SECRET, 5] }]])(
  'a guard refuses %j',
  (options) => {
    // An untyped value, as from a JavaScript caller.
    const wrong = { issuer: ISSUER, ...options } as unknown as Parameters<typeof createGuard>[0]
    expect(() => createGuard(wrong)).toThrow('sharedSecret must be one or more strings')
  },
)
