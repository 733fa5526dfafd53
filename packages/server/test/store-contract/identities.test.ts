import { describe, expect, test } from 'vitest'

import type { NewFactor } from '../../src/store/factors.ts'
import type { Account, AccountEmail, NewMail } from '../../src/store/rows.ts'
import type { Store } from '../../src/store/store.ts'
import { whyOver } from '../../src/store/standing.ts'
import { NOW } from '../support/session-rows.ts'
import { engines } from './engines.ts'
import { account, addSession, BY, DAY_MS, eventsOf, logOf, signedIn, tally } from './samples.ts'
import { chain, consent, hashOf, identity, record } from './sso-samples.ts'

const ALICE: AccountEmail = {
  address: 'alice@example.com',
  key: 'alice@example.com',
  verifiedAt: undefined,
}
const PROVED: AccountEmail = { ...ALICE, verifiedAt: NOW + 5 }
const NO_MAIL = { hasMailLogin: false }
const MAIL = { hasMailLogin: true }

function mail(id: string): NewMail {
  return {
    id,
    kind: 'verify_address',
    recipient: ALICE.address,
    locale: 'en',
    sealed: new Uint8Array(4),
    accountId: 'acct_1',
    createdAt: NOW,
    notAfter: NOW + DAY_MS,
  }
}

const PASSKEY: NewFactor = {
  id: 'factor-passkey',
  kind: 'passkey',
  name: 'Passkey',
  credentialId: 'credential',
  publicKey: new Uint8Array(8),
  signCount: 0,
  transports: [],
  isBackupEligible: false,
  isBackedUp: false,
  aaguid: '',
}
const TOTP: NewFactor = {
  id: 'factor-totp',
  kind: 'totp',
  name: 'App',
  secret: new Uint8Array(20),
  lastStep: 0,
}

/** Enrols a factor by raising the session. */
async function enrol(store: Store, factor: NewFactor, sessionId = 'session-1'): Promise<void> {
  const to = { authenticatedAt: NOW, amr: ['pwd'], acr: undefined, secondFactor: 'given' } as const
  const use = { kind: 'enrol', factor, recovery: [hashOf('recovery')] } as const
  expect(await store.factors.raise(sessionId, to, { use, version: undefined }, BY)).toBe('raised')
}

/** Writes an account with one session and these identities. */
async function withIdentities(
  store: Store,
  subjects: readonly string[],
  more: Partial<Account> = {},
): Promise<void> {
  await store.accounts.create(account('acct_1', more), 'acct_1', BY)
  await addSession(store, 'session-1')
  for (const subject of subjects) {
    const linked = await store.identities.link(identity(subject), { sessionId: 'session-1' }, BY)
    expect(linked).toBe('linked')
  }
}

describe.each(engines)('identities on %s', (_, open) => {
  test('signUp creates an account with its identity, which find and listOf return', async () => {
    await using it = await open()
    const { identities, accounts } = it.store
    const alice = account('acct_1', { email: PROVED, passwordHash: undefined })
    // The identity belongs to the account, whatever it says.
    const first = identity('one', { accountId: 'other' })
    const context = { ...BY, mails: [mail('m1')] }
    expect(await identities.signUp(alice, 'acct_1', first, context)).toBe('created')
    expect(await accounts.get('acct_1')).toEqual(alice)
    expect(await identities.find(first)).toEqual(identity('one'))
    expect(await identities.listOf('acct_1')).toEqual([identity('one')])
    expect(await identities.find({ ...first, issuer: 'https://other.example' })).toBeUndefined()
    expect(await identities.find({ ...first, subject: 'ONE' })).toBeUndefined()
    expect(await identities.listOf('acct_2')).toEqual([])
    expect(await it.store.mail.list({ limit: 9 })).toMatchObject([{ id: 'm1' }])
    expect(await eventsOf(it.store)).toEqual(['account_created', 'identity_linked'])
    expect(await logOf(it.store)).toEqual([])
  })

  test('signUp refuses a taken identity, name or address, and writes nothing', async () => {
    await using it = await open()
    const { identities, accounts } = it.store
    const signUp = async (id: string, key: string, subject: string, more = {}): Promise<string> =>
      identities.signUp(account(id, { username: key, ...more }), key, identity(subject), BY)
    expect(await signUp('acct_1', 'alice', 'one', { email: PROVED })).toBe('created')
    expect(await signUp('acct_2', 'bob', 'one')).toBe('identity_taken')
    expect(await signUp('acct_2', 'alice', 'one')).toBe('identity_taken')
    expect(await signUp('acct_2', 'alice', 'two')).toBe('taken')
    expect(await signUp('acct_2', ALICE.key, 'two')).toBe('taken')
    expect(await signUp('acct_2', 'bob', 'two', { email: ALICE })).toBe('email_taken')
    expect(await accounts.count()).toBe(1)
    expect(await identities.find(identity('two'))).toBeUndefined()
    expect(await eventsOf(it.store)).toEqual(['account_created', 'identity_linked'])
    expect(await signUp('acct_2', 'bob', 'two')).toBe('created')
  })

  test('of 30 sign-ups at once with one identity, one creates an account', async () => {
    await using it = await open()
    const ways = [it.store, it.beside] as const
    const results = await Promise.all(
      Array.from({ length: 30 }, async (__, i) => {
        const values = [account(`acct_${i}`), `acct_${i}`, identity('one'), BY] as const
        return i % 3 === 2
          ? it.elsewhere('identities.signUp', ...values)
          : ways[i % 3]!.identities.signUp(...values)
      }),
    )
    expect(tally(results)).toEqual({ created: 1, identity_taken: 29 })
    expect(await it.store.accounts.count()).toBe(1)
  })

  test('link needs a session of the account that stands, and an identity that nobody has', async () => {
    await using it = await open()
    const { identities, sessions, accounts } = it.store
    await signedIn(it.store)
    await signedIn(it.store, 'theirs', 'acct_2')
    const link = (subject: string, sessionId = 'session-1', accountId = 'acct_1') =>
      identities.link(identity(subject, { accountId, linkedAt: NOW + 1 }), { sessionId }, BY)
    expect(await link('one')).toBe('linked')
    expect(await link('one')).toBe('taken')
    expect(await link('one', 'theirs', 'acct_2')).toBe('taken')
    expect(await link('two', 'theirs')).toBe('refused')
    expect(await link('two', 'unknown')).toBe('refused')
    await identities.link(identity('two', { linkedAt: NOW }), { sessionId: 'session-1' }, BY)
    const listed = await identities.listOf('acct_1')
    expect(listed.map(({ subject }) => subject)).toEqual(['two', 'one'])
    await sessions.end('session-1', { event: 'logout' }, BY)
    expect(await link('three')).toBe('refused')
    await accounts.disable('acct_2', BY)
    expect(await link('three', 'theirs', 'acct_2')).toBe('refused')
    const lines = await it.store.audit.list({ limit: 50 })
    const line = lines.find(({ event }) => event === 'identity_linked')
    expect(line).toMatchObject({ accountId: 'acct_1', detail: 'example' })
    expect(tally(await eventsOf(it.store))).toMatchObject({ identity_linked: 2 })
  })

  test('of several links of one identity to different accounts at once, one succeeds', async () => {
    await using it = await open()
    for (let n = 0; n < 6; n += 1) await signedIn(it.store, `s${n}`, `acct_${n}`)
    for (let round = 0; round < 5; round += 1) {
      const results = await Promise.all(
        Array.from({ length: 6 }, async (__, n) => {
          const values = [
            identity(`round ${round}`, { accountId: `acct_${n}` }),
            { sessionId: `s${n}` },
            BY,
          ] as const
          if (n % 3 === 2) return it.elsewhere('identities.link', ...values)
          return (n % 3 === 1 ? it.beside : it.store).identities.link(...values)
        }),
      )
      expect(tally(results)).toEqual({ linked: 1, taken: 5 })
    }
  })

  test('unlink removes an identity, and what depends on the credentials of before', async () => {
    await using it = await open()
    const { store } = it
    await withIdentities(store, ['one', 'two'])
    const device = {
      hash: hashOf('device'),
      accountId: 'acct_1',
      createdAt: NOW,
      expiresAt: NOW + DAY_MS,
      userAgent: '',
      address: '',
    }
    expect(await store.factors.trust(device, 'session-1')).toBe(true)
    const before = (await store.factors.view('acct_1')).version
    const { identities } = store
    expect(await identities.unlink('acct_1', identity('three'), NO_MAIL, BY)).toBe('unknown')
    expect(await identities.unlink('acct_2', identity('one'), NO_MAIL, BY)).toBe('unknown')
    expect((await store.factors.view('acct_1')).version).toBe(before)
    expect(await identities.unlink('acct_1', identity('one'), NO_MAIL, BY)).toBe('changed')
    expect(await identities.unlink('acct_1', identity('one'), NO_MAIL, BY)).toBe('unknown')
    expect(await identities.listOf('acct_1')).toEqual([identity('two')])
    expect((await store.factors.view('acct_1')).version).toBeGreaterThan(before)
    expect(await store.factors.isTrusted('acct_1', device.hash)).toBe(false)
    expect((await eventsOf(store)).at(-1)).toBe('identity_unlinked')
    const state = await store.sessions.state('session-1')
    expect(whyOver(state!)).toBeUndefined()
  })

  test('unlink leaves an account a way to log in', async () => {
    const bare = { passwordHash: undefined }
    const table: readonly (readonly [
      more: Partial<Account>,
      subjects: readonly string[],
      options: { readonly hasMailLogin: boolean },
      factor: NewFactor | undefined,
      expected: string,
    ])[] = [
      [{}, ['one'], NO_MAIL, undefined, 'changed'],
      [bare, ['one'], NO_MAIL, undefined, 'last'],
      [bare, ['one'], MAIL, undefined, 'last'],
      [{ ...bare, email: ALICE }, ['one'], MAIL, undefined, 'last'],
      [{ ...bare, email: PROVED }, ['one'], NO_MAIL, undefined, 'last'],
      [{ ...bare, email: PROVED }, ['one'], MAIL, undefined, 'changed'],
      [bare, ['one', 'two'], NO_MAIL, undefined, 'changed'],
      [bare, ['one'], NO_MAIL, PASSKEY, 'changed'],
      // An authenticator app alone logs nobody in.
      [bare, ['one'], NO_MAIL, TOTP, 'last'],
    ]
    for (const [more, subjects, options, factor, expected] of table) {
      await using it = await open()
      await withIdentities(it.store, subjects, more)
      if (factor !== undefined) await enrol(it.store, factor)
      const { identities } = it.store
      expect(await identities.unlink('acct_1', identity('one'), options, BY)).toBe(expected)
      const left = subjects.length - (expected === 'changed' ? 1 : 0)
      expect(await identities.listOf('acct_1')).toHaveLength(left)
    }
  })

  test('of several unlinks at once of all identities, one identity remains', async () => {
    await using it = await open()
    const { identities } = it.store
    for (let round = 0; round < 5; round += 1) {
      const id = `acct_${round}`
      await it.store.accounts.create(account(id, { passwordHash: undefined }), id, BY)
      await addSession(it.store, `s${round}`, { accountId: id })
      const own = ['a', 'b', 'c'].map((each) => identity(`${each}${round}`, { accountId: id }))
      for (const each of own) await identities.link(each, { sessionId: `s${round}` }, BY)
      const results = await Promise.all([
        it.elsewhere('identities.unlink', id, own[0], NO_MAIL, BY),
        identities.unlink(id, own[1]!, NO_MAIL, BY),
        it.beside.identities.unlink(id, own[2]!, NO_MAIL, BY),
      ])
      expect(tally(results)).toEqual({ changed: 2, last: 1 })
      expect(await identities.listOf(id)).toHaveLength(1)
    }
  })

  test('reclaim removes everything by which whoever made the account could get in again', async () => {
    await using it = await open()
    const { store } = it
    await withIdentities(store, ['strangers'], { email: ALICE })
    await enrol(store, PASSKEY)
    await store.sso.grants.setConsent(consent(), BY)
    await store.sso.refreshes.create(chain())
    await store.sso.records.put(record('code'))
    const before = (await store.accounts.get('acct_1'))!
    const context = { ...BY, mails: [mail('m1')] }
    const { identities } = store
    const own = identity('own', { accountId: 'whatever' })
    expect(await identities.reclaim('acct_1', PROVED, own, context)).toBe('reclaimed')
    const after = (await store.accounts.get('acct_1'))!
    expect(after).toMatchObject({ passwordHash: undefined, email: PROVED })
    expect(after.credentialsVersion).toBeGreaterThan(before.credentialsVersion)
    expect(await identities.listOf('acct_1')).toEqual([identity('own')])
    expect(await identities.find(identity('strangers'))).toBeUndefined()
    expect(await store.factors.view('acct_1')).toMatchObject({ passkeys: 0, recoveryCodes: 0 })
    expect(await store.sso.grants.consentsOf('acct_1')).toEqual([])
    expect(await store.sso.refreshes.read('chain-1')).toBeUndefined()
    expect(await store.sso.records.find('AuthorizationCode', hashOf('code'))).toBeUndefined()
    const state = await store.sessions.state('session-1')
    expect(whyOver(state!)).toBe('session_ended')
    expect((await logOf(store)).at(-1)).toBe('account acct_1 hard')
    expect((await eventsOf(store)).slice(-3)).toEqual([
      'email_verified',
      'identity_linked',
      'account_reclaimed',
    ])
    expect(await store.mail.list({ limit: 9 })).toMatchObject([{ id: 'm1' }])
    expect(await identities.reclaim('acct_1', PROVED, identity('again'), BY)).toBe('outdated')
  })

  test('reclaim refuses what has changed, and a taken identity, and writes nothing', async () => {
    await using it = await open()
    const { store } = it
    const { identities, accounts } = store
    await withIdentities(store, ['strangers'], { email: ALICE })
    await signedIn(store, 'theirs', 'acct_2')
    const theirs = identity('theirs', { accountId: 'acct_2' })
    await identities.link(theirs, { sessionId: 'theirs' }, BY)
    const reclaim = (email = PROVED, own = identity('own'), id = 'acct_1'): Promise<string> =>
      identities.reclaim(id, email, own, BY)
    const other = { address: 'bob@example.com', key: 'bob@example.com', verifiedAt: undefined }
    expect(await reclaim({ ...other, verifiedAt: NOW })).toBe('outdated')
    expect(await reclaim(PROVED, identity('own'), 'nobody')).toBe('outdated')
    expect(await reclaim(PROVED, theirs)).toBe('identity_taken')
    expect(await reclaim(PROVED, identity('strangers'))).toBe('identity_taken')
    await accounts.setEmail('acct_1', undefined, BY)
    expect(await reclaim()).toBe('outdated')
    await accounts.setEmail('acct_1', other, BY)
    expect(await reclaim()).toBe('outdated')
    await accounts.setEmail('acct_1', PROVED, BY)
    expect(await reclaim()).toBe('outdated')
    await accounts.setEmail('acct_1', ALICE, BY)
    const unchanged = await accounts.get('acct_1')
    await accounts.disable('acct_1', BY)
    expect(await reclaim()).toBe('outdated')
    await accounts.enable('acct_1', BY)
    expect(await accounts.get('acct_1')).toMatchObject({
      passwordHash: unchanged?.passwordHash,
      email: ALICE,
    })
    expect(await identities.listOf('acct_1')).toEqual([identity('strangers')])
    expect(await eventsOf(store)).not.toContain('account_reclaimed')
    expect(await reclaim()).toBe('reclaimed')
  })

  test('of several who reclaim an account at once, one gets it', async () => {
    await using it = await open()
    for (let round = 0; round < 5; round += 1) {
      const id = `acct_${round}`
      const key = `${round}@example.com`
      const email = { address: key, key, verifiedAt: undefined }
      await it.store.accounts.create(account(id, { email }), id, BY)
      const of = (n: number) =>
        [id, { ...email, verifiedAt: NOW }, identity(`${round} ${n}`), BY] as const
      const results = await Promise.all([
        it.elsewhere('identities.reclaim', ...of(1)),
        it.store.identities.reclaim(...of(2)),
        it.beside.identities.reclaim(...of(3)),
      ])
      expect(tally(results)).toEqual({ reclaimed: 1, outdated: 2 })
      expect(await it.store.identities.listOf(id)).toHaveLength(1)
    }
  })

  test('an identity that is linked to one account and reclaims another at once does one of both', async () => {
    await using it = await open()
    const { store } = it
    await signedIn(store)
    for (let round = 0; round < 10; round += 1) {
      const id = `acct_r${round}`
      const key = `${round}@example.com`
      const email = { address: key, key, verifiedAt: undefined }
      await store.accounts.create(account(id, { email }), id, BY)
      const subject = `round ${round}`
      const [linked, reclaimed] = await Promise.all([
        it.elsewhere('identities.link', identity(subject), { sessionId: 'session-1' }, BY),
        store.identities.reclaim(id, { ...email, verifiedAt: NOW }, identity(subject), BY),
      ])
      expect([`${String(linked)} ${reclaimed}`]).toContainEqual(
        linked === 'linked' ? 'linked identity_taken' : 'taken reclaimed',
      )
      const owner = (await store.identities.find(identity(subject)))?.accountId
      expect(owner).toBe(linked === 'linked' ? 'acct_1' : id)
      // Nothing of a refused reclaim remains.
      const after = await store.accounts.get(id)
      expect(after?.passwordHash === undefined).toBe(reclaimed === 'reclaimed')
    }
  })

  test('noteUse writes the time and the label', async () => {
    await using it = await open()
    const { identities } = it.store
    await withIdentities(it.store, ['one'])
    await identities.noteUse(identity('one'), NOW + 7, 'new@example.com')
    await identities.noteUse(identity('two'), NOW + 7, 'x')
    await it.reopen()
    expect(await it.store.identities.listOf('acct_1')).toEqual([
      identity('one', { lastUsedAt: NOW + 7, label: 'new@example.com' }),
    ])
  })
})
