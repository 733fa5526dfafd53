import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { query } from '../support/database.ts'
import { openTestSessions } from '../support/sessions.ts'
import { engines } from './engines.ts'
import { NOW } from '../support/session-rows.ts'
import { tally } from './samples.ts'

const LATER = NOW + 60_000

describe.each(engines)('consume on %s', (_, open) => {
  test('only the first call succeeds, also after a restart', async () => {
    await using it = await open()
    expect(await it.store.consume('code', 'abc', LATER)).toBe(true)
    expect(await it.store.consume('code', 'abc', LATER)).toBe(false)
    expect(await it.beside.consume('code', 'abc', LATER)).toBe(false)
    await it.reopen()
    expect(await it.store.consume('code', 'abc', LATER)).toBe(false)
  })

  test('the same id of another kind is another id', async () => {
    await using it = await open()
    expect(await it.store.consume('code', 'abc', LATER)).toBe(true)
    expect(await it.store.consume('link', 'abc', LATER)).toBe(true)
    expect(await it.store.consume('cod', 'eabc', LATER)).toBe(true)
  })

  test('of fifty calls at once, one succeeds', async () => {
    await using it = await open()
    const all = Array.from({ length: 50 }, () => it.store.consume('code', 'abc', LATER))
    expect(tally(await Promise.all(all))).toEqual({ true: 1, false: 49 })
  })

  test('of calls of three connections at once, one in another thread, one succeeds for each id', async () => {
    await using it = await open()
    await it.elsewhere('check')
    for (let round = 0; round < 20; round += 1) {
      const id = `id-${round}`
      const all = Array.from({ length: 10 }, () => [
        it.elsewhere('consume', 'code', id, LATER),
        it.store.consume('code', id, LATER),
        it.beside.consume('code', id, LATER),
      ])
      expect(tally(await Promise.all(all.flat()))).toEqual({ true: 1, false: 29 })
    }
  })

  test('an id whose expiry has passed is refused, before and after its row is removed', async () => {
    await using it = await open()
    expect(await it.store.consume('code', 'used', LATER)).toBe(true)
    it.clock.advanceMs(59_999)
    expect(await it.store.purgeConsumed(100)).toBe(0)
    expect(await it.store.consume('code', 'unused', LATER)).toBe(true)
    it.clock.advanceMs(1)
    for (const id of ['used', 'never seen']) {
      expect(await it.store.consume('code', id, LATER)).toBe(false)
    }
    expect(await it.store.purgeConsumed(1)).toBe(1)
    expect(await it.store.purgeConsumed(100)).toBe(1)
    expect(await it.store.purgeConsumed(100)).toBe(0)
    expect(await it.store.consume('code', 'used', LATER)).toBe(false)
  })

  test('a used id stays used when its row was removed and the clock is then set back', async () => {
    await using it = await open()
    expect(await it.store.consume('code', 'used', LATER)).toBe(true)
    expect(await it.store.consume('code', 'longer', LATER + 1_000)).toBe(true)
    it.clock.advanceMs(60_000)
    expect(await it.store.purgeConsumed(100)).toBe(1)
    it.clock.advanceMs(-30_000)
    expect(await it.store.consume('code', 'used', LATER)).toBe(false)
    expect(await it.store.consume('code', 'longer', LATER + 1_000)).toBe(false)
    // Ids with a later expiry work at once.
    expect(await it.store.consume('code', 'new', LATER + 1)).toBe(true)
    await it.reopen()
    expect(await it.store.consume('code', 'used', LATER)).toBe(false)
  })

  test.each([NaN, Infinity, LATER + 0.5, 2 ** 53])('an expiry of %s is a bug', async (expiry) => {
    await using it = await open()
    await expect(it.store.consume('code', 'abc', expiry)).rejects.toThrow(TypeError)
    expect(await it.store.consume('code', 'abc', LATER)).toBe(true)
  })

  test('any order of uses has one success for each kind and id', async () => {
    await using it = await open()
    let run = 0
    const use = fc.record({
      kind: fc.constantFrom('a', 'b'),
      id: fc.constantFrom('', 'x', '\0', 'é'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(use, { maxLength: 20 }), async (uses) => {
        run += 1
        const seen = new Set<string>()
        for (const { kind, id } of uses) {
          const name = JSON.stringify([kind, id])
          expect(await it.store.consume(kind, `${run}/${id}`, LATER)).toBe(!seen.has(name))
          seen.add(name)
        }
      }),
      { numRuns: 20 },
    )
  })
})

test('SQLite keeps the hash of an id, never the id', async () => {
  await using it = await openTestSessions()
  await it.store.consume('code', 'a-secret-code', it.clock.nowMs() + 1)
  const [row] = query(it.dataDir, 'SELECT * FROM consumed')
  expect(row?.['id_hash']).toHaveLength(32)
  expect(JSON.stringify(Object.values(row ?? {}).map(String))).not.toContain('a-secret-code')
})
