import { describe, expect, test } from 'vitest'

import type { NewMail } from '../../src/store/rows.ts'
import type { ClaimedMail, Store } from '../../src/store/store.ts'
import { NOW } from '../support/session-rows.ts'
import { engines } from './engines.ts'
import { account, addSession, BY, DAY_MS, session, signedIn, tally } from './samples.ts'

const LEASE_MS = 60_000

function mail(id = 'mail_1', more: Partial<NewMail> = {}): NewMail {
  return {
    id,
    kind: 'reset_password',
    recipient: `${id}@example.com`,
    locale: 'en',
    sealed: new Uint8Array([1, 2, 3]),
    accountId: 'acct_1',
    createdAt: NOW,
    notAfter: NOW + DAY_MS,
    ...more,
  }
}

async function claimIds(store: Store, now = NOW, limit = 10): Promise<readonly string[]> {
  return (await store.mail.claim(now, LEASE_MS, limit)).map(({ id }) => id)
}

async function listed(store: Store): Promise<readonly string[]> {
  const rows = await store.mail.list({ limit: 100 })
  return rows.map(({ id, state, attempts }) => `${id} ${state} ${attempts}`)
}

describe.each(engines)('the outbox on %s', (_, open) => {
  test('a mail is written, leased, handed over and erased', async () => {
    await using it = await open()
    const { store } = it
    await store.mail.add([mail()])
    expect(await store.mail.nextDueAt()).toBe(NOW)
    const [claimed] = await store.mail.claim(NOW, LEASE_MS, 10)
    expect(claimed).toEqual({ ...mail(), attempt: 1 })
    expect(await store.mail.nextDueAt()).toBe(NOW + LEASE_MS)
    expect(await store.mail.noteSent('mail_1', NOW)).toBe('changed')
    expect(await store.mail.noteSent('mail_1', NOW)).toBe('unchanged')
    expect(await store.mail.nextDueAt()).toBeUndefined()
    expect(await claimIds(store, NOW + DAY_MS)).toEqual([])
    const { sealed: _sealed, ...rest } = mail()
    const [row] = await store.mail.list({ limit: 10 })
    expect(row).toEqual({
      ...rest,
      number: row?.number,
      state: 'sent',
      attempts: 1,
      dueAt: undefined,
      reason: undefined,
    })
  })

  test('a change writes its mails only if it happens, and only once', async () => {
    await using it = await open()
    const { store } = it
    const by = (id: string): typeof BY => ({ ...BY, mails: [mail(id)] })
    expect(await store.accounts.create(account(), 'one', by('created'))).toBe('created')
    expect(await store.accounts.create(account('acct_2'), 'one', by('taken'))).toBe('taken')
    expect(await store.accounts.disable('acct_9', by('unknown'))).toBe('unknown')
    expect(await store.accounts.setPasswordHash('acct_1', 'h', by('password'))).toBe('changed')
    expect(
      await store.accounts.changePassword('acct_1', { from: 'x', to: 'y' }, 's', by('wrong')),
    ).toBe('unchanged')
    expect(await claimIds(store)).toEqual(['created', 'password'])
  })

  test('a session writes its mail once, also if it ends other sessions', async () => {
    await using it = await open()
    const { store } = it
    await signedIn(store)
    await addSession(store, 'session-2')
    const { position } = await store.revocations.head()
    const opened = session('session-3', { signedInPosition: position })
    const by = { ...BY, detail: undefined, mails: [mail('new-device')] }
    expect(await store.sessions.create(opened, by, { liveMax: 1 })).toBe('created')
    const refused = session('session-4', { signedInPosition: -1 })
    await store.accounts.setPasswordHash('acct_1', 'h', BY)
    expect(await store.sessions.create(refused, { ...by, mails: [mail('refused')] })).toBe(
      'refused',
    )
    const end = (id: string, mailId: string): Promise<unknown> =>
      store.sessions.end(id, { event: 'logout' }, { ...BY, mails: [mail(mailId)] })
    expect(await end('session-3', 'ended')).toBe('changed')
    expect(await end('session-3', 'again')).toBe('unchanged')
    expect(await end('session-9', 'unknown')).toBe('unknown')
    expect(await listed(store)).toEqual(['ended waiting 0', 'new-device waiting 0'])
  })

  test('the outbox survives a restart', async () => {
    await using it = await open()
    await it.store.mail.add([mail('a'), mail('b'), mail('c')])
    await it.store.mail.noteSent('a', NOW)
    await it.store.mail.claim(NOW, LEASE_MS, 1)
    await it.reopen()
    expect(await listed(it.store)).toEqual(['c waiting 0', 'b waiting 1', 'a sent 0'])
    expect(await claimIds(it.store)).toEqual(['c'])
  })

  test('fifty claims of three connections, one in another thread, lease each mail once', async () => {
    await using it = await open()
    const ids = Array.from({ length: 40 }, (__, n) => `mail_${n}`)
    await it.store.mail.add(ids.map((id) => mail(id)))
    await it.elsewhere('check')
    const claims = Array.from({ length: 17 }, () => [
      it.elsewhere('mail.claim', NOW, LEASE_MS, 2) as Promise<readonly ClaimedMail[]>,
      it.store.mail.claim(NOW, LEASE_MS, 2),
      it.beside.mail.claim(NOW, LEASE_MS, 2),
    ])
    const claimed = (await Promise.all(claims.flat())).flat().map(({ id }) => id)
    expect(claimed.toSorted()).toEqual(ids.toSorted())
  })

  test('after its lease a mail is due again, and only the newest attempt can fail', async () => {
    await using it = await open()
    const { mail: outbox } = it.store
    await outbox.add([mail()])
    await outbox.claim(NOW, LEASE_MS, 10)
    expect(await claimIds(it.store, NOW + LEASE_MS - 1)).toEqual([])
    const [again] = await outbox.claim(NOW + LEASE_MS, LEASE_MS, 10)
    expect(again?.attempt).toBe(2)
    const late = { kind: 'final', attempt: 1, reason: 'late' } as const
    expect(await outbox.noteFailed('mail_1', late, NOW)).toBe('unchanged')
    // The first attempt was slow, but the server has accepted the mail.
    expect(await outbox.noteSent('mail_1', NOW)).toBe('changed')
    const second = { kind: 'retry', attempt: 2, retryAt: NOW, reason: 'refused' } as const
    expect(await outbox.noteFailed('mail_1', second, NOW)).toBe('unchanged')
    expect(await listed(it.store)).toEqual(['mail_1 sent 2'])
  })

  test('a failed attempt is retried at its time, and a final failure erases the values', async () => {
    await using it = await open()
    const { mail: outbox } = it.store
    await outbox.add([mail()])
    await outbox.claim(NOW, LEASE_MS, 10)
    const retry = { kind: 'retry', attempt: 1, retryAt: NOW + 5_000, reason: 'smtp_421' } as const
    expect(await outbox.noteFailed('mail_1', retry, NOW)).toBe('changed')
    expect(await claimIds(it.store, NOW + 4_999)).toEqual([])
    expect(await claimIds(it.store, NOW + 5_000)).toEqual(['mail_1'])
    const final = { kind: 'final', attempt: 2, reason: 'smtp_550' } as const
    expect(await outbox.noteFailed('mail_1', final, NOW)).toBe('changed')
    expect(await outbox.noteFailed('mail_1', final, NOW)).toBe('unchanged')
    expect(await outbox.noteFailed('mail_9', final, NOW)).toBe('unknown')
    expect(await outbox.noteSent('mail_9', NOW)).toBe('unknown')
    const [row] = await outbox.list({ state: 'failed', limit: 10 })
    expect(row).toMatchObject({ state: 'failed', reason: 'smtp_550', dueAt: undefined })
    expect(await claimIds(it.store, NOW + DAY_MS)).toEqual([])
  })

  test('a decoy is leased like a mail, never listed, and deleted', async () => {
    await using it = await open()
    await it.store.mail.add([mail('decoy', { recipient: undefined, accountId: undefined })])
    const [decoy] = await it.store.mail.claim(NOW, LEASE_MS, 10)
    expect(decoy).toMatchObject({ id: 'decoy', recipient: undefined })
    expect(await it.store.mail.list({ limit: 10 })).toEqual([])
    expect(await it.store.mail.noteSent('decoy', NOW)).toBe('changed')
    expect(await it.store.mail.noteSent('decoy', NOW)).toBe('unknown')
  })

  test('the list is filtered by state and goes on before a number', async () => {
    await using it = await open()
    const { mail: outbox } = it.store
    await outbox.add([mail('a'), mail('b'), mail('c')])
    await outbox.noteSent('b', NOW)
    const ids = async (filter: object): Promise<readonly string[]> =>
      (await outbox.list({ limit: 10, ...filter })).map(({ id }) => id)
    expect(await ids({})).toEqual(['c', 'b', 'a'])
    expect(await ids({ state: 'sent' })).toEqual(['b'])
    expect(await ids({ state: 'waiting', limit: 1 })).toEqual(['c'])
    const [newest] = await outbox.list({ limit: 1 })
    expect(await ids({ before: newest?.number })).toEqual(['b', 'a'])
  })

  test('an id that exists is not written again', async () => {
    await using it = await open()
    await it.store.mail.add([mail()])
    await it.store.mail.noteSent('mail_1', NOW)
    await it.store.mail.add([mail()])
    expect(tally(await listed(it.store))).toEqual({ 'mail_1 sent 0': 1 })
  })

  test('purge deletes old mails that no longer wait, up to its limit', async () => {
    await using it = await open()
    const { mail: outbox } = it.store
    await outbox.add([mail('a'), mail('b'), mail('c')])
    await outbox.noteSent('a', NOW)
    await outbox.claim(NOW, LEASE_MS, 10)
    await outbox.noteFailed('b', { kind: 'final', attempt: 1, reason: 'smtp_550' }, NOW)
    it.clock.advanceMs(DAY_MS)
    expect(await outbox.purge(DAY_MS, 10)).toBe(0)
    it.clock.advanceMs(1)
    expect(await outbox.purge(DAY_MS, 1)).toBe(1)
    expect(await outbox.purge(DAY_MS, 10)).toBe(1)
    expect(await outbox.purge(DAY_MS, 10)).toBe(0)
    expect(await listed(it.store)).toEqual(['c waiting 1'])
  })
})
