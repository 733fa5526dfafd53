import { expect, test } from 'vitest'

import { openTestAuthority } from './support/authority.ts'
import { query } from './support/database.ts'

const OLD = 'the old secret of this test: 0123456789'
const NEW = 'the new secret of this test: 9876543210'

test('the secret changes in three steps, and no session ends', async () => {
  await using it = await openTestAuthority({ secret: OLD })
  const { refresh, access } = await it.login()
  const resealed = (): number =>
    query(it.dataDir, `SELECT 1 FROM audit WHERE event = 'key_resealed'`).length

  await it.restart({ secret: `${OLD},${NEW}` })
  expect(resealed()).toBe(0)
  await it.restart({ secret: `${NEW},${OLD}` })
  const keys = query(it.dataDir, 'SELECT kid FROM keys').length
  expect(resealed()).toBe(keys)
  await it.restart({ secret: NEW })
  expect(resealed()).toBe(keys)

  expect((await it.post('/api/token/verify/', { token: access })).status).toBe(200)
  expect((await it.post('/api/token/refresh/', { refresh })).status).toBe(200)
  await expect(it.restart({ secret: OLD })).rejects.toThrow('does not open the signing keys')
  await it.restart({ secret: NEW })
})
