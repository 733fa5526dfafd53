import { chainValue } from '@countersign/guard/revocations'
import { describe, expect, test } from 'vitest'

import type { Store } from '../../src/store/store.ts'
import { NOW } from '../support/session-rows.ts'
import { engines } from './engines.ts'
import { account, addSession, BY, eventsOf, logOf, signedIn, tally } from './samples.ts'
import { application, chain, consent, hashOf, identity, login, record } from './sso-samples.ts'

const ISSUER = 'https://auth.example'

/** Two accounts, of which the first has two sessions, and a grant of each of two applications in each session. */
async function prepare(store: Store): Promise<void> {
  await signedIn(store, 's1')
  await addSession(store, 's2')
  await signedIn(store, 's3', 'acct_2')
  for (const app of ['app_1', 'app_2']) {
    await store.sso.applications.create(application(app), undefined, BY)
    for (const sessionId of ['s1', 's2', 's3']) {
      const grantId = `${app} ${sessionId}`
      const of = { applicationId: app, sessionId, grantId }
      await store.sso.records.put(record(`grant ${grantId}`, { kind: 'Grant', ...of }))
      await store.sso.records.put(record(`code ${grantId}`, of))
      await store.sso.refreshes.create(chain(grantId, of))
      await store.sso.logouts.noteLogin(
        login(sessionId, {
          applicationId: app,
          sid: grantId,
          accountId: sessionId === 's3' ? 'acct_2' : 'acct_1',
        }),
      )
    }
    for (const id of ['acct_1', 'acct_2']) await store.sso.grants.setConsent(consent(id, app), BY)
  }
}

/** The names of the grants of which everything is left. Fails if only a part of one is left. */
async function grantsLeft(store: Store): Promise<readonly string[]> {
  const left: string[] = []
  for (const app of ['app_1', 'app_2']) {
    for (const sessionId of ['s1', 's2', 's3']) {
      const name = `${app} ${sessionId}`
      const parts = [
        await store.sso.records.find('Grant', hashOf(`grant ${name}`)),
        await store.sso.records.find('AuthorizationCode', hashOf(`code ${name}`)),
        await store.sso.refreshes.read(name),
      ].filter((part) => part !== undefined)
      expect([0, 3], name).toContain(parts.length)
      if (parts.length > 0) left.push(name)
    }
  }
  return left
}

const ALL = ['app_1 s1', 'app_1 s2', 'app_1 s3', 'app_2 s1', 'app_2 s2', 'app_2 s3']

describe.each(engines)('grants and consents on %s', (_, open) => {
  test('a consent is written, replaced, and listed with the title of its application', async () => {
    await using it = await open()
    const { grants, applications } = it.store.sso
    await it.store.accounts.create(account(), 'acct_1', BY)
    await applications.create(application(), undefined, BY)
    expect(await grants.consent('acct_1', 'app_1')).toBeUndefined()
    await grants.setConsent(consent(), BY)
    expect(await grants.consent('acct_1', 'app_1')).toEqual(consent())
    const more = { allowed: '{"scopes":["openid","email"]}', changedAt: NOW + 9 }
    await grants.setConsent(consent('acct_1', 'app_1', { ...more, givenAt: NOW + 9 }), BY)
    expect(await grants.consent('acct_1', 'app_1')).toEqual(consent('acct_1', 'app_1', more))
    // An application that is known by its metadata document only has no row.
    const url = 'https://agent.example/client.json'
    await grants.setConsent(consent('acct_1', url, { givenAt: NOW + 1 }), BY)
    await applications.disable('app_1', BY)
    expect(await grants.consentsOf('acct_1')).toEqual([
      { ...consent('acct_1', url, { givenAt: NOW + 1 }), title: url, isDisabled: false },
      { ...consent('acct_1', 'app_1', more), title: 'Title of app_1', isDisabled: true },
    ])
    expect(await grants.consentsOf('acct_2')).toEqual([])
    await grants.setConsent(consent('nobody'), BY)
    expect(await grants.consent('nobody', 'app_1')).toBeUndefined()
    expect(tally(await eventsOf(it.store))).toMatchObject({ consent_given: 3 })
  })

  test('revokeConsent removes the grants of the application in all sessions of the account', async () => {
    await using it = await open()
    await prepare(it.store)
    const { grants } = it.store.sso
    const results = await Promise.all([
      it.elsewhere('sso.grants.revokeConsent', 'acct_1', 'app_1', BY),
      grants.revokeConsent('acct_1', 'app_1', BY),
      it.beside.sso.grants.revokeConsent('acct_1', 'app_1', BY),
    ])
    expect(tally(results)).toEqual({ changed: 1, unchanged: 2 })
    expect(await grantsLeft(it.store)).toEqual(ALL.filter((name) => !/app_1 s[12]/.test(name)))
    expect(await grants.consent('acct_1', 'app_1')).toBeUndefined()
    expect(await grants.consent('acct_2', 'app_1')).toBeDefined()
    expect(await logOf(it.store)).toEqual(['account acct_1 soft'])
    const [line] = await it.store.audit.list({ limit: 1 })
    expect(line).toMatchObject({
      event: 'consent_revoked',
      accountId: 'acct_1',
      detail: 'app_1',
      outcome: 'ok',
    })
    expect(await grants.revokeConsent('nobody', 'app_1', BY)).toBe('unchanged')
    // Grants without a remembered consent, as a first-party application has them.
    await it.store.sso.refreshes.create(chain('again', { sessionId: 's1', grantId: 'again' }))
    expect(await grants.revokeConsent('acct_1', 'app_1', BY)).toBe('changed')
    expect(await it.store.sso.refreshes.read('again')).toBeUndefined()
  })

  test('revokeGrant removes one grant, and makes the tokens of its session stale', async () => {
    await using it = await open()
    await prepare(it.store)
    const { grants, records } = it.store.sso
    const context = { ...BY, detail: 'code_reused' }
    const results = await Promise.all([
      it.elsewhere('sso.grants.revokeGrant', 'app_1 s2', context),
      grants.revokeGrant('app_1 s2', context),
      it.beside.sso.grants.revokeGrant('app_1 s2', context),
    ])
    expect(tally(results)).toEqual({ changed: 1, unchanged: 2 })
    expect(await grantsLeft(it.store)).toEqual(ALL.filter((name) => name !== 'app_1 s2'))
    expect(await logOf(it.store)).toEqual(['session s2 soft'])
    const [line] = await it.store.audit.list({ limit: 1 })
    expect(line).toMatchObject({
      event: 'grant_revoked',
      accountId: 'acct_1',
      sessionId: 's2',
      detail: 'code_reused',
    })
    expect(await grants.revokeGrant('unknown', BY)).toBe('unchanged')
    // A grant whose session is gone, and one without a session.
    await records.put(record('x', { grantId: 'x', sessionId: 'gone' }))
    await records.put(record('y', { grantId: 'y', sessionId: undefined }))
    expect(await grants.revokeGrant('x', BY)).toBe('changed')
    expect(await grants.revokeGrant('y', BY)).toBe('changed')
    expect(await logOf(it.store, 1)).toEqual(['session gone soft'])
  })

  test('a grant that is revoked while its refresh token rotates is gone afterwards', async () => {
    await using it = await open()
    const { refreshes, grants } = it.store.sso
    for (let round = 0; round < 10; round += 1) {
      const id = `chain-${round}`
      await refreshes.create(chain(id, { grantId: id }))
      const rules = { idleMs: 1_000_000, graceMs: 10_000, startedAt: 0 }
      const [rotated, revoked] = await Promise.all([
        it.elsewhere('sso.refreshes.rotate', id, 0, rules) as Promise<{ kind: string }>,
        grants.revokeGrant(id, BY),
      ])
      expect(['rotated', 'unknown']).toContain(rotated.kind)
      expect(revoked).toBe('changed')
      expect(await refreshes.read(id)).toBeUndefined()
    }
  })

  test('deleting an account removes all that belongs to it, and tells applications of the logout', async () => {
    await using it = await open()
    await prepare(it.store)
    const { identities, accounts, sso } = it.store
    await identities.link(identity(), { sessionId: 's1' }, BY)
    await identities.link(identity('other', { accountId: 'acct_2' }), { sessionId: 's3' }, BY)
    expect(await accounts.delete('acct_1', BY)).toBe('changed')
    expect(await grantsLeft(it.store)).toEqual(['app_1 s3', 'app_2 s3'])
    expect(await sso.grants.consentsOf('acct_1')).toEqual([])
    expect(await sso.grants.consentsOf('acct_2')).toHaveLength(2)
    expect(await identities.listOf('acct_1')).toEqual([])
    expect(await identities.find(identity('other'))).toBeDefined()
    expect(await sso.logouts.loginsOf('s1')).toEqual([])
    expect(await sso.logouts.loginsOf('s3')).toHaveLength(2)
    const waiting = await sso.logouts.take(9, 1_000)
    expect(waiting.map(({ accountId, sid }) => [accountId, sid])).toHaveLength(4)
    expect(new Set(waiting.map(({ sid }) => sid))).toEqual(
      new Set(['app_1 s1', 'app_1 s2', 'app_2 s1', 'app_2 s2']),
    )
    // The outbox already has them, so the entry of the log adds none.
    await sso.logouts.collect(100)
    it.clock.advanceMs(1_000)
    expect(await sso.logouts.take(9, 1_000)).toHaveLength(4)
  })

  test('a restored database has no grants of the backup, and tells applications of all logouts', async () => {
    await using it = await open()
    await prepare(it.store)
    const by = { issuer: ISSUER, at: NOW, actor: 'system' }
    await it.store.revocations.startOver(0, await it.store.revocations.head(), by)
    expect(await grantsLeft(it.store)).toEqual(ALL)

    const head = await it.store.revocations.head()
    await it.store.revocations.startOver(head.position, head, by, { killed: [] })
    expect(await grantsLeft(it.store)).toEqual([])
    expect(await it.store.sso.grants.consentsOf('acct_1')).toHaveLength(2)
    expect(await it.store.sso.logouts.collect(100)).toEqual({ isMore: false })
    expect(await it.store.sso.logouts.take(9, 1_000)).toHaveLength(6)
  })

  test('a repair that finds the lost end of an application ends its grants', async () => {
    await using it = await open()
    await prepare(it.store)
    const start = await it.store.revocations.head()
    const lost = { kind: 'client', subject: 'app_1', strength: 'hard', at: NOW } as const
    const position = start.position + 1
    const entry = {
      ...lost,
      position,
      chain: chainValue(start.chain, { ...lost, position }),
    }
    const tip = { position, chain: entry.chain }
    const repaired = await it.store.revocations.repair(
      { start, entries: [entry], tip, signedAt: NOW },
      { issuer: ISSUER, at: NOW, actor: 'system' },
    )
    expect(repaired.kind).toBe('rejoin')
    expect(await grantsLeft(it.store)).toEqual(ALL.filter((name) => name.startsWith('app_2')))
  })
})
