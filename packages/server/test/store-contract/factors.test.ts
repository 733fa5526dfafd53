import { describe, expect, test } from 'vitest'

import type {
  Challenge,
  FactorUse,
  PasskeyFactor,
  SignInUse,
  TotpFactor,
  TrustedDevice,
} from '../../src/store/factors.ts'
import type { NewMail } from '../../src/store/rows.ts'
import type { Store } from '../../src/store/store.ts'
import { NOW } from '../support/session-rows.ts'
import { engines, type OpenedEngine } from './engines.ts'
import {
  account,
  addSession,
  BY,
  DAY_MS,
  eventsOf,
  logOf,
  session,
  signedIn,
  tally,
} from './samples.ts'

const HOUR_MS = 3_600_000

/** Bytes that a test recognises. */
function bytes(text: string): Uint8Array {
  return new Uint8Array(32).fill(text.charCodeAt(0))
}

function totp(more: Partial<TotpFactor> = {}): TotpFactor {
  return { id: 'fac_t', kind: 'totp', name: 'App', secret: bytes('s'), lastStep: 100, ...more }
}

function passkey(id = 'fac_p', more: Partial<PasskeyFactor> = {}): PasskeyFactor {
  return {
    id,
    kind: 'passkey',
    name: 'Key',
    credentialId: `credential of ${id}`,
    publicKey: bytes('k'),
    signCount: 0,
    transports: ['usb', 'nfc'],
    isBackupEligible: true,
    isBackedUp: false,
    aaguid: '00000000-0000-0000-0000-000000000000',
    ...more,
  }
}

const CODES = ['a', 'b', 'c'].map(bytes)

function enrolment(
  factor: TotpFactor | PasskeyFactor,
  recovery: readonly Uint8Array[] = [],
): FactorUse {
  return { kind: 'enrol', factor, recovery }
}

function challenge(id: string, more: Partial<Challenge> = {}): Challenge {
  return {
    id,
    purpose: 'passkey_second',
    subject: 'session-1',
    accountId: 'acct_1',
    secretHash: new Uint8Array(),
    details: bytes('d'),
    createdAt: NOW,
    expiresAt: NOW + HOUR_MS,
    ...more,
  }
}

/** The ticket of a sign-in. */
function ticket(id: string, more: Partial<Challenge> = {}): Challenge {
  return challenge(id, { purpose: 'sign_in', subject: '', secretHash: bytes('t'), ...more })
}

function device(hash: string, more: Partial<TrustedDevice> = {}): Omit<TrustedDevice, 'version'> {
  return {
    hash: bytes(hash),
    accountId: 'acct_1',
    createdAt: NOW,
    expiresAt: NOW + 30 * DAY_MS,
    userAgent: 'browser',
    address: '203.0.113.7',
    ...more,
  }
}

function mail(id: string): NewMail {
  return {
    id,
    kind: 'factor_changed',
    recipient: 'alice@example.com',
    locale: 'en',
    sealed: new Uint8Array(4),
    accountId: 'acct_1',
    createdAt: NOW,
    notAfter: NOW + HOUR_MS,
  }
}

/** An account with one session, an authenticator app, a passkey and three recovery codes. */
async function enrolled(store: Store, accountId = 'acct_1'): Promise<void> {
  await store.accounts.create(account(accountId), accountId, BY)
  const suffix = accountId === 'acct_1' ? '' : accountId
  await addSession(store, `session-1${suffix}`, { accountId })
  for (const use of [
    enrolment(totp({ id: `fac_t${suffix}` }), CODES),
    enrolment(passkey(`fac_p${suffix}`)),
  ]) {
    expect(await store.factors.raise(`session-1${suffix}`, RAISED, { use }, BY)).toBe('raised')
  }
}

const RAISED = {
  authenticatedAt: NOW,
  amr: ['pwd', 'otp', 'mfa'],
  acr: 'aal2',
  secondFactor: 'given',
} as const

/** The arguments that open a session which uses something up. */
function opening(id: string, uses: SignInUse): Parameters<Store['sessions']['create']> {
  return [session(id), BY, { uses }]
}

/** Calls fifty times at once: from two connections of this thread and from another thread. */
async function fifty(
  it: OpenedEngine,
  here: (store: Store, i: number) => Promise<unknown>,
  [method, valuesOf]: readonly [string, (i: number) => readonly unknown[]],
): Promise<Readonly<Record<string, number>>> {
  const calls = Array.from({ length: 50 }, (_, i) => {
    if (i % 3 === 0) return it.elsewhere(method, ...valuesOf(i))
    return here(i % 3 === 1 ? it.store : it.beside, i)
  })
  const results = await Promise.all(calls)
  return tally(results.map((each) => (typeof each === 'object' ? kindOf(each) : each)))
}

function kindOf(result: object | null): unknown {
  return result !== null && 'kind' in result ? result.kind : 'object'
}

/** Fifty sign-ins at once that use up the same thing. */
function fiftySignIns(
  it: OpenedEngine,
  uses: SignInUse,
): Promise<Readonly<Record<string, number>>> {
  return fifty(it, (store, i) => store.sessions.create(...opening(`new-${i}`, uses)), [
    'sessions.create',
    (i) => opening(`new-${i}`, uses),
  ])
}

describe.each(engines)('factors on %s', (_, open) => {
  test('an account without factors has none, and so has an unknown one', async () => {
    await using it = await open()
    const { accounts, factors } = it.store
    await accounts.create(account(), 'acct_1', BY)
    for (const id of ['acct_1', 'nobody']) {
      expect(await factors.view(id)).toEqual({
        hasTotp: false,
        passkeys: 0,
        recoveryCodes: 0,
        dueAt: undefined,
        version: 0,
      })
      expect(await factors.list(id)).toEqual([])
      expect(await factors.totp(id)).toBeUndefined()
      expect(await factors.passkeys(id)).toEqual([])
      expect(await factors.trusted(id)).toEqual([])
    }
    expect(await factors.findPasskey('credential')).toBeUndefined()
    expect([await factors.hasAny('totp'), await factors.hasAny('passkey')]).toEqual([false, false])
    expect(await factors.rpId()).toBeUndefined()
  })

  test('an enrolment writes the factor, codes, audit and a soft entry, and reads back', async () => {
    await using it = await open()
    await enrolled(it.store)
    const { factors, sessions } = it.store
    expect(await factors.view('acct_1')).toEqual({
      hasTotp: true,
      passkeys: 1,
      recoveryCodes: 3,
      dueAt: undefined,
      version: 2,
    })
    const listed = { createdAt: NOW, lastUsedAt: undefined }
    expect(await factors.list('acct_1')).toEqual([
      {
        ...listed,
        id: 'fac_p',
        kind: 'passkey',
        name: 'Key',
        isBackedUp: false,
        credentialId: 'credential of fac_p',
      },
      {
        ...listed,
        id: 'fac_t',
        kind: 'totp',
        name: 'App',
        isBackedUp: undefined,
        credentialId: undefined,
      },
    ])
    const app = await factors.totp('acct_1')
    expect({ ...app, secret: Uint8Array.from(app?.secret ?? []) }).toEqual(totp())
    const [key] = await factors.passkeys('acct_1')
    expect({ ...key, publicKey: Uint8Array.from(key?.publicKey ?? []) }).toEqual(passkey())
    expect(await factors.findPasskey('credential of fac_p')).toMatchObject({
      accountId: 'acct_1',
      factor: { id: 'fac_p' },
    })
    expect([await factors.hasAny('totp'), await factors.hasAny('passkey')]).toEqual([true, true])
    // Other sessions and the password keep working: only tokens become stale.
    expect(await logOf(it.store)).toEqual([
      'account acct_1 soft',
      'session session-1 soft',
      'account acct_1 soft',
      'session session-1 soft',
    ])
    expect((await eventsOf(it.store)).slice(2)).toEqual([
      'factor_added',
      'stepped_up',
      'factor_added',
      'stepped_up',
    ])
    expect((await sessions.state('session-1'))?.session).toMatchObject(RAISED)
  })

  test('a new authenticator app replaces the old one; recovery codes only if there are new ones', async () => {
    await using it = await open()
    await enrolled(it.store)
    const { factors } = it.store
    const next = totp({ id: 'fac_n', secret: bytes('n'), lastStep: 7 })
    expect(await factors.raise('session-1', RAISED, { use: enrolment(next) }, BY)).toBe('raised')
    expect(await factors.totp('acct_1')).toMatchObject({ id: 'fac_n', lastStep: 7 })
    expect(await factors.view('acct_1')).toMatchObject({ recoveryCodes: 3, version: 3 })
    const codes = [bytes('x')]
    await factors.raise('session-1', RAISED, { use: enrolment(passkey('fac_q'), codes) }, BY)
    expect(await factors.view('acct_1')).toMatchObject({ passkeys: 2, recoveryCodes: 1 })
  })

  test('beside the first factor, other sessions that gave a mailed code have only one factor', async () => {
    await using it = await open()
    await signedIn(it.store)
    await addSession(it.store, 'other', { secondFactor: 'given' })
    const { factors, sessions } = it.store
    const given = async (): Promise<readonly unknown[]> =>
      Promise.all(
        ['session-1', 'other'].map(async (id) => (await sessions.state(id))?.session.secondFactor),
      )
    await factors.raise('session-1', RAISED, { use: enrolment(totp()) }, BY)
    expect(await given()).toEqual(['given', 'none'])
    await factors.raise('other', RAISED, { use: enrolment(passkey()) }, BY)
    expect(await given()).toEqual(['given', 'given'])
  })

  test('of two accounts that enrol one credential at once, one gets it, and the other nothing', async () => {
    await using it = await open()
    const { store } = it
    for (const id of ['acct_1', 'acct_2']) {
      await store.accounts.create(account(id), id, BY)
      await addSession(store, `of ${id}`, { accountId: id })
    }
    const use = (id: string): FactorUse =>
      enrolment(passkey(id, { credentialId: 'one credential' }), CODES)
    const results = await Promise.all([
      it.elsewhere('factors.raise', 'of acct_1', RAISED, { use: use('fac_1') }, BY),
      store.factors.raise('of acct_2', RAISED, { use: use('fac_2') }, BY),
      it.beside.factors.raise('of acct_1', RAISED, { use: use('fac_3') }, BY),
    ])
    expect(tally(results)).toEqual({ raised: 1, used: 2 })
    const views = [await store.factors.view('acct_1'), await store.factors.view('acct_2')]
    // The other account has no recovery codes either.
    expect(tally(views.map((view) => [view.passkeys, view.recoveryCodes, view.version]))).toEqual({
      '0,0,0': 1,
      '1,3,1': 1,
    })
    expect((await eventsOf(store)).filter((event) => event === 'factor_added')).toHaveLength(1)
  })

  test('one TOTP step opens one of fifty sessions, and an older step none', async () => {
    await using it = await open()
    await enrolled(it.store)
    const at = (step: number): SignInUse => ({
      ticketId: undefined,
      use: { kind: 'totp', factorId: 'fac_t', step },
    })
    expect(await fiftySignIns(it, at(101))).toEqual({ created: 1, used: 49 })
    expect(await it.store.factors.totp('acct_1')).toMatchObject({ lastStep: 101 })
    expect((await it.store.factors.list('acct_1'))[1]).toMatchObject({ lastUsedAt: NOW })
    const create = (id: string, step: number): Promise<unknown> =>
      it.store.sessions.create(...opening(id, at(step)))
    expect(await create('again', 101)).toBe('used')
    expect(await create('older', 100)).toBe('used')
    expect(await create('newer', 103)).toBe('created')
    expect(await create('between', 102)).toBe('used')
    expect((await it.store.sessions.list({ limit: 99 })).length).toBe(3)
  })

  test('one recovery code opens one of fifty sessions, and is audited once', async () => {
    await using it = await open()
    await enrolled(it.store)
    // The hashes under an older and the current secret of the server.
    const hashes = [bytes('z'), bytes('b')]
    const uses: SignInUse = { ticketId: undefined, use: { kind: 'recovery_code', hashes } }
    expect(await fiftySignIns(it, uses)).toEqual({ created: 1, used: 49 })
    expect(await it.store.factors.view('acct_1')).toMatchObject({ recoveryCodes: 2 })
    const events = await eventsOf(it.store)
    expect(events.filter((event) => event === 'recovery_code_used')).toHaveLength(1)
  })

  test('one ticket opens one of fifty sessions, and none after its account has another', async () => {
    await using it = await open()
    const { store } = it
    await store.accounts.create(account(), 'acct_1', BY)
    await store.accounts.create(account('acct_2'), 'acct_2', BY)
    await store.factors.addChallenge(ticket('one'), BY)
    expect(await eventsOf(store)).toContain('second_factor_asked')
    const uses: SignInUse = { ticketId: 'one', use: undefined }
    expect(await fiftySignIns(it, uses)).toEqual({ created: 1, used: 49 })
    await store.factors.addChallenge(ticket('two', { accountId: 'acct_2' }), BY)
    await store.factors.addChallenge(challenge('three'), BY)
    for (const ticketId of ['two', 'three']) {
      const stolen = opening(`with ${ticketId}`, { ticketId, use: undefined })
      expect(await store.sessions.create(...stolen)).toBe('used')
    }
  })

  test('a ticket stays valid if the factor with it was used, and the factor if the ticket was', async () => {
    await using it = await open()
    await enrolled(it.store)
    const { factors, sessions } = it.store
    await factors.addChallenge(ticket('one'), BY)
    const stale: FactorUse = { kind: 'totp', factorId: 'fac_t', step: 100 }
    const fresh: FactorUse = { kind: 'totp', factorId: 'fac_t', step: 101 }
    const create = (id: string, ticketId: string, use: FactorUse): Promise<unknown> =>
      sessions.create(...opening(id, { ticketId, use }))
    expect(await create('a', 'one', stale)).toBe('used')
    expect(await factors.findChallenge('one', 'sign_in')).toBeDefined()
    expect(await create('b', 'other', fresh)).toBe('used')
    expect(await factors.totp('acct_1')).toMatchObject({ lastStep: 100 })
    expect(await create('c', 'one', fresh)).toBe('created')
  })

  test('a session whose factors changed since the decision is outdated, and nothing is written', async () => {
    await using it = await open()
    await enrolled(it.store)
    const { accounts, factors, sessions } = it.store
    await factors.addChallenge(ticket('one'), BY)
    const use: FactorUse = { kind: 'totp', factorId: 'fac_t', step: 101 }
    const before = await eventsOf(it.store)
    const create = (factorsVersion: number): Promise<unknown> =>
      sessions.create(
        session('new'),
        { ...BY, mails: [mail('m1')] },
        { factorsVersion, uses: { ticketId: 'one', use } },
      )
    const { version } = await factors.view('acct_1')
    for (const other of [version - 1, version + 1]) expect(await create(other)).toBe('outdated')
    expect(await eventsOf(it.store)).toEqual(before)
    expect(await factors.findChallenge('one', 'sign_in')).toBeDefined()
    expect(await factors.totp('acct_1')).toMatchObject({ lastStep: 100 })
    expect(await it.store.mail.list({ limit: 9 })).toEqual([])
    expect(await sessions.list({ limit: 9 })).toHaveLength(1)
    await accounts.setPasswordHash('acct_1', 'other', BY)
    expect(await create(version)).toBe('outdated')
  })

  test('the counter of a passkey must grow, unless it is always 0', async () => {
    await using it = await open()
    await enrolled(it.store)
    const { factors } = it.store
    const use = (signCount: number, isBackedUp = false): Promise<unknown> =>
      factors.raise(
        'session-1',
        RAISED,
        { use: { kind: 'passkey', factorId: 'fac_p', signCount, isBackedUp } },
        BY,
      )
    expect([await use(0), await use(0, true)]).toEqual(['raised', 'raised'])
    expect(await factors.passkeys('acct_1')).toMatchObject([{ signCount: 0, isBackedUp: true }])
    expect([await use(5), await use(5), await use(4), await use(0)]).toEqual([
      'raised',
      'used',
      'used',
      'used',
    ])
    expect(await factors.passkeys('acct_1')).toMatchObject([{ signCount: 5, isBackedUp: false }])
  })

  test('a factor of another account, or of another kind, cannot be used', async () => {
    await using it = await open()
    await enrolled(it.store)
    await enrolled(it.store, 'acct_2')
    const { factors, sessions } = it.store
    const uses: readonly FactorUse[] = [
      { kind: 'totp', factorId: 'fac_tacct_2', step: 200 },
      { kind: 'totp', factorId: 'fac_p', step: 200 },
      { kind: 'passkey', factorId: 'fac_pacct_2', signCount: 9, isBackedUp: false },
      { kind: 'passkey', factorId: 'fac_t', signCount: 9, isBackedUp: false },
      { kind: 'recovery_code', hashes: [bytes('q')] },
      { kind: 'mail', codeId: 'unknown' },
    ]
    for (const use of uses) {
      expect(await factors.raise('session-1', RAISED, { use }, BY)).toBe('used')
      const created = await sessions.create(...opening('x', { ticketId: undefined, use }))
      expect(created).toBe('used')
    }
    expect(await factors.totp('acct_2')).toMatchObject({ lastStep: 100 })
  })

  test('raise changes a session that stands, and no other; of fifty with one step, one is raised', async () => {
    await using it = await open()
    await enrolled(it.store)
    const { factors, sessions } = it.store
    const use: FactorUse = { kind: 'totp', factorId: 'fac_t', step: 105 }
    const raised = await fifty(
      it,
      (store) => store.factors.raise('session-1', RAISED, { use }, BY),
      ['factors.raise', () => ['session-1', RAISED, { use }, BY]],
    )
    expect(raised).toEqual({ raised: 1, used: 49 })
    const events = (await eventsOf(it.store)).filter((event) => event === 'stepped_up')
    // Two of them enrolled the factors.
    expect(events).toHaveLength(3)
    const late = { ...use, step: 106 }
    const { version } = await factors.view('acct_1')
    const outdated = { use: late, version: version - 1 }
    expect(await factors.raise('session-1', RAISED, outdated, BY)).toBe('outdated')
    await sessions.end('session-1', { event: 'logout' }, BY)
    for (const id of ['session-1', 'unknown']) {
      expect(await factors.raise(id, RAISED, { use: late }, BY)).toBe('over')
    }
    expect(await factors.totp('acct_1')).toMatchObject({ lastStep: 105 })
  })

  test('guesses are counted exactly, each kind for itself, and survive a restart', async () => {
    await using it = await open()
    await enrolled(it.store)
    const results = await fifty(it, (store) => store.factors.countGuess('acct_1', 'totp'), [
      'factors.countGuess',
      () => ['acct_1', 'totp'],
    ])
    expect(results).toEqual({ allowed: 5, wait: 45 })
    await it.reopen()
    const count = (kind: 'totp' | 'recovery_code' | 'mail'): Promise<unknown> =>
      it.store.factors.countGuess('acct_1', kind)
    expect(await count('totp')).toEqual({ kind: 'wait', retryAfterSec: 30 })
    expect(await count('recovery_code')).toEqual({ kind: 'allowed' })
    expect(await count('mail')).toEqual({ kind: 'allowed' })
    for (let i = 0; i < 4; i += 1) expect(await count('mail')).toEqual({ kind: 'allowed' })
    expect(await count('mail')).toMatchObject({ kind: 'wait' })
  })

  test('an app is locked after twenty wrong guesses, a recovery code never; a use forgets all', async () => {
    await using it = await open()
    await enrolled(it.store)
    const { factors } = it.store
    for (let i = 0; i < 20; i += 1) {
      for (const kind of ['totp', 'recovery_code'] as const) {
        expect([i, await factors.countGuess('acct_1', kind)]).toEqual([i, { kind: 'allowed' }])
      }
      it.clock.advanceMs(HOUR_MS)
    }
    it.clock.advanceMs(365 * DAY_MS)
    expect(await factors.countGuess('acct_1', 'totp')).toEqual({ kind: 'locked' })
    expect(await factors.countGuess('acct_1', 'recovery_code')).toEqual({ kind: 'allowed' })
    const use: FactorUse = { kind: 'recovery_code', hashes: [bytes('a')] }
    expect(await factors.raise('session-1', RAISED, { use }, BY)).toBe('raised')
    expect(await factors.countGuess('acct_1', 'totp')).toEqual({ kind: 'allowed' })
  })

  test('the grace of an account begins once', async () => {
    await using it = await open()
    await it.store.accounts.create(account(), 'acct_1', BY)
    const { factors } = it.store
    await Promise.all([
      factors.setDue('acct_1', NOW + 5),
      it.beside.factors.setDue('acct_1', NOW + 5),
    ])
    await factors.setDue('acct_1', NOW + 9)
    expect(await factors.view('acct_1')).toMatchObject({ dueAt: NOW + 5 })
  })

  test('one user handle, whoever asks first', async () => {
    await using it = await open()
    await it.store.accounts.create(account(), 'acct_1', BY)
    const handles = await Promise.all([
      it.elsewhere('factors.userHandle', 'acct_1', bytes('1')),
      it.store.factors.userHandle('acct_1', bytes('2')),
      it.beside.factors.userHandle('acct_1', bytes('3')),
    ])
    const texts = handles.map((each) => Buffer.from(each as Uint8Array).toString())
    expect(new Set(texts).size).toBe(1)
    expect(await it.store.factors.userHandle('nobody', bytes('4'))).toBeUndefined()
  })

  test('one challenge is taken once of fifty times, and only for its purpose and subject', async () => {
    await using it = await open()
    const { factors } = it.store
    await it.store.accounts.create(account(), 'acct_1', BY)
    await factors.addChallenge(challenge('one'), BY)
    const found = await factors.findChallenge('one', 'passkey_second')
    expect(found && { ...found, details: Uint8Array.from(found.details) }).toMatchObject({
      ...challenge('one'),
      secretHash: expect.anything(),
    })
    const others = [
      ['one', 'passkey_enrol', 'session-1'],
      ['one', 'passkey_second', 'session-2'],
      ['two', 'passkey_second', 'session-1'],
    ] as const
    for (const [id, purpose, subject] of others) {
      expect(await factors.takeChallenge(id, purpose, subject)).toBeUndefined()
    }
    expect(await factors.findChallenge('one', 'passkey_enrol')).toBeUndefined()
    const take = ['one', 'passkey_second', 'session-1'] as const
    const taken = await fifty(it, (store) => store.factors.takeChallenge(...take), [
      'factors.takeChallenge',
      () => take,
    ])
    expect(taken).toEqual({ object: 1, undefined: 49 })
  })

  test('a newer challenge of a subject replaces the older one, and one without a subject does not', async () => {
    await using it = await open()
    const { factors } = it.store
    const isThere = async (id: string, purpose: Challenge['purpose']): Promise<boolean> =>
      (await factors.findChallenge(id, purpose)) !== undefined
    await factors.addChallenge(challenge('old'), BY)
    await factors.addChallenge(challenge('enrol', { purpose: 'passkey_enrol' }), BY)
    await factors.addChallenge(challenge('new'), BY)
    expect(await isThere('old', 'passkey_second')).toBe(false)
    expect(await isThere('new', 'passkey_second')).toBe(true)
    expect(await isThere('enrol', 'passkey_enrol')).toBe(true)
    const open2 = { purpose: 'passkey_login', subject: '', accountId: undefined } as const
    await factors.addChallenge(challenge('a', open2), BY)
    await factors.addChallenge(challenge('b', open2), BY)
    expect(await isThere('a', 'passkey_login')).toBe(true)
  })

  test('challenges and devices end to the millisecond, and are then purged', async () => {
    await using it = await open()
    const { factors } = it.store
    await signedIn(it.store)
    await factors.addChallenge(challenge('one'), BY)
    await factors.addChallenge(ticket('two'), BY)
    await factors.trust(device('d', { expiresAt: NOW + HOUR_MS }), 'session-1')
    it.clock.advanceMs(HOUR_MS - 1)
    expect(await factors.findChallenge('one', 'passkey_second')).toBeDefined()
    expect(await factors.isTrusted('acct_1', bytes('d'))).toBe(true)
    expect(await factors.purge(9)).toBe(0)
    it.clock.advanceMs(1)
    expect(await factors.findChallenge('one', 'passkey_second')).toBeUndefined()
    expect(await factors.takeChallenge('one', 'passkey_second', 'session-1')).toBeUndefined()
    expect(await factors.isTrusted('acct_1', bytes('d'))).toBe(false)
    expect(await factors.trusted('acct_1')).toEqual([])
    expect([await factors.purge(1), await factors.purge(1)]).toEqual([1, 1])
    expect(await factors.purge(9)).toBe(1)
    expect(await factors.purge(9)).toBe(0)
  })

  test('a device is remembered for one account and its present password and factors', async () => {
    await using it = await open()
    const { accounts, factors } = it.store
    await signedIn(it.store)
    await signedIn(it.store, 'of another', 'acct_2')
    expect(await factors.trust(device('d'), 'session-1')).toBe(true)
    expect(await factors.trust(device('e', { createdAt: NOW + 1 }), 'session-1')).toBe(true)
    for (const id of ['of another', 'unknown']) {
      expect(await factors.trust(device('g'), id)).toBe(false)
    }
    expect(await factors.isTrusted('acct_1', bytes('d'))).toBe(true)
    expect(await factors.isTrusted('acct_2', bytes('d'))).toBe(false)
    expect(await factors.isTrusted('acct_1', bytes('x'))).toBe(false)
    expect((await factors.trusted('acct_1')).map(({ createdAt }) => createdAt)).toEqual([
      NOW + 1,
      NOW,
    ])
    expect((await factors.trusted('acct_1'))[0]).not.toHaveProperty('hash')
    expect(await factors.forgetDevices('acct_1', BY)).toBe(2)
    expect(await factors.forgetDevices('acct_1', BY)).toBe(0)
    expect((await eventsOf(it.store)).slice(-3)).toEqual([
      'device_trusted',
      'device_trusted',
      'devices_forgotten',
    ])
    await factors.trust(device('f'), 'session-1')
    await accounts.setPasswordHash('acct_1', 'new', BY)
    // The session has ended with the old password.
    expect(await factors.trust(device('h'), 'session-1')).toBe(false)
    expect(await factors.isTrusted('acct_1', bytes('f'))).toBe(false)
    expect(await factors.trusted('acct_1')).toEqual([])
  })

  test('rename changes one factor of the account', async () => {
    await using it = await open()
    await enrolled(it.store)
    const { factors } = it.store
    expect(await factors.rename('acct_1', 'fac_t', 'Phone', BY)).toBe('changed')
    expect(await factors.rename('acct_1', 'fac_t', 'Phone', BY)).toBe('unchanged')
    expect(await factors.rename('acct_2', 'fac_t', 'Stolen', BY)).toBe('unknown')
    expect(await factors.totp('acct_1')).toMatchObject({ name: 'Phone' })
  })

  test('remove ends the other sessions, and the recovery codes go with the last factor', async () => {
    await using it = await open()
    await enrolled(it.store)
    const { factors, sessions } = it.store
    await addSession(it.store, 'other')
    const { version } = await factors.view('acct_1')
    await factors.trust(device('d'), 'session-1')
    const by = { accountId: 'acct_1', sessionId: 'session-1', version }
    const before = await eventsOf(it.store)
    expect(await factors.remove(by, 'fac_x', BY)).toBe('unknown')
    for (const wrong of [
      { ...by, version: version - 1 },
      { ...by, accountId: 'acct_2' },
      { ...by, sessionId: 'unknown' },
    ]) {
      expect(await factors.remove(wrong, 'fac_p', BY)).toBe('outdated')
      expect(await factors.replaceRecoveryCodes(wrong, CODES, BY)).toBe('outdated')
    }
    expect(await eventsOf(it.store)).toEqual(before)
    const removed = await Promise.all([
      it.elsewhere('factors.remove', by, 'fac_p', BY),
      factors.remove(by, 'fac_t', BY),
      it.beside.factors.remove(by, 'fac_p', BY),
    ])
    // The first one changes the version.
    expect(tally(removed)).toEqual({ changed: 1, outdated: 2 })
    expect(await factors.view('acct_1')).toMatchObject({ recoveryCodes: 3, version: version + 1 })
    expect(await factors.trusted('acct_1')).toEqual([])
    const live = await sessions.list({ accountId: 'acct_1', limit: 9, live: true })
    expect(live.map(({ id }) => id)).toEqual(['session-1'])
    expect((await logOf(it.store)).at(-1)).toBe('account acct_1 hard')
    const [last] = await factors.list('acct_1')
    const next = { ...by, version: version + 1 }
    expect(await factors.remove(next, String(last?.id), BY)).toBe('changed')
    expect(await factors.view('acct_1')).toMatchObject({
      hasTotp: false,
      passkeys: 0,
      recoveryCodes: 0,
    })
  })

  test('new recovery codes replace the old ones, for accounts with a factor only', async () => {
    await using it = await open()
    await signedIn(it.store, 'of another', 'acct_2')
    await enrolled(it.store)
    const { factors } = it.store
    const another = { accountId: 'acct_2', sessionId: 'of another', version: 0 }
    expect(await factors.replaceRecoveryCodes(another, CODES, BY)).toBe('unknown')
    expect(await factors.view('acct_2')).toMatchObject({ recoveryCodes: 0 })
    const context = { ...BY, mails: [mail('m1')] }
    const { version } = await factors.view('acct_1')
    const by = { accountId: 'acct_1', sessionId: 'session-1', version }
    expect(await factors.replaceRecoveryCodes(by, [bytes('n')], context)).toBe('changed')
    expect(await factors.replaceRecoveryCodes(by, [bytes('o')], context)).toBe('outdated')
    expect(await it.store.mail.list({ limit: 9 })).toMatchObject([{ id: 'm1' }])
    const old: FactorUse = { kind: 'recovery_code', hashes: CODES }
    expect(await factors.raise('session-1', RAISED, { use: old }, BY)).toBe('used')
    const fresh: FactorUse = { kind: 'recovery_code', hashes: [bytes('n')] }
    expect(await factors.raise('session-1', RAISED, { use: fresh }, BY)).toBe('raised')
  })

  test('reset removes what it names, ends all sessions, and writes its mail once', async () => {
    await using it = await open()
    await enrolled(it.store)
    const { factors, sessions } = it.store
    const context = { ...BY, mails: [mail('m1')] }
    expect(await factors.reset('nobody', 'all', BY)).toBe('unknown')
    const results = await Promise.all([
      it.elsewhere('factors.reset', 'acct_1', 'totp', context),
      factors.reset('acct_1', 'totp', context),
    ])
    expect(tally(results)).toEqual({ changed: 1, unchanged: 1 })
    expect(await it.store.mail.list({ limit: 9 })).toHaveLength(1)
    expect(await factors.view('acct_1')).toMatchObject({
      hasTotp: false,
      passkeys: 1,
      recoveryCodes: 3,
    })
    expect(await sessions.list({ accountId: 'acct_1', limit: 9, live: true })).toEqual([])
    await factors.setDue('acct_1', NOW)
    expect(await factors.reset('acct_1', 'all', BY)).toBe('changed')
    expect(await factors.view('acct_1')).toMatchObject({
      passkeys: 0,
      recoveryCodes: 0,
      dueAt: BY.at,
    })
    expect(await factors.reset('acct_1', 'all', BY)).toBe('unchanged')
    await factors.countGuess('acct_1', 'totp')
    expect(await factors.reset('acct_1', 'all', BY)).toBe('changed')
    const details = (await it.store.audit.list({ limit: 99 }))
      .filter(({ event }) => event === 'factors_reset')
      .map(({ detail }) => detail)
    expect(details).toEqual(['all', 'all', 'totp'])
  })

  test('the RP ID may change until somebody has a passkey', async () => {
    await using it = await open()
    const { factors } = it.store
    expect(await factors.chooseRpId('localhost')).toBe('localhost')
    const chosen = await Promise.all([
      it.elsewhere('factors.chooseRpId', 'one.example'),
      factors.chooseRpId('two.example'),
    ])
    expect(chosen).toContain(await factors.rpId())
    await enrolled(it.store)
    const kept = await factors.rpId()
    expect(await factors.chooseRpId('three.example')).toBe(kept)
    expect(await it.elsewhere('factors.chooseRpId', 'four.example')).toBe(kept)
    await factors.reset('acct_1', 'totp', BY)
    expect(await factors.chooseRpId('three.example')).toBe(kept)
    await factors.reset('acct_1', 'passkey', BY)
    expect(await factors.chooseRpId('three.example')).toBe('three.example')
    await it.reopen()
    expect(await it.store.factors.rpId()).toBe('three.example')
  })

  test('a deleted account leaves nothing, and its credential can be enrolled again', async () => {
    await using it = await open()
    await enrolled(it.store)
    const { accounts, factors } = it.store
    await factors.trust(device('d'), 'session-1')
    await factors.addChallenge(ticket('one'), BY)
    await factors.addChallenge(challenge('two'), BY)
    await factors.countGuess('acct_1', 'totp')
    await accounts.delete('acct_1', BY)
    expect(await factors.list('acct_1')).toEqual([])
    expect(await factors.findPasskey('credential of fac_p')).toBeUndefined()
    expect(await factors.findChallenge('one', 'sign_in')).toBeUndefined()
    expect(await factors.findChallenge('two', 'passkey_second')).toBeUndefined()
    expect([await factors.hasAny('totp'), await factors.hasAny('passkey')]).toEqual([false, false])
    // An account with the id of before would show rows that were left.
    await accounts.create(account(), 'acct_1', BY)
    expect(await factors.view('acct_1')).toMatchObject({ recoveryCodes: 0, version: 0 })
    expect(await factors.countGuess('acct_1', 'totp')).toEqual({ kind: 'allowed' })
    expect(await factors.trusted('acct_1')).toEqual([])
    await addSession(it.store, 'next')
    const use = enrolment(passkey('fac_2', { credentialId: 'credential of fac_p' }))
    expect(await factors.raise('next', RAISED, { use }, BY)).toBe('raised')
  })
})
