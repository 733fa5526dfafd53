import { createGuard, FeedFault } from '@countersign/guard'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { logTo } from '../../packages/server/test/support/log-lines.ts'
import { runAuthority, type RunningAuthority } from './support.ts'

let it: RunningAuthority
const logged: Record<string, unknown>[] = []
beforeAll(async () => {
  it = await runAuthority({ logger: logTo(logged) })
})
afterAll(() => it[Symbol.asyncDispose]())

const ahead = (ms: number) => (): number => Date.now() + ms

test.each([
  ['websocket', 20_000, /^The clock of this service is 20 s ahead of the clock of the authority/],
  ['websocket', -20_000, /^The clock of this service is 20 s behind the clock of the authority/],
  ['polling', 20_000, /^The clock of this service is 20 s ahead of the clock of the authority/],
] as const)(
  'a clock that differs is reported once, with the difference, on both sides: %s, %i ms',
  async (transport, ms, expected) => {
    logged.length = 0
    const notices: string[] = []
    const guard = await it.guard({
      feed: { ...it.feed, transport },
      clock: ahead(ms),
      onNotice: (text) => notices.push(text),
    })
    await expect.poll(() => notices).toEqual([expect.stringMatching(expected)])
    const { clockDifferenceMs = 0 } = guard.metrics().feed ?? {}
    expect(Math.abs(clockDifferenceMs + ms)).toBeLessThan(3_000)
    // The tolerance of other guards may be larger, so this one counts as ready.
    expect(guard.isFresh('open')).toBe(true)
    await expect.poll(() => logged).toMatchObject([{ event: 'guard_clock_differs', level: 40 }])
    expect(Math.abs(Number(logged[0]?.['difference_ms']) - ms)).toBeLessThan(3_000)
    expect(String(logged[0]?.['guard'])).toContain(it.feed.clientId)
    // Neither side repeats it with the next echo.
    const { position } = guard.metrics().feed ?? {}
    expect(position).toBeDefined()
    expect(notices).toHaveLength(1)
    guard.close()
  },
)

test('a guard whose clock is an hour wrong is never ready, and says why', async () => {
  const notices: string[] = []
  const guard = createGuard({
    issuer: it.url,
    feed: it.feed,
    clock: ahead(3_600_000),
    onNotice: (text) => notices.push(text),
  })
  const error = await guard.ready().catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(FeedFault)
  expect(error).toMatchObject({ code: 'feed_clock_differs' })
  expect(String(error)).toContain('3600 s ahead of')
  expect(guard.isFresh('open')).toBe(false)
  guard.close()
})

test('clocks that agree cause no notice', async () => {
  const notices: string[] = []
  logged.length = 0
  const guard = await it.guard({ onNotice: (text) => notices.push(text) })
  expect(Math.abs(guard.metrics().feed?.clockDifferenceMs ?? Infinity)).toBeLessThan(1_000)
  expect([notices, logged]).toEqual([[], []])
})
