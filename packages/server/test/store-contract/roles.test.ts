import { describe, expect, test } from 'vitest'

import { engines } from './engines.ts'
import { BY, eventsOf, logOf, tally } from './samples.ts'

describe.each(engines)('roles on %s', (_, open) => {
  test('define sets exactly these permissions, with one entry for each change', async () => {
    await using it = await open()
    const { roles } = it.store
    const define = (name: string, ...permissions: string[]): Promise<unknown> =>
      roles.define({ name, permissions }, BY)
    expect(await roles.list()).toEqual([])
    expect(await define('b', 'read', 'write')).toBe('changed')
    expect(await define('b', 'read', 'write')).toBe('unchanged')
    expect(await define('b', 'read')).toBe('changed')
    expect(await define('a')).toBe('changed')
    expect(await roles.list()).toEqual([
      { name: 'a', permissions: [] },
      { name: 'b', permissions: ['read'] },
    ])
    expect(await logOf(it.store)).toEqual(['role b soft', 'role b soft', 'role a soft'])
    expect(await eventsOf(it.store)).toEqual(Array(3).fill('role_defined'))
  })

  test('the same definition by three connections at once is one change', async () => {
    await using it = await open()
    const role = { name: 'a', permissions: ['read'] }
    const results = await Promise.all([
      it.elsewhere('roles.define', role, BY),
      it.store.roles.define(role, BY),
      it.beside.roles.define(role, BY),
    ])
    expect(tally(results)).toEqual({ changed: 1, unchanged: 2 })
    expect(await logOf(it.store)).toHaveLength(1)
  })
})
