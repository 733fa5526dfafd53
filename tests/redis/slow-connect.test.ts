import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { closeRedis, connectRedis } from '../../packages/server/src/redis/connect.ts'
import { startRedis } from '../support/redis.ts'
import { describeWith } from '../support/requirements.ts'

describeWith('redis', 'a connection to Redis', () => {
  test('opens again when the library has given up', async () => {
    await using redis = await startRedis()
    const connection = connectRedis(redis.url)
    await once(connection, 'ready')
    connection.disconnect()
    await once(connection, 'end')
    await once(connection, 'ready')
    closeRedis(connection)
  })

  test('stays closed when it was closed', async () => {
    await using redis = await startRedis()
    const connection = connectRedis(redis.url)
    await once(connection, 'ready')
    closeRedis(connection)
    await once(connection, 'end')
    await sleep(1_500)
    expect(connection.status).toBe('end')
  })
})
