import { expect, test } from 'vitest'

import { query } from '../../packages/server/test/support/database.ts'
import {
  copyDatabase,
  countersign,
  decide,
  fallBack,
  headOf,
  kidOf,
  refreshes,
  runAuthority,
  type Pair,
} from './support.ts'

// Guards have eight seconds to return lost entries to the authority.

test('if no guard can return the entries, a token ahead of the log ends all sessions', async () => {
  await using it = await runAuthority()
  const first = await it.login('alice')
  const copy = copyDatabase(it)
  const stolen = kidOf(first.access)
  await countersign(it, ['keys', 'kill', stolen])
  await it.authority.accounts.addRole('alice', 'one', 'test')
  await it.authority.accounts.addRole('alice', 'two', 'test')
  const answer = await it.post('/api/token/refresh/', { refresh: first.refresh })
  const { access, refresh } = (await answer.json()) as Pair
  await fallBack(it, copy)

  // The store has lost that the key became active. The token of a pending key proves the loss, too.
  expect((await it.post('/api/token/verify/', { token: access })).status).toBe(401)
  await expect.poll(async () => (await headOf(it)).position).toBeGreaterThan(1_000_000)
  expect((await it.post('/api/token/verify/', { token: access })).status).toBe(401)
  expect(await refreshes(it, refresh)).toBe(401)
  const again = await it.login('alice')
  expect(await refreshes(it, again.refresh)).toBe(200)
  expect(query(it.dataDir, `SELECT 1 FROM audit WHERE event = 'log_started_over'`)).toHaveLength(1)
  // The revocation of the key was lost too, so none of the keys in the store may sign.
  expect([stolen, kidOf(access)]).not.toContain(kidOf(again.access))
  expect(await (await fetch(`${it.url}/.well-known/jwks.json`)).text()).not.toContain(stolen)
})

test('a token of a lost session also proves the loss', async () => {
  await using it = await runAuthority()
  await it.login('alice')
  const copy = copyDatabase(it)
  await it.authority.accounts.addRole('alice', 'one', 'test')
  const lost = await it.login('alice')
  await it.post('/api/token/blacklist/', { refresh: lost.refresh })
  await fallBack(it, copy)
  const me = { headers: { authorization: `Bearer ${lost.access}` } }
  expect((await fetch(`${it.url}/auth/me`, me)).status).toBe(401)
  await expect.poll(async () => (await headOf(it)).position).toBeGreaterThan(1_000_000)
  const guard = await it.guard({ policy: 'strict' })
  expect(decide(guard, lost.access)).toBe('token_stale')
})
