import { chainValue } from '@countersign/guard/revocations'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { whyOver } from '../../src/store/standing.ts'
import type { Store } from '../../src/store/store.ts'
import { NOW } from '../support/session-rows.ts'
import { engines } from './engines.ts'
import {
  account,
  addSession,
  BY,
  DAY_MS,
  key,
  session,
  signedIn,
  tally,
  tenant,
} from './samples.ts'
import { login } from './sso-samples.ts'

const LOGOUT = { event: 'logout' } as const
const ISSUER = 'https://auth.example'

/** Collects everything that the log has. */
async function collectAll(store: Store, limit = 100): Promise<void> {
  let isMore = true
  while (isMore) ({ isMore } = await store.sso.logouts.collect(limit))
}

/** The sessions whose logout waits, sorted. Takes them for an hour. */
async function told(store: Store): Promise<readonly string[]> {
  const waiting = await store.sso.logouts.take(1_000, 3_600_000)
  return waiting.map(({ sid }) => sid.replace('sid of ', '')).toSorted()
}

/** Four sessions with a login: `s1` and `s2` of one account, `s3` of a second account, and `s4` in a tenant. */
async function prepare(store: Store): Promise<void> {
  await store.tenants.create(tenant(), BY)
  for (const id of ['acct_1', 'acct_2', 'acct_3']) await store.accounts.create(account(id), id, BY)
  await store.tenants.setMember('acct_3', 'ten_1', [], BY)
  await addSession(store, 's1')
  await addSession(store, 's2')
  await addSession(store, 's3', { accountId: 'acct_2' })
  await addSession(store, 's4', { accountId: 'acct_3', tenantId: 'ten_1' })
  for (const [id, accountId] of [
    ['s1', 'acct_1'],
    ['s2', 'acct_1'],
    ['s3', 'acct_2'],
    ['s4', 'acct_3'],
  ] as const) {
    await store.sso.logouts.noteLogin(login(id, { accountId }))
  }
}

describe.each(engines)('logins and logouts at applications on %s', (_, open) => {
  test('noteLogin remembers each login of a session once', async () => {
    await using it = await open()
    const { logouts } = it.store.sso
    await signedIn(it.store)
    await Promise.all([
      it.elsewhere('sso.logouts.noteLogin', login()),
      logouts.noteLogin(login()),
      it.beside.sso.logouts.noteLogin(login()),
    ])
    await logouts.noteLogin(login('session-1', { createdAt: NOW + 5 }))
    const other = login('session-1', { applicationId: 'app_2', createdAt: NOW + 1 })
    await logouts.noteLogin(other)
    expect(await logouts.loginsOf('session-1')).toEqual([login(), other])
    expect(await logouts.loginsOf('unknown')).toEqual([])
    expect(await told(it.store)).toEqual([])
  })

  test('a login of a session that is over is told at once', async () => {
    await using it = await open()
    const { logouts } = it.store.sso
    await signedIn(it.store)
    await it.store.sessions.end('session-1', LOGOUT, BY)
    await logouts.noteLogin(login())
    await logouts.noteLogin(login())
    await logouts.noteLogin(login('never'))
    expect(await logouts.loginsOf('session-1')).toEqual([])
    expect(await told(it.store)).toEqual(['never', 'session-1'])
  })

  describe('collect', () => {
    const table: readonly (readonly [
      name: string,
      end: (store: Store) => Promise<unknown>,
      ended: readonly string[],
    ])[] = [
      ['a logout', (store) => store.sessions.end('s1', LOGOUT, BY), ['s1']],
      ['a disabled account', (store) => store.accounts.disable('acct_1', BY), ['s1', 's2']],
      [
        'an account that was disabled and enabled again',
        async (store) => {
          await store.accounts.disable('acct_1', BY)
          await store.accounts.enable('acct_1', BY)
        },
        ['s1', 's2'],
      ],
      [
        'the end of all other sessions',
        (store) => store.accounts.endSessions('acct_1', 's2', BY),
        ['s1'],
      ],
      [
        'two ends of all other sessions, by both of them',
        async (store) => {
          await store.accounts.endSessions('acct_1', 's2', BY)
          await store.accounts.endSessions('acct_1', 's1', BY)
        },
        ['s1', 's2'],
      ],
      ['a deleted account', (store) => store.accounts.delete('acct_2', BY), ['s3']],
      ['a disabled tenant', (store) => store.tenants.disable('ten_1', BY), ['s4']],
      [
        'a log that started over',
        async (store) => {
          const by = { issuer: ISSUER, at: NOW, actor: 'system' }
          await store.revocations.startOver(0, await store.revocations.head(), by)
        },
        ['s1', 's2', 's3', 's4'],
      ],
      ['changed roles', (store) => store.accounts.addRole('acct_1', 'reader', BY), []],
      [
        'a raised session',
        (store) =>
          store.factors.raise(
            's1',
            { authenticatedAt: NOW, amr: ['pwd'], acr: undefined, secondFactor: 'none' },
            { use: undefined, version: undefined },
            BY,
          ),
        [],
      ],
      ['a revoked token', (store) => store.revocations.revokeToken('jti', 'acct_1', BY), []],
    ]
    test.each(table)('after %s', async (__, end, ended) => {
      await using it = await open()
      const { store } = it
      await prepare(store)
      await collectAll(store)
      expect(await told(store)).toEqual([])
      await end(store)
      await collectAll(store)
      expect(await told(store)).toEqual(ended)
      for (const id of ['s1', 's2', 's3', 's4']) {
        expect(await store.sso.logouts.loginsOf(id)).toHaveLength(ended.includes(id) ? 0 : 1)
      }
      it.clock.advanceMs(3_600_000)
      await collectAll(store)
      expect(await told(store)).toEqual(ended)
    })

    test('after a killed refresh key ends the sessions that used it', async () => {
      await using it = await open()
      const { store } = it
      const ring = [key('refresh-key'), key('other-key')]
      await store.keys.change([], { put: ring, remove: [] }, BY)
      await prepare(store)
      await addSession(store, 's5', { refreshKid: 'other-key' })
      await store.sso.logouts.noteLogin(login('s5'))
      const dead = key('other-key', { state: 'revoked', sealed: new Uint8Array(0) })
      const change = { put: [dead], remove: [], killed: 'other-key' }
      const from = await store.keys.list()
      expect(await store.keys.change(from, change, BY)).toBe('changed')
      await collectAll(store)
      expect(await told(store)).toEqual(['s5'])
    })

    test('leaves sessions that were opened after the entry', async () => {
      await using it = await open()
      const { store } = it
      await prepare(store)
      await store.accounts.endSessions('acct_1', undefined, BY)
      await store.tenants.disable('ten_1', BY)
      await store.tenants.enable('ten_1', BY)
      await addSession(store, 's5')
      await addSession(store, 's6', { accountId: 'acct_3', tenantId: 'ten_1' })
      await store.sso.logouts.noteLogin(login('s5'))
      await store.sso.logouts.noteLogin(login('s6', { accountId: 'acct_3' }))
      await collectAll(store)
      expect(await told(store)).toEqual(['s1', 's2', 's4'])
    })

    test('leaves sessions that stand when a repair appends old entries again', async () => {
      await using it = await open()
      const { store } = it
      await prepare(store)
      const start = await store.revocations.head()
      await store.accounts.endSessions('acct_1', 's2', BY)
      await collectAll(store)
      expect(await told(store)).toEqual(['s1'])
      const lost = { kind: 'token', subject: 'lost', strength: 'soft', at: NOW } as const
      const position = start.position + 1
      const entry = { ...lost, position, chain: chainValue(start.chain, { ...lost, position }) }
      const evidence = {
        start,
        entries: [entry],
        tip: { position, chain: entry.chain },
        signedAt: NOW,
      }
      const by = { issuer: ISSUER, at: NOW, actor: 'system' }
      expect((await store.revocations.repair(evidence, by)).kind).toBe('rejoin')
      await collectAll(store)
      expect(await told(store)).toEqual([])
      expect(await store.sso.logouts.loginsOf('s2')).toHaveLength(1)
    })

    test('goes on in steps, for many entries and for one entry that ends many', async () => {
      await using it = await open()
      const { store } = it
      const { logouts } = store.sso
      await store.accounts.create(account(), 'acct_1', BY)
      for (let n = 0; n < 7; n += 1) {
        await addSession(store, `s${n}`)
        await logouts.noteLogin(login(`s${n}`))
      }
      await logouts.collect(10)
      for (const id of ['s0', 's1', 's2']) await store.sessions.end(id, LOGOUT, BY)
      expect(await logouts.collect(2)).toEqual({ isMore: true })
      expect(await told(store)).toEqual(['s0', 's1'])
      await collectAll(store, 2)
      expect(await told(store)).toEqual(['s2'])
      await store.accounts.disable('acct_1', BY)
      expect(await logouts.collect(3)).toEqual({ isMore: true })
      const first = await told(store)
      expect(first).toHaveLength(3)
      await collectAll(store, 3)
      const rest = await told(store)
      expect([...first, ...rest].toSorted()).toEqual(['s3', 's4', 's5', 's6'])
      expect(await logouts.collect(3)).toEqual({ isMore: false })
    })

    test('without logins it advances to the head, so that a later login meets no old entry', async () => {
      await using it = await open()
      const { store } = it
      const { logouts } = store.sso
      await signedIn(store, 'old')
      for (let n = 0; n < 30; n += 1) await store.revocations.revokeToken(`${n}`, 'acct_1', BY)
      expect(await logouts.collect(5)).toEqual({ isMore: false })
      await logouts.noteLogin(login('old'))
      await store.sessions.end('old', LOGOUT, BY)
      // The first of these entries is the only one that is left to read.
      await logouts.collect(1)
      expect(await told(store)).toEqual(['old'])
    })

    test('at once from three connections, tells each logout once', async () => {
      await using it = await open()
      const { store } = it
      await store.accounts.create(account(), 'acct_1', BY)
      const ids = Array.from({ length: 20 }, (__, i) => `s${i + 10}`)
      for (const id of ids) {
        await addSession(store, id)
        await store.sso.logouts.noteLogin(login(id))
      }
      await Promise.all(ids.map((id) => store.sessions.end(id, LOGOUT, BY)))
      await Promise.all([
        it.elsewhere('sso.logouts.collect', 100),
        store.sso.logouts.collect(100),
        it.beside.sso.logouts.collect(100),
      ])
      expect(await told(store)).toEqual(ids)
    })

    test('misses no login that is noted while its session ends', async () => {
      await using it = await open()
      const { store } = it
      await store.accounts.create(account(), 'acct_1', BY)
      const ids = Array.from({ length: 20 }, (__, i) => `s${i + 10}`)
      for (const id of ids) {
        await addSession(store, id)
        await Promise.all([
          it.elsewhere('sso.logouts.noteLogin', login(id)),
          store.sessions.end(id, LOGOUT, BY),
          it.beside.sso.logouts.collect(100),
        ])
      }
      await collectAll(store)
      expect(await told(store)).toEqual(ids)
    })

    test('tells exactly the sessions that are over, whatever ended them', async () => {
      await using it = await open()
      const { store } = it
      const act = fc.record({
        what: fc.constantFrom('open', 'end', 'endAll', 'endOthers', 'disable', 'tenant', 'collect'),
        which: fc.nat({ max: 5 }),
      })
      let run = 0
      await fc.assert(
        fc.asyncProperty(fc.array(act, { minLength: 3, maxLength: 14 }), async (acts) => {
          run += 1
          const accounts = [`acct_${run}_a`, `acct_${run}_b`] as const
          const ten = `ten_${run}`
          await store.tenants.create(tenant(ten), BY)
          for (const id of accounts) await store.accounts.create(account(id), id, BY)
          await store.tenants.setMember(accounts[0], ten, [], BY)
          const opened: string[] = []
          for (const [index, { what, which }] of acts.entries()) {
            const accountId = accounts[which % 2]!
            const one = opened[which % Math.max(1, opened.length)]
            if (what === 'open') {
              const id = `s_${run}_${index}`
              const { position } = await store.revocations.head()
              const tenantId = which === 0 ? ten : undefined
              const row = session(id, { accountId, tenantId, signedInPosition: position })
              await store.sessions.create(row, BY)
              await store.sso.logouts.noteLogin(login(id, { accountId }))
              opened.push(id)
            }
            if (what === 'end' && one !== undefined) await store.sessions.end(one, LOGOUT, BY)
            if (what === 'endAll') await store.accounts.endSessions(accountId, undefined, BY)
            if (what === 'endOthers') await store.accounts.endSessions(accountId, one, BY)
            if (what === 'disable') {
              await store.accounts.disable(accountId, BY)
              await store.accounts.enable(accountId, BY)
            }
            if (what === 'tenant') {
              await store.tenants.disable(ten, BY)
              await store.tenants.enable(ten, BY)
            }
            if (what === 'collect') await store.sso.logouts.collect(2)
          }
          await collectAll(store, 3)
          const over: string[] = []
          for (const id of opened) {
            const state = await store.sessions.state(id)
            if (state === undefined || whyOver(state) !== undefined) over.push(id)
          }
          expect(await told(store)).toEqual(over.toSorted())
        }),
        { numRuns: 25 },
      )
    })
  })

  test('take leases what is due, delivered removes it, and failed counts', async () => {
    await using it = await open()
    const { logouts } = it.store.sso
    for (const id of ['a', 'b', 'c']) {
      await logouts.noteLogin(login(id))
      it.clock.advanceMs(1)
    }
    const first = await logouts.take(2, 1_000)
    expect(first).toMatchObject([
      { sid: 'sid of a', applicationId: 'app_1', accountId: 'acct_1', attempts: 0, createdAt: NOW },
      { sid: 'sid of b', createdAt: NOW + 1 },
    ])
    const [a, b] = [first[0]!, first[1]!]
    expect(a.id).toMatch(/^logout_[\w-]{22}$/)
    expect((await logouts.take(9, 1_000)).map(({ sid }) => sid)).toEqual(['sid of c'])
    expect(await logouts.take(9, 1_000)).toEqual([])
    await logouts.delivered(a.id)
    await logouts.failed(b.id, it.clock.nowMs() + 5_000)
    it.clock.advanceMs(1_000)
    // Only the lease of the third is over.
    const third = await logouts.take(9, 100_000)
    expect(third).toMatchObject([{ sid: 'sid of c', attempts: 0 }])
    it.clock.advanceMs(3_999)
    expect(await logouts.take(9, 1_000)).toEqual([])
    it.clock.advanceMs(1)
    await it.reopen()
    const { logouts: again } = it.store.sso
    expect(await again.take(9, 1_000)).toMatchObject([{ id: b.id, attempts: 1 }])
    await again.failed(b.id, undefined)
    await again.delivered(third[0]!.id)
    await again.failed('unknown', NOW)
    await again.delivered('unknown')
    it.clock.advanceMs(DAY_MS)
    expect(await again.take(9, 1_000)).toEqual([])
  })

  test('of several takes at once, each logout goes to one', async () => {
    await using it = await open()
    const { logouts } = it.store.sso
    for (let n = 0; n < 30; n += 1) await logouts.noteLogin(login(`s${n}`))
    const take = async (): Promise<readonly { readonly id: string }[]> =>
      (await it.elsewhere('sso.logouts.take', 10, 1_000)) as { id: string }[]
    const taken = await Promise.all([
      take(),
      logouts.take(10, 1_000),
      it.beside.sso.logouts.take(10, 1_000),
      take(),
    ])
    const rest = await logouts.take(30, 1_000)
    const ids = [...taken, rest].flat().map(({ id }) => id)
    expect(Object.values(tally(ids))).toEqual(Array.from({ length: 30 }, () => 1))
  })

  test('purge removes logins of sessions that ended by themselves', async () => {
    await using it = await open()
    const { logouts, grants } = it.store.sso
    await signedIn(it.store)
    await logouts.noteLogin(login('session-1', { expiresAt: NOW + 10 }))
    await logouts.noteLogin(login('session-1', { applicationId: 'app_2', expiresAt: NOW + 11 }))
    it.clock.advanceMs(10)
    expect(await grants.purge(9)).toBe(1)
    expect(await logouts.loginsOf('session-1')).toMatchObject([{ applicationId: 'app_2' }])
    expect(await told(it.store)).toEqual([])
  })
})
