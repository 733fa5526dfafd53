import { describe, expect, test } from 'vitest'

import type { AuditEntry } from '../../src/store/rows.ts'
import { engines } from './engines.ts'
import { BY, DAY_MS } from './samples.ts'

function line(n: number, at = BY.at): AuditEntry {
  return {
    at,
    actor: 'anonymous',
    event: 'login',
    outcome: 'refused',
    accountId: n % 2 === 0 ? undefined : 'acct_1',
    sessionId: undefined,
    address: '203.0.113.7',
    detail: `line-${n}`,
  }
}

describe.each(engines)('the audit on %s', (_, open) => {
  test('append and list, the newest first, of one account or of all', async () => {
    await using it = await open()
    const { audit } = it.store
    for (const n of [1, 2, 3]) await audit.append(line(n))
    const details = async (filter: object): Promise<unknown[]> =>
      (await audit.list({ limit: 10, ...filter })).map(({ detail }) => detail)
    expect(await details({})).toEqual(['line-3', 'line-2', 'line-1'])
    expect(await details({ limit: 2 })).toEqual(['line-3', 'line-2'])
    expect(await details({ accountId: 'acct_1' })).toEqual(['line-3', 'line-1'])
    const [newest] = await audit.list({ limit: 1 })
    expect(newest).toEqual({ ...line(3), id: newest?.id })
  })

  test('prune deletes a prefix of old lines, up to its limit, and stops at a young one', async () => {
    await using it = await open()
    const { audit } = it.store
    // The third line has an older time than the second: a clock was set back.
    const times = [0, 1, 5, 1, 9].map((day) => BY.at + day * DAY_MS)
    for (const [n, at] of times.entries()) await audit.append(line(n, at))
    it.clock.advanceMs(4 * DAY_MS)
    expect(await audit.prune(4 * DAY_MS, 10)).toBe(0)
    it.clock.advanceMs(1)
    expect(await audit.prune(4 * DAY_MS, 10)).toBe(1)
    it.clock.advanceMs(DAY_MS)
    expect(await audit.prune(4 * DAY_MS, 10)).toBe(1)
    expect(await audit.prune(4 * DAY_MS, 10)).toBe(0)
    it.clock.advanceMs(100 * DAY_MS)
    expect(await audit.prune(4 * DAY_MS, 2)).toBe(2)
    expect((await audit.list({ limit: 10 })).map(({ detail }) => detail)).toEqual(['line-4'])
    expect(await audit.prune(4 * DAY_MS, 2)).toBe(1)
    expect(await audit.prune(4 * DAY_MS, 2)).toBe(0)
    await audit.append(line(6))
    const [after] = await audit.list({ limit: 1 })
    expect(after?.id).toBe(6)
  })

  test('prune keeps lines that were written at or after a given time, however late it is', async () => {
    await using it = await open()
    const { audit } = it.store
    expect(await audit.oldestAt()).toBeUndefined()
    for (const day of [0, 1, 2]) await audit.append(line(day, BY.at + day * DAY_MS))
    it.clock.advanceMs(500 * DAY_MS)
    expect(await audit.oldestAt()).toBe(BY.at)
    expect(await audit.prune(DAY_MS, 10, BY.at + DAY_MS)).toBe(1)
    expect(await audit.oldestAt()).toBe(BY.at + DAY_MS)
  })
})
