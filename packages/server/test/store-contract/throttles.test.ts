import { describe, expect, test } from 'vitest'

import { engines } from './engines.ts'
import { tally } from './samples.ts'

const bucket = (
  key: string,
  triesMax = 3,
): { key: string; triesMax: number; intervalMs: number } => ({
  key,
  triesMax,
  intervalMs: 1_000,
})

describe.each(engines)('throttles on %s', (_, open) => {
  test('a bucket accepts its attempts at once, then one in each interval', async () => {
    await using it = await open()
    const take = (): Promise<unknown> => it.store.throttles.take([bucket('a')])
    for (let tries = 0; tries < 3; tries += 1) expect(await take()).toEqual({ ok: true })
    expect(await take()).toEqual({ ok: false, retryAfterMs: 1_000 })
    it.clock.advanceMs(999)
    expect(await take()).toEqual({ ok: false, retryAfterMs: 1 })
    it.clock.advanceMs(1)
    expect(await take()).toEqual({ ok: true })
    expect(await take()).toEqual({ ok: false, retryAfterMs: 1_000 })
  })

  test('an attempt counts in all buckets or in none, and the fullest bucket determines the wait', async () => {
    await using it = await open()
    const { throttles } = it.store
    await throttles.take([bucket('full', 1)])
    const both = [bucket('full', 1), bucket('other', 1)]
    expect(await throttles.take(both)).toEqual({ ok: false, retryAfterMs: 1_000 })
    expect(await throttles.take([bucket('other', 1)])).toEqual({ ok: true })
    expect(await throttles.take([])).toEqual({ ok: true })
  })

  test('attempts at once by three connections are all counted', async () => {
    await using it = await open()
    const buckets = [bucket('b', 7), bucket('a', 100)]
    const all = Array.from({ length: 10 }, () => [
      it.elsewhere('throttles.take', buckets),
      it.store.throttles.take(buckets),
      it.beside.throttles.take(buckets.toReversed()),
    ])
    const results = (await Promise.all(all.flat())) as { ok: boolean }[]
    expect(tally(results.map(({ ok }) => ok))).toEqual({ true: 7, false: 23 })
  })

  test('a removed attempt can be made again', async () => {
    await using it = await open()
    const { throttles } = it.store
    await throttles.take([bucket('a', 1), bucket('b', 1)])
    await throttles.giveBack([bucket('b', 1), bucket('a', 1)])
    expect(await throttles.take([bucket('a', 1), bucket('b', 1)])).toEqual({ ok: true })
    await throttles.giveBack([])
    await throttles.giveBack([bucket('never taken')])
    expect(await throttles.take([bucket('a', 1)])).toMatchObject({ ok: false })
  })

  test('a clock that was set back locks nobody out', async () => {
    await using it = await open()
    it.clock.advanceMs(86_400_000)
    for (let tries = 0; tries < 3; tries += 1) await it.store.throttles.take([bucket('a')])
    it.clock.advanceMs(-86_400_000)
    expect(await it.store.throttles.take([bucket('a')])).toEqual({ ok: true })
  })

  test('purge removes empty buckets only, up to its limit', async () => {
    await using it = await open()
    const { throttles } = it.store
    for (const name of ['a', 'b', 'c']) await throttles.take([bucket(name)])
    await throttles.take([bucket('c')])
    it.clock.advanceMs(1_001)
    expect(await throttles.purge(1)).toBe(1)
    expect(await throttles.purge(10)).toBe(1)
    expect(await throttles.purge(10)).toBe(0)
    it.clock.advanceMs(1_000)
    expect(await throttles.purge(10)).toBe(1)
  })
})
