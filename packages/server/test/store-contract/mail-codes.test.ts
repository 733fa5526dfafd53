import { describe, expect, test } from 'vitest'

import type { CodeEffect, NewMailCode, PresentedCode } from '../../src/store/mail-codes.ts'
import type { NewMail } from '../../src/store/rows.ts'
import type { Store } from '../../src/store/store.ts'
import { NOW } from '../support/session-rows.ts'
import { engines } from './engines.ts'
import { BY, account, session, tally } from './samples.ts'

const LATER = NOW + 900_000
const ALICE = { address: 'Alice@example.com', key: 'alice@example.com' }

/** The hash that a test uses for a secret. */
function hash(text: string): Uint8Array {
  return new Uint8Array(32).fill(text.charCodeAt(0))
}

function code(id: string, more: Partial<NewMailCode> = {}): NewMailCode {
  return {
    id,
    purpose: 'reset_password',
    subject: 'acct_1',
    accountId: 'acct_1',
    version: 0,
    email: ALICE,
    linkHash: hash('link'),
    codeHash: hash('code'),
    ticketHash: hash('ticket'),
    details: undefined,
    createdAt: NOW,
    expiresAt: LATER,
    ...more,
  }
}

type What = 'link' | 'ticket' | 'code'

function present(id: string, right: readonly What[], wrong: readonly What[] = []): PresentedCode {
  const of = (what: What): readonly Uint8Array[] | undefined => {
    if (right.includes(what)) return [hash('other'), hash(what)]
    return wrong.includes(what) ? [hash('wrong'), hash('x')] : undefined
  }
  return { id, linkHashes: of('link'), ticketHashes: of('ticket'), codeHashes: of('code') }
}

const RESET: CodeEffect = { kind: 'reset_password', passwordHash: 'new hash' }

function mail(id: string): NewMail {
  return {
    id,
    kind: 'reset_password',
    recipient: 'alice@example.com',
    locale: 'en',
    sealed: new Uint8Array(4),
    accountId: 'acct_1',
    createdAt: NOW,
    notAfter: LATER,
  }
}

async function checkOf(store: Store, presented: PresentedCode): Promise<string> {
  const checked = await store.mailCodes.check(presented, BY)
  return checked.ok ? checked.by : checked.code
}

describe.each(engines)('mailed codes on %s', (_, open) => {
  test('the link with the ticket, or the code with either, is right, and nothing else is', async () => {
    await using it = await open()
    const { store } = it
    await store.accounts.create(account(), 'acct_1', BY)
    expect(await store.mailCodes.issue(code('one'), { ...BY, mails: [mail('m1')] })).toBe('issued')
    expect(await store.mail.list({ limit: 9 })).toMatchObject([{ id: 'm1' }])
    const table: readonly (readonly [string, readonly What[], readonly What[]])[] = [
      ['asker', ['link', 'ticket'], []],
      ['asker', ['ticket', 'code'], []],
      ['asker', ['link', 'ticket', 'code'], []],
      ['recipient', ['link', 'code'], []],
      ['recipient', ['link', 'code'], ['ticket']],
      ['code_missing', ['link'], []],
      ['code_missing', ['ticket'], []],
      ['code_missing', ['link'], ['ticket']],
      ['code_void', ['code'], []],
      ['code_void', ['code'], ['link', 'ticket']],
      ['code_void', [], ['link', 'ticket', 'code']],
      ['code_void', [], []],
    ]
    for (const [expected, right, wrong] of table) {
      expect([right, wrong, await checkOf(store, present('one', right, wrong))]).toEqual([
        right,
        wrong,
        expected,
      ])
    }
    expect(await checkOf(store, present('two', ['link', 'ticket', 'code']))).toBe('code_void')
  })

  test('five wrong codes void it, and a wrong code without the link or ticket does not count', async () => {
    await using it = await open()
    const { store } = it
    await store.accounts.create(account(), 'acct_1', BY)
    await store.mailCodes.issue(code('one'), BY)
    for (let i = 0; i < 9; i += 1) {
      expect(await checkOf(store, present('one', [], ['link', 'code']))).toBe('code_void')
    }
    const all = Array.from({ length: 4 }, () =>
      checkOf(store, present('one', ['ticket'], ['code'])),
    )
    expect(tally(await Promise.all(all))).toEqual({ code_wrong: 4 })
    expect(await checkOf(store, present('one', ['ticket', 'code']))).toBe('asker')
    expect(await checkOf(store, present('one', ['link'], ['code']))).toBe('code_wrong')
    expect(await checkOf(store, present('one', ['link', 'ticket', 'code']))).toBe('code_void')
    expect(await store.mailCodes.redeem('one', RESET, BY)).toEqual({ kind: 'gone' })
  })

  test('a page recognises a right link or ticket, and this counts and uses nothing', async () => {
    await using it = await open()
    const { store } = it
    await store.accounts.create(account(), 'acct_1', BY)
    await store.mailCodes.issue(code('one'), BY)
    const row = { purpose: 'reset_password', askedFor: 'reset_password', email: ALICE }
    const table: readonly (readonly [readonly What[], readonly What[], object | undefined])[] = [
      [['link'], [], { ...row, hasLink: true, hasTicket: false }],
      [['ticket'], [], { ...row, hasLink: false, hasTicket: true }],
      [['link', 'ticket'], [], { ...row, hasLink: true, hasTicket: true }],
      [['link'], ['ticket'], { ...row, hasLink: true, hasTicket: false }],
      // The answer must not depend on the code: otherwise somebody could try codes without limit.
      [['link'], ['code'], { ...row, hasLink: true, hasTicket: false }],
      [['code'], [], undefined],
      [[], ['link', 'ticket'], undefined],
    ]
    for (let i = 0; i < 3; i += 1) {
      for (const [right, wrong, expected] of table) {
        const seen = await store.mailCodes.recognise(present('one', right, wrong))
        expect([right, wrong, seen]).toEqual([right, wrong, expected])
      }
    }
    expect(await checkOf(store, present('one', ['link', 'ticket']))).toBe('asker')
    expect(await store.mailCodes.redeem('one', RESET, BY)).toMatchObject({ kind: 'done' })
    expect(await store.mailCodes.recognise(present('one', ['link', 'ticket']))).toBeUndefined()
  })

  test('a link is not recognised once the account has changed; a ticket alone says nothing about it', async () => {
    await using it = await open()
    const { store } = it
    await store.accounts.create(account(), 'acct_1', BY)
    await store.mailCodes.issue(code('one'), BY)
    const decoy = { subject: 'nobody@example.com', accountId: undefined }
    await store.mailCodes.issue(code('two', decoy), BY)
    await store.mailCodes.issue(code('log', { purpose: 'log_in' }), BY)
    await store.mailCodes.redeem('one', RESET, BY)
    for (const id of ['log', 'two']) {
      expect(await store.mailCodes.recognise(present(id, ['link']))).toBeUndefined()
      expect(await store.mailCodes.recognise(present(id, ['link', 'ticket']))).toBeUndefined()
      expect(await store.mailCodes.recognise(present(id, ['ticket']))).toMatchObject({
        hasTicket: true,
      })
    }
  })

  test('of fifty uses at once, one is done', async () => {
    await using it = await open()
    const { store, beside } = it
    await store.accounts.create(account(), 'acct_1', BY)
    await store.sessions.create(session(), BY)
    await store.mailCodes.issue(code('one'), BY)
    const uses = Array.from({ length: 50 }, (__, i) =>
      (i % 2 === 0 ? store : beside).mailCodes.redeem('one', RESET, BY),
    )
    const kinds = (await Promise.all(uses)).map(({ kind }) => kind)
    expect(tally(kinds)).toEqual({ done: 1, gone: 49 })
    expect(await store.accounts.get('acct_1')).toMatchObject({
      passwordHash: 'new hash',
      email: { ...ALICE, verifiedAt: NOW },
      // Once for the address and once for the password.
      credentialsVersion: 2,
    })
    expect(await store.revocations.head()).toMatchObject({ position: 1 })
  })

  test('a newer code, a new password and a new address each void it', async () => {
    await using it = await open()
    const { store } = it
    await store.accounts.create(account(), 'acct_1', BY)
    await store.mailCodes.issue(code('old'), BY)
    await store.mailCodes.issue(code('new'), BY)
    expect(await checkOf(store, present('old', ['link', 'ticket']))).toBe('code_void')
    expect(await checkOf(store, present('new', ['link', 'ticket']))).toBe('asker')
    await store.accounts.setPasswordHash('acct_1', 'changed', BY)
    expect(await checkOf(store, present('new', ['link', 'ticket']))).toBe('code_void')
    expect(await store.mailCodes.redeem('new', RESET, BY)).toEqual({ kind: 'gone' })
    expect(await store.mailCodes.issue(code('late'), BY)).toBe('outdated')

    await store.mailCodes.issue(code('next', { version: 1 }), BY)
    await store.accounts.setEmail('acct_1', { ...ALICE, verifiedAt: undefined }, BY)
    expect(await checkOf(store, present('next', ['link', 'ticket']))).toBe('code_void')
  })

  test('it expires to the millisecond, and then its row is removed', async () => {
    await using it = await open()
    await it.store.accounts.create(account(), 'acct_1', BY)
    await it.store.mailCodes.issue(code('one'), BY)
    it.clock.advanceMs(LATER - NOW - 1)
    expect(await checkOf(it.store, present('one', ['link', 'ticket']))).toBe('asker')
    expect(await it.store.mailCodes.purge(9)).toBe(0)
    it.clock.advanceMs(1)
    expect(await checkOf(it.store, present('one', ['link', 'ticket']))).toBe('code_void')
    expect(await it.store.mailCodes.redeem('one', RESET, BY)).toEqual({ kind: 'gone' })
    expect(await it.store.mailCodes.purge(9)).toBe(1)
    expect(await it.store.mailCodes.recognise(present('one', ['link']))).toBeUndefined()
  })

  test('a disabled account can use no code, also one from before', async () => {
    await using it = await open()
    const { store } = it
    await store.accounts.create(account(), 'acct_1', BY)
    await store.mailCodes.issue(code('one'), BY)
    await store.accounts.disable('acct_1', BY)
    expect(await checkOf(store, present('one', ['link', 'ticket']))).toBe('code_void')
    expect(await store.mailCodes.redeem('one', RESET, BY)).toEqual({ kind: 'gone' })
  })

  test('a decoy matches nothing that a client can send', async () => {
    await using it = await open()
    const { store } = it
    const decoy = code('one', { accountId: undefined, subject: 'nobody@example.com' })
    await store.mailCodes.issue(decoy, BY)
    expect(await checkOf(store, present('one', ['link', 'ticket']))).toBe('code_void')
    expect(await checkOf(store, present('one', ['ticket'], ['code']))).toBe('code_wrong')
    expect(await store.mailCodes.redeem('one', RESET, BY)).toEqual({ kind: 'gone' })
  })

  test('an address is found by who has it, then by a username, but not by one who proved another', async () => {
    await using it = await open()
    const { store } = it
    await store.accounts.create(account('acct_1'), ALICE.key, BY)
    const find = async (): Promise<unknown> => {
      const found = await store.mailCodes.findAddressee(ALICE.key)
      return found && [found.account.id, found.isVerified]
    }
    expect(await find()).toEqual(['acct_1', false])
    await store.accounts.create(
      account('acct_2', { email: { ...ALICE, verifiedAt: NOW } }),
      'b',
      BY,
    )
    expect(await find()).toEqual(['acct_2', true])
    // Who logs in, and who an operator means.
    const view = await store.accounts.viewForSignIn(ALICE.key, {
      tenantName: undefined,
      address: '',
    })
    expect(view.account).toMatchObject({ id: 'acct_2' })
    expect(await store.accounts.find(ALICE.key)).toMatchObject({ id: 'acct_1' })
    await store.accounts.setEmail('acct_2', undefined, BY)
    const other = { address: 'o@example.com', key: 'o@example.com', verifiedAt: NOW }
    await store.accounts.setEmail('acct_1', other, BY)
    expect(await find()).toBeUndefined()
  })

  test('a login through an address that nobody had proved removes the password and the sessions', async () => {
    await using it = await open()
    const { store } = it
    const squatted = account('acct_1', { email: { ...ALICE, verifiedAt: undefined } })
    await store.accounts.create(squatted, 'squatter', BY)
    await store.sessions.create(session(), BY)
    await store.mailCodes.issue(code('one', { purpose: 'log_in' }), BY)
    expect(await store.mailCodes.redeem('one', { kind: 'log_in' }, BY)).toEqual({
      kind: 'done',
      accountId: 'acct_1',
      position: 1,
    })
    expect(await store.accounts.get('acct_1')).toMatchObject({
      passwordHash: undefined,
      email: { verifiedAt: NOW },
      hardPosition: 1,
    })
    await store.mailCodes.issue(code('two', { purpose: 'log_in', version: 2 }), BY)
    await store.accounts.addRole('acct_1', 'editor', BY)
    // The position of the code, not of its use: a revocation in between ends the session.
    expect(await store.mailCodes.redeem('two', { kind: 'log_in' }, BY)).toMatchObject({
      position: 1,
    })
  })

  test('a proved address is taken from an account that never proved it, and from no other', async () => {
    await using it = await open()
    const { store } = it
    await store.accounts.create(account('acct_1'), 'one', BY)
    await store.accounts.create(
      account('acct_2', { email: { ...ALICE, verifiedAt: undefined } }),
      'two',
      BY,
    )
    const change: CodeEffect = { kind: 'set_email', keepSessionId: undefined }
    await store.mailCodes.issue(code('a', { purpose: 'change_email' }), BY)
    expect(await store.mailCodes.redeem('a', change, BY)).toMatchObject({ kind: 'done' })
    expect(await store.accounts.get('acct_2')).toMatchObject({ email: undefined })

    await store.mailCodes.issue(
      code('b', { purpose: 'change_email', accountId: 'acct_2', subject: 'acct_2' }),
      BY,
    )
    expect(await store.mailCodes.redeem('b', change, BY)).toEqual({ kind: 'taken' })
  })

  test('a changed address keeps the session that asked, and ends the others', async () => {
    await using it = await open()
    const { store } = it
    await store.accounts.create(account(), 'acct_1', BY)
    await store.sessions.create(session('kept'), BY)
    await store.sessions.create(session('other'), BY)
    await store.mailCodes.issue(code('a', { purpose: 'change_email' }), BY)
    await store.mailCodes.redeem('a', { kind: 'set_email', keepSessionId: 'kept' }, BY)
    const live = await store.sessions.list({ accountId: 'acct_1', limit: 9, live: true })
    expect(live.map(({ id }) => id)).toEqual(['kept'])
  })

  test('a sign-up creates the account once, and not beside one with the username or address', async () => {
    await using it = await open()
    const { store } = it
    const signUp = (id: string, usernameKey = id): CodeEffect => ({
      kind: 'sign_up',
      account: account(id, { username: usernameKey }),
      usernameKey,
    })
    const asked = { purpose: 'sign_up', accountId: undefined, subject: ALICE.key } as const
    await store.mailCodes.issue(code('one', asked), BY)
    expect(await store.mailCodes.redeem('one', signUp('acct_1', 'alice'), BY)).toMatchObject({
      kind: 'done',
      accountId: 'acct_1',
    })
    expect(await store.accounts.find('alice')).toMatchObject({ email: { verifiedAt: NOW } })
    await store.mailCodes.issue(code('two', asked), BY)
    expect(await store.mailCodes.redeem('two', signUp('acct_2', 'bob'), BY)).toEqual({
      kind: 'taken',
    })
    const bob = { address: 'bob@example.com', key: 'bob@example.com' }
    await store.mailCodes.issue(code('three', { ...asked, email: bob, subject: bob.key }), BY)
    expect(await store.mailCodes.redeem('three', signUp('acct_3', 'alice'), BY)).toEqual({
      kind: 'taken',
    })
  })

  test('a restored database has no codes of the backup, and sends none of its mails', async () => {
    await using it = await open()
    const { store } = it
    await store.accounts.create(account(), 'acct_1', BY)
    await store.mailCodes.issue(code('one'), { ...BY, mails: [mail('m1')] })
    const by = { issuer: 'https://auth.example', at: NOW, actor: 'system' }
    await store.revocations.startOver(0, await store.revocations.head(), by)
    expect(await checkOf(store, present('one', ['link', 'ticket']))).toBe('asker')
    expect(await store.mail.nextDueAt()).toBe(NOW)

    const head = await store.revocations.head()
    await store.revocations.startOver(head.position, head, by, { killed: [] })
    expect(await checkOf(store, present('one', ['link', 'ticket']))).toBe('code_void')
    expect(await store.mail.nextDueAt()).toBeUndefined()
    expect(await store.mail.list({ limit: 9 })).toMatchObject([
      { id: 'm1', state: 'failed', reason: 'database_restored' },
    ])
  })
})
