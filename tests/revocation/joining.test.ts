import { createGuard, type Guard } from '@countersign/guard'
import { expect, test } from 'vitest'

import { headOf, runAuthority, type Pair } from './support.ts'

test('guards that connect while sessions end, between reading and sending, miss no entry', async () => {
  await using it = await runAuthority()
  const pairs: Pair[] = []
  for (let n = 0; n < 40; n++) pairs.push(await it.login())
  const guards: Guard[] = []
  const faults: string[] = []
  const connect = (): void => {
    const guard = createGuard({
      issuer: it.url,
      feed: it.authority.feed,
      onFeedError: ({ code }) => faults.push(code),
    })
    guards.push(guard)
    guard.isFresh()
  }
  for (const { refresh } of pairs) {
    connect()
    const ended = it.post('/api/token/blacklist/', { refresh })
    connect()
    expect((await ended).status).toBe(200)
    connect()
  }
  const { position } = await headOf(it)
  await expect
    .poll(() => guards.filter((guard) => guard.metrics().feed?.position !== position).length, {
      timeout: 10_000,
    })
    .toBe(0)
  await expect.poll(() => guards.every((guard) => guard.isFresh('strict'))).toBe(true)
  expect(faults).toEqual([])
  for (const guard of guards) guard.close()
}, 60_000)
