import { createHash } from 'node:crypto'

import fc from 'fast-check'
import { expect, test } from 'vitest'

import { isGenuineJti } from '../src/store/refresh-jti.ts'
import { openTestAuthority } from './support/authority.ts'
import { queryOne } from './support/database.ts'
import { claimsOf } from './support/forge.ts'

// The jti of a refresh token is part of the format: tokens of older versions stay valid.
const jtiOf = (seed: Uint8Array, id: string, generation: number): string =>
  createHash('sha256').update(seed).update(`${id}.${generation}`).digest('hex').slice(0, 32)

test('a refresh token carries 32 hex digits of SHA-256 over the secret seed of its row, sid and gen', async () => {
  await using it = await openTestAuthority()
  const { refresh } = await it.login()
  const row = queryOne(it.dataDir, 'SELECT id, seed FROM sessions')
  const { jti, sid } = claimsOf(refresh)
  expect(sid).toBe(row['id'])
  expect(jti).toBe(jtiOf(row['seed'] as Uint8Array, String(sid), 0))
})

test('for every seed, session and generation: that jti is genuine, and no other is', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.stringMatching(/^[\w-]{22}$/),
      fc.maxSafeNat(),
      (seed, id, generation) => {
        const jti = jtiOf(seed, id, generation)
        expect(isGenuineJti({ id, seed }, { generation, jti })).toBe(true)
        expect(isGenuineJti({ id, seed }, { generation: generation + 1, jti })).toBe(false)
        expect(isGenuineJti({ id, seed }, { generation, jti: jti.slice(1) })).toBe(false)
        const other = seed.map((byte, at) => (at === 15 ? byte ^ 1 : byte))
        expect(isGenuineJti({ id, seed: other }, { generation, jti })).toBe(false)
      },
    ),
  )
})
