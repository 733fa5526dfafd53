import type { Guard } from '@countersign/guard'
import { createSigner, decodeUnverified } from '@countersign/jwt'
import { afterAll, beforeAll, expect, test } from 'vitest'

import {
  countersign,
  kidOf,
  runAuthority,
  stealKey,
  type Pair,
  type RunningAuthority,
} from './support.ts'

let it: RunningAuthority
let guards: readonly (readonly [name: string, guard: Guard])[]
beforeAll(async () => {
  it = await runAuthority()
  guards = [
    ['websocket', await it.guard()],
    ['polling', await it.guard({ feed: { ...it.feed, transport: 'polling' } })],
    ['inside', await it.guard({ feed: it.authority.feed })],
  ]
})
afterAll(() => it[Symbol.asyncDispose]())

async function pendingKid(signing: string): Promise<string> {
  const { keys } = (await (await fetch(`${it.url}/.well-known/jwks.json`)).json()) as {
    keys: { kid: string }[]
  }
  return keys.map(({ kid }) => kid).find((kid) => kid !== signing) ?? ''
}

/** Signs the claims of a token with another key. */
function forge(token: string, kid: string): string {
  const decoded = decodeUnverified(token)
  const claims = decoded.ok ? decoded.claims : {}
  return createSigner(stealKey(it, kid), { typ: 'at+jwt' }).sign(claims)
}

test('a published key that does not sign yet is refused by the authority and by guards with the feed', async () => {
  const { access } = await it.login()
  const kid = await pendingKid(kidOf(access))
  const forged = forge(access, kid)
  expect(it.authority.verify(access)).toMatchObject({ ok: true })
  expect(it.authority.verify(forged)).toEqual({ ok: false, code: 'key_unknown' })
  const asked = await fetch(`${it.url}/auth/me`, { headers: { authorization: `Bearer ${forged}` } })
  expect(asked.status).toBe(401)
  for (const [name, guard] of guards) {
    expect(await guard.verify(forged), name).toMatchObject({
      code: 'token_invalid',
      reason: 'key_pending',
    })
    expect(guard.verify(access), name).toMatchObject({ ok: true })
  }
})

test('at the moment of a rotation no guard refuses a token of the new key', async () => {
  const { access, refresh } = await it.login('bob')
  let pair: Pair = { access, refresh }
  const rotation = countersign(it, ['keys', 'rotate', '--activate-now'])
  const refused: unknown[] = []
  for (let after = 0; after < 5;) {
    pair = (await (await it.post('/api/token/refresh/', { refresh: pair.refresh })).json()) as Pair
    const results = await Promise.all(
      guards.map(async ([name, guard]) => ({ name, result: await guard.verify(pair.access) })),
    )
    refused.push(...results.filter(({ result }) => !result.ok))
    if (kidOf(pair.access) !== kidOf(access)) after += 1
  }
  await rotation
  expect(refused).toEqual([])
  expect(kidOf(pair.access)).not.toBe(kidOf(access))
})
