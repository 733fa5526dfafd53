import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { NOW } from '../support/session-rows.ts'
import { engines } from './engines.ts'
import { tally } from './samples.ts'
import { chain, hashOf, plainRecord, record } from './sso-samples.ts'

describe.each(engines)('records of single sign-on on %s', (_, open) => {
  test('put writes a record, and replaces an older one; remove deletes it', async () => {
    await using it = await open()
    const { records } = it.store.sso
    const one = record('one', { otherHash: hashOf('other') })
    await records.put(one)
    const read = { ...one, usedAt: undefined }
    expect(plainRecord(await records.find(one.kind, one.idHash))).toEqual(read)
    expect(plainRecord(await records.findByOther(one.kind, hashOf('other')))).toEqual(read)
    const bare = record('one', {
      sessionId: undefined,
      grantId: undefined,
      applicationId: undefined,
      payload: '{}',
      expiresAt: NOW + 9,
    })
    await records.put(bare)
    await it.reopen()
    const { records: again } = it.store.sso
    expect(plainRecord(await again.find(one.kind, one.idHash))).toEqual({
      ...bare,
      usedAt: undefined,
    })
    expect(await again.findByOther(one.kind, hashOf('other'))).toBeUndefined()
    await again.remove(one.kind, one.idHash)
    await again.remove(one.kind, one.idHash)
    expect(await again.find(one.kind, one.idHash)).toBeUndefined()
  })

  test('kinds are independent, and ids are exact', async () => {
    await using it = await open()
    const { records } = it.store.sso
    await records.put(record('one', { kind: 'Session', otherHash: hashOf('uid') }))
    for (const [kind, id] of [
      ['Interaction', 'one'],
      ['Session', 'two'],
      ['Session', ''],
    ] as const) {
      expect(await records.find(kind, hashOf(id))).toBeUndefined()
      expect(await records.use(kind, hashOf(id))).toBe(false)
      await records.remove(kind, hashOf(id))
    }
    expect(await records.findByOther('Interaction', hashOf('uid'))).toBeUndefined()
    expect(await records.findByOther('Session', hashOf('one'))).toBeUndefined()
    expect(await records.find('Session', hashOf('one'))).toMatchObject({ usedAt: undefined })
  })

  test('of 50 uses at once from three connections, one is the first, and it stays used', async () => {
    await using it = await open()
    const { records } = it.store.sso
    for (let round = 0; round < 5; round += 1) {
      const { kind, idHash } = record(`code ${round}`)
      await records.put(record(`code ${round}`))
      const ways = [
        () => records.use(kind, idHash),
        () => it.beside.sso.records.use(kind, idHash),
        () => it.elsewhere('sso.records.use', kind, idHash),
      ]
      const results = await Promise.all(Array.from({ length: 50 }, (__, i) => ways[i % 3]!()))
      expect(tally(results)).toEqual({ true: 1, false: 49 })
      expect(await records.find(kind, idHash)).toMatchObject({ usedAt: NOW })
      // Written again, it stays used.
      await records.put(record(`code ${round}`, { payload: '{"again":1}' }))
      expect(await records.find(kind, idHash)).toMatchObject({
        usedAt: NOW,
        payload: '{"again":1}',
      })
      expect(await records.use(kind, idHash)).toBe(false)
    }
  })

  test('a record expires by the clock of the store', async () => {
    await using it = await open()
    const { records } = it.store.sso
    const one = record('one', { otherHash: hashOf('other'), expiresAt: NOW + 1_000 })
    await records.put(one)
    it.clock.advanceMs(999)
    expect(await records.find(one.kind, one.idHash)).toBeDefined()
    it.clock.advanceMs(1)
    expect(await records.find(one.kind, one.idHash)).toBeUndefined()
    expect(await records.findByOther(one.kind, hashOf('other'))).toBeUndefined()
    expect(await records.use(one.kind, one.idHash)).toBe(false)
  })

  test('purge removes what is over, in steps', async () => {
    await using it = await open()
    const { records, refreshes, grants } = it.store.sso
    for (let n = 0; n < 5; n += 1) {
      await records.put(record(`old ${n}`, { expiresAt: NOW + 10 }))
      await refreshes.create(chain(`old ${n}`, { endsAt: NOW + 10, expiresAt: NOW + 5 }))
    }
    await records.put(record('new', { expiresAt: NOW + 11 }))
    await refreshes.create(chain('new', { endsAt: NOW + 11, expiresAt: NOW + 5 }))
    expect(await grants.purge(4)).toBe(0)
    it.clock.advanceMs(10)
    expect(await grants.purge(4)).toBe(4)
    expect(await grants.purge(4)).toBe(4)
    expect(await grants.purge(4)).toBe(2)
    expect(await grants.purge(4)).toBe(0)
    expect(await records.find('AuthorizationCode', hashOf('new'))).toBeDefined()
    expect(await refreshes.read('new')).toBeDefined()
    expect(await refreshes.read('old 1')).toBeUndefined()
  })

  test('agrees with a map for any order of calls', async () => {
    await using it = await open()
    const { records } = it.store.sso
    const command = fc.record({
      what: fc.constantFrom('put', 'use', 'remove', 'find', 'wait'),
      id: fc.constantFrom('a', 'b'),
      ms: fc.constantFrom(1, 2, 3),
    })
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 15 }), async (commands) => {
        const kind = `kind ${(run += 1)}`
        const model = new Map<string, { until: number; isUsed: boolean }>()
        const live = (id: string): { until: number; isUsed: boolean } | undefined => {
          const found = model.get(id)
          return found !== undefined && found.until > it.clock.nowMs() ? found : undefined
        }
        for (const { what, id, ms } of commands) {
          const idHash = hashOf(id)
          const known = live(id)
          if (what === 'wait') it.clock.advanceMs(ms)
          if (what === 'put') {
            const until = it.clock.nowMs() + ms
            await records.put(record(id, { kind, expiresAt: until }))
            model.set(id, { until, isUsed: model.get(id)?.isUsed ?? false })
          }
          if (what === 'remove') {
            await records.remove(kind, idHash)
            model.delete(id)
          }
          if (what === 'use') {
            expect(await records.use(kind, idHash)).toBe(known !== undefined && !known.isUsed)
            if (known !== undefined) known.isUsed = true
          }
          const found = await records.find(kind, idHash)
          const expected = live(id)
          expect(found === undefined).toBe(expected === undefined)
          expect(found?.usedAt !== undefined).toBe(expected?.isUsed === true)
        }
      }),
      { numRuns: 30 },
    )
  })
})
