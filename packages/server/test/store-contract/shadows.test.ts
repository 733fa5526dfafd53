import { describe, expect, test } from 'vitest'

import { whyOver } from '../../src/store/standing.ts'
import { NO_FACTORS } from '../../src/store/factors.ts'
import { engines } from './engines.ts'
import { account, BY, eventsOf, logOf, session, tally } from './samples.ts'

const THEIRS = account('theirs', { username: 'alice', roles: ['a'], passwordHash: undefined })

describe.each(engines)('shadows on %s', (_, open) => {
  test('a session writes the row of its account, and the next one brings it up to date', async () => {
    await using it = await open()
    const { sessions, accounts } = it.store
    const create = (id: string, shadow = THEIRS): Promise<unknown> =>
      sessions.create(session(id, { accountId: 'theirs' }), BY, { shadow })
    expect(await create('s1')).toBe('created')
    expect(await create('s2', { ...THEIRS, username: 'alicia', roles: ['b'] })).toBe('created')
    expect(await sessions.state('s1')).toMatchObject({
      username: 'alicia',
      account: { id: 'theirs', roles: ['b'] },
    })
    for (const name of ['alice', 'alicia', 'theirs']) {
      expect(await accounts.find(name)).toBeUndefined()
    }
    expect(await accounts.create(account('acct_1'), 'alicia', BY)).toBe('created')
  })

  test('viewForSignIn of an unknown account has no position and no known address', async () => {
    await using it = await open()
    const { shadows, sessions } = it.store
    const nothing = { isKnownAddress: false, hardPosition: 0, factors: NO_FACTORS }
    expect(await shadows.viewForSignIn('theirs', '203.0.113.7')).toEqual(nothing)
    await sessions.create(session('s1', { accountId: 'theirs' }), BY, { shadow: THEIRS })
    await shadows.endSessions('theirs', BY)
    expect(await shadows.viewForSignIn('theirs', '203.0.113.7')).toEqual({
      isKnownAddress: true,
      hardPosition: 1,
      factors: NO_FACTORS,
    })
  })

  test('endSessions before the first login refuses one that has read an earlier position', async () => {
    await using it = await open()
    await it.store.shadows.endSessions('theirs', BY)
    const early = session('s1', { accountId: 'theirs', signedInPosition: 0 })
    expect(await it.store.sessions.create(early, BY, { shadow: THEIRS })).toBe('refused')
    const later = session('s1', { accountId: 'theirs', signedInPosition: 1 })
    expect(await it.store.sessions.create(later, BY, { shadow: THEIRS })).toBe('created')
    expect(await logOf(it.store)).toEqual(['account theirs hard'])
  })

  test('endSessions and a first login at once leave no live session', async () => {
    await using it = await open()
    for (let round = 0; round < 10; round += 1) {
      const id = `theirs-${round}`
      const shadow = { ...THEIRS, id }
      const { position } = await it.store.revocations.head()
      const first = session(`s${round}`, { accountId: id, signedInPosition: position })
      await Promise.all([
        it.elsewhere('shadows.endSessions', id, BY),
        it.store.sessions.create(first, BY, { shadow }),
      ])
      const state = await it.store.sessions.state(first.id)
      expect(state === undefined || whyOver(state) !== undefined).toBe(true)
    }
  })

  test('noteChange is one soft entry a call, also without a row', async () => {
    await using it = await open()
    await Promise.all([
      it.elsewhere('shadows.noteChange', 'theirs', BY),
      it.store.shadows.noteChange('theirs', BY),
    ])
    expect(await logOf(it.store)).toEqual(Array(2).fill('account theirs soft'))
    expect(tally(await eventsOf(it.store))).toEqual({ account_changed: 2 })
  })
})
