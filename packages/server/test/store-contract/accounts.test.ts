import { describe, expect, test } from 'vitest'

import { whyOver } from '../../src/store/standing.ts'
import type { Store } from '../../src/store/store.ts'
import { NO_FACTORS } from '../../src/store/factors.ts'
import { engines } from './engines.ts'
import {
  account,
  addSession,
  BY,
  eventsOf,
  logOf,
  session,
  signedIn,
  tally,
  tenant,
} from './samples.ts'

async function isOver(store: Store, sessionId = 'session-1'): Promise<boolean> {
  const state = await store.sessions.state(sessionId)
  return state === undefined || whyOver(state) !== undefined
}

describe.each(engines)('accounts on %s', (_, open) => {
  test('create writes an account and its audit line, and then its key is taken', async () => {
    await using it = await open()
    const { accounts } = it.store
    const one = account('acct_1', { userId: '42', roles: ['a', 'b'], passwordHash: undefined })
    expect(await accounts.create(one, 'key', BY)).toBe('created')
    expect(await accounts.create(account('acct_2'), 'key', BY)).toBe('taken')
    expect(await accounts.find('key')).toEqual(one)
    expect(await accounts.find('other')).toBeUndefined()
    expect(await eventsOf(it.store)).toEqual(['account_created'])
    expect(await logOf(it.store)).toEqual([])
  })

  test('of several creates at once with one key, one succeeds', async () => {
    await using it = await open()
    const create = (store: Store, n: number): Promise<unknown> =>
      store.accounts.create(account(`acct_${n}`), 'key', BY)
    const results = await Promise.all([
      it.elsewhere('accounts.create', account('acct_0'), 'key', BY),
      create(it.store, 1),
      create(it.beside, 2),
      it.elsewhere('accounts.create', account('acct_3'), 'key', BY),
    ])
    expect(tally(results)).toEqual({ created: 1, taken: 3 })
    expect(await it.store.accounts.count()).toBe(1)
  })

  test('list and count leave out shadows, and are in the order of keys', async () => {
    await using it = await open()
    const { accounts, shadows } = it.store
    for (const id of ['acct_b', 'acct_a']) await accounts.create(account(id), id, BY)
    await shadows.endSessions('theirs', BY)
    expect((await accounts.list()).map(({ id }) => id)).toEqual(['acct_a', 'acct_b'])
    expect(await accounts.count()).toBe(2)
  })

  test('sampleHashes returns hashes from an id on, and skips accounts without a hash', async () => {
    await using it = await open()
    const { accounts } = it.store
    for (const id of ['acct_1', 'acct_2', 'acct_3']) {
      const passwordHash = id === 'acct_2' ? undefined : `hash of ${id}`
      await accounts.create(account(id, { passwordHash }), id, BY)
    }
    expect(await accounts.sampleHashes('', 1)).toEqual(['hash of acct_1'])
    expect(await accounts.sampleHashes('acct_2', 5)).toEqual(['hash of acct_3'])
  })

  test('viewForSignIn reads the position, the account, its membership and known addresses', async () => {
    await using it = await open()
    const { accounts, tenants } = it.store
    await signedIn(it.store)
    await tenants.create(tenant(), BY)
    await tenants.setMember('acct_1', 'ten_1', ['editor'], BY)
    await accounts.addRole('acct_1', 'reader', BY)
    const at = (address: string, tenantName?: string): ReturnType<typeof accounts.viewForSignIn> =>
      accounts.viewForSignIn('acct_1', { tenantName, address })
    const membership = { tenantId: 'ten_1', tenantName: 'ten-1', roles: ['editor'] }
    expect(await at('203.0.113.7')).toMatchObject({ position: 1, membership, isKnownAddress: true })
    expect(await at('203.0.113.8', 'ten-1')).toMatchObject({ membership, isKnownAddress: false })
    expect(await at('', 'other')).toMatchObject({ membership: undefined, isKnownAddress: false })
    await tenants.disable('ten_1', BY)
    expect((await at('', 'ten-1')).membership).toBeUndefined()
    const nobody = await accounts.viewForSignIn('nobody', { tenantName: undefined, address: '' })
    expect(nobody).toEqual({
      position: 2,
      account: undefined,
      membership: undefined,
      isKnownAddress: false,
      hasSessions: false,
      factors: NO_FACTORS,
    })
  })

  test('disable and setPasswordHash end every session by one hard entry', async () => {
    await using it = await open()
    const { accounts } = it.store
    await signedIn(it.store)
    expect(await accounts.disable('acct_1', BY)).toBe('changed')
    expect(await accounts.disable('acct_1', BY)).toBe('unchanged')
    expect(await accounts.enable('acct_1', BY)).toBe('changed')
    expect(await accounts.enable('acct_1', BY)).toBe('unchanged')
    expect(await isOver(it.store)).toBe(true)
    await addSession(it.store, 'session-2')
    expect(await accounts.setPasswordHash('acct_1', 'new', BY)).toBe('changed')
    expect(await isOver(it.store, 'session-2')).toBe(true)
    expect(await accounts.find('acct_1')).toMatchObject({ passwordHash: 'new', hardPosition: 2 })
    expect(await logOf(it.store)).toEqual(['account acct_1 hard', 'account acct_1 hard'])
    expect((await eventsOf(it.store)).slice(2)).toEqual([
      'account_disabled',
      'account_enabled',
      'login',
      'password_changed',
    ])
  })

  test('a change of an unknown account is unknown and writes nothing', async () => {
    await using it = await open()
    const { accounts } = it.store
    const changes = [
      accounts.disable('nobody', BY),
      accounts.enable('nobody', BY),
      accounts.delete('nobody', BY),
      accounts.setPasswordHash('nobody', 'x', BY),
      accounts.endSessions('nobody', undefined, BY),
      accounts.addRole('nobody', 'x', BY),
      accounts.removeRole('nobody', 'x', BY),
    ]
    expect(tally(await Promise.all(changes))).toEqual({ unknown: 7 })
    expect(await logOf(it.store)).toEqual([])
    expect(await eventsOf(it.store)).toEqual([])
  })

  test('delete removes the account with its sessions and memberships, and log and audit keep its id', async () => {
    await using it = await open()
    const { accounts, tenants } = it.store
    await signedIn(it.store)
    await tenants.create(tenant(), BY)
    await tenants.setMember('acct_1', 'ten_1', [], BY)
    expect(await accounts.delete('acct_1', BY)).toBe('changed')
    expect(await accounts.delete('acct_1', BY)).toBe('unknown')
    expect(await it.store.sessions.state('session-1')).toBeUndefined()
    expect(await tenants.membershipsOf('acct_1')).toEqual([])
    expect(await logOf(it.store)).toEqual(['account acct_1 hard'])
    expect(await it.store.audit.list({ accountId: 'acct_1', limit: 1 })).toMatchObject([
      { event: 'account_deleted' },
    ])
    expect(await accounts.create(account('acct_2'), 'acct_1', BY)).toBe('created')
  })

  test('deleteOwn deletes the account for a session that stands and the current hash only', async () => {
    await using it = await open()
    const { accounts, sessions } = it.store
    await signedIn(it.store)
    await addSession(it.store, 'session-2')
    await sessions.end('session-2', { event: 'logout' }, BY)
    const passwordHash = 'hash of acct_1'
    for (const proven of [
      { passwordHash: 'an older hash', sessionId: 'session-1' },
      { passwordHash, sessionId: 'session-2' },
      { passwordHash, sessionId: 'nobody' },
    ]) {
      expect(await accounts.deleteOwn('acct_1', proven, BY)).toBe('unchanged')
    }
    expect(await accounts.get('acct_1')).toBeDefined()
    const proven = { passwordHash, sessionId: 'session-1' }
    expect(await accounts.deleteOwn('acct_1', proven, BY)).toBe('changed')
    expect(await accounts.deleteOwn('acct_1', proven, BY)).toBe('unknown')
    expect(await accounts.get('acct_1')).toBeUndefined()
  })

  test('changePassword ends all sessions but its own', async () => {
    await using it = await open()
    await signedIn(it.store)
    await addSession(it.store, 'session-2')
    const hashes = { from: 'hash of acct_1', to: 'new' }
    expect(await it.store.accounts.changePassword('acct_1', hashes, 'session-1', BY)).toBe(
      'changed',
    )
    expect([await isOver(it.store, 'session-1'), await isOver(it.store, 'session-2')]).toEqual([
      false,
      true,
    ])
    expect(await logOf(it.store)).toEqual(['account acct_1 hard'])
  })

  test('changePassword changes nothing with another hash, or by a session that does not stand', async () => {
    await using it = await open()
    const { accounts, sessions } = it.store
    await signedIn(it.store)
    await addSession(it.store, 'ended')
    await sessions.end('ended', { event: 'logout' }, BY)
    await accounts.create(account('acct_2'), 'acct_2', BY)
    await addSession(it.store, 'of-another', { accountId: 'acct_2' })
    const by = (from: string, id: string): Promise<unknown> =>
      accounts.changePassword('acct_1', { from, to: 'new' }, id, BY)
    expect(await by('other', 'session-1')).toBe('unchanged')
    for (const id of ['ended', 'of-another', 'unknown']) {
      expect(await by('hash of acct_1', id)).toBe('unchanged')
    }
    expect((await accounts.find('acct_1'))?.passwordHash).toBe('hash of acct_1')
    expect(await logOf(it.store)).toEqual(['session ended hard'])
  })

  test('of several password changes at once, one succeeds, and its session stays live', async () => {
    await using it = await open()
    await signedIn(it.store)
    await addSession(it.store, 'session-2')
    const from = 'hash of acct_1'
    const results = await Promise.all([
      it.elsewhere('accounts.changePassword', 'acct_1', { from, to: 'x' }, 'session-2', BY),
      it.store.accounts.changePassword('acct_1', { from, to: 'y' }, 'session-1', BY),
      it.beside.accounts.changePassword('acct_1', { from, to: 'z' }, 'session-2', BY),
    ])
    expect(tally(results)).toEqual({ changed: 1, unchanged: 2 })
    const over = [await isOver(it.store, 'session-1'), await isOver(it.store, 'session-2')]
    expect(tally(over)).toEqual({ true: 1, false: 1 })
  })

  test('a session that was refused after a revocation began stays refused', async () => {
    await using it = await open()
    await signedIn(it.store)
    await it.store.accounts.endSessions('acct_1', undefined, BY)
    const late = session('late', { signedInPosition: 0 })
    expect(await it.store.sessions.create(late, BY)).toBe('refused')
    expect(await it.store.sessions.state('late')).toBeUndefined()
  })

  test('endSessions keeps a session that stands, and revives none', async () => {
    await using it = await open()
    const { accounts } = it.store
    await signedIn(it.store)
    expect(await accounts.endSessions('acct_1', undefined, BY)).toBe('changed')
    expect(await accounts.endSessions('acct_1', 'session-1', BY)).toBe('changed')
    expect(await isOver(it.store)).toBe(true)
    await addSession(it.store, 'session-2')
    expect(await accounts.endSessions('acct_1', 'session-2', BY)).toBe('changed')
    expect(await isOver(it.store, 'session-2')).toBe(false)
  })

  test('upgradePasswordHash replaces the expected hash only, and logs nothing', async () => {
    await using it = await open()
    const { accounts } = it.store
    await accounts.create(account(), 'acct_1', BY)
    await accounts.upgradePasswordHash('acct_1', 'other', 'x')
    expect((await accounts.find('acct_1'))?.passwordHash).toBe('hash of acct_1')
    await accounts.upgradePasswordHash('acct_1', 'hash of acct_1', 'x')
    expect((await accounts.find('acct_1'))?.passwordHash).toBe('x')
    expect(await logOf(it.store)).toEqual([])
  })

  test('roles are a sorted set; each change is one soft entry; changes at once lose none', async () => {
    await using it = await open()
    const { accounts } = it.store
    await accounts.create(account(), 'acct_1', BY)
    const roles = ['c', 'a', 'b', 'a', 'd', 'e']
    const results = await Promise.all(
      roles.map((role, n) =>
        n % 2 === 0
          ? it.elsewhere('accounts.addRole', 'acct_1', role, BY)
          : accounts.addRole('acct_1', role, BY),
      ),
    )
    expect(tally(results)).toEqual({ changed: 5, unchanged: 1 })
    expect((await accounts.find('acct_1'))?.roles).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(await accounts.removeRole('acct_1', 'c', BY)).toBe('changed')
    expect(await accounts.removeRole('acct_1', 'c', BY)).toBe('unchanged')
    expect(await logOf(it.store)).toEqual(Array(6).fill('account acct_1 soft'))
  })
})
