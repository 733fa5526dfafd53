import { expect, test } from 'vitest'
import { openTestAuthority } from './support/authority.ts'

test('logs in', async () => {
  await using it = await openTestAuthority()
  const pair = await it.login()
  expect((await it.post('/api/token/refresh/', { refresh: pair.refresh })).status).toBe(200)
})
