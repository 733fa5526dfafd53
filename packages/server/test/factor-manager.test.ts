import { describe, expect, test } from 'vitest'

import { openTestAuthority, PASSWORD, USERNAME, type TestAuthority } from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { query } from './support/database.ts'
import { callWith, enrolApp, totpAt } from './support/factors.ts'
import { openMailingAuthority } from './support/mails.ts'
import { addPasskey } from './support/own-passkey.ts'
import { ALICE, openTestApplication } from './support/users.ts'

const CREDENTIALS = { username: USERNAME, password: PASSWORD }

/** The code that a login answers: 200, or why it opens no session. */
async function loginCode({ post }: Pick<TestAuthority, 'post'>): Promise<unknown> {
  const response = await post('/api/token/', CREDENTIALS)
  return response.status === 200 ? 200 : ((await response.json()) as { code: string }).code
}

/** The ticket of a login that needs a second factor. */
async function ticketOf({ post }: Pick<TestAuthority, 'post'>): Promise<string> {
  const answer = (await (await post('/api/token/', CREDENTIALS)).json()) as { ticket: string }
  return answer.ticket
}

describe('list', () => {
  test('shows factors, recovery codes and remembered devices, and no secret', async () => {
    await using it = await openTestAuthority({ rememberDevice: '30d' })
    const { factors } = it.authority
    const nothing = { factors: [], recoveryCodesLeft: 0, devices: [] }
    expect(await factors.list(USERNAME)).toEqual({ ok: true, value: nothing })

    const app = await enrolApp(it, await it.login())
    await addPasskey(it, app)
    const browser = new TestBrowser(it)
    const { ticket } = membersOf(await browser.login())
    const code = app.recoveryCodes[0]
    const done = await browser.visit('/auth/login/second-factor', {
      body: { ticket, method: 'recovery_code', code, remember: true },
    })
    expect(done.status).toBe(200)

    const listed = await factors.list(USERNAME.toUpperCase())
    const now = it.clock.nowMs()
    expect(listed).toEqual({
      ok: true,
      value: {
        factors: expect.arrayContaining([
          {
            id: expect.stringMatching(/^fac_[\w-]{22}$/),
            kind: 'totp',
            name: 'Authenticator app',
            createdAt: now,
            lastUsedAt: undefined,
            isBackedUp: undefined,
            credentialId: undefined,
          },
          {
            id: expect.stringMatching(/^fac_[\w-]{22}$/),
            kind: 'passkey',
            name: 'Passkey',
            createdAt: now,
            lastUsedAt: undefined,
            isBackedUp: false,
            credentialId: expect.any(String),
          },
        ]),
        recoveryCodesLeft: 9,
        devices: [
          {
            accountId: expect.stringMatching(/^acct_/),
            createdAt: now,
            expiresAt: now + 30 * 86_400_000,
            userAgent: expect.stringContaining('Firefox'),
            address: '203.0.113.7',
          },
        ],
      },
    })
    expect(await factors.list('nobody')).toMatchObject({ ok: false, code: 'account_unknown' })
  })
})

describe('reset', () => {
  test('lets a person in with the password alone, ends sessions and tickets, and sends a mail', async () => {
    await using it = await openMailingAuthority({ rememberDevice: '30d' })
    const { accounts, factors, audit } = it.authority
    await accounts.setEmail(USERNAME, { address: 'alice@example.com', verified: true }, 'test')
    const app = await enrolApp(it, await it.login())
    await addPasskey(it, app)
    const ticket = await ticketOf(it)
    await expect.poll(() => it.mails.length).toBe(2)

    expect(await factors.reset(USERNAME, {}, 'support')).toEqual({ ok: true, value: 'changed' })
    for (const table of ['factors', 'recovery_codes', 'factor_guesses', 'trusted_devices']) {
      expect(query(it.dataDir, `SELECT * FROM ${table}`)).toEqual([])
    }
    expect(await factors.reset(USERNAME, {}, 'support')).toEqual({ ok: true, value: 'unchanged' })
    // The call has settled: the token is refused at once.
    expect(it.authority.verify(app.access)).toMatchObject({ ok: false, code: 'session_ended' })
    const late = { ticket, method: 'recovery_code', code: app.recoveryCodes[0] }
    const refused = await it.post('/api/token/second-factor/', late)
    expect(await refused.json()).toMatchObject({ code: 'ticket_void' })
    expect(await loginCode(it)).toBe(200)
    const { entries } = await audit.list({ limit: 5 })
    expect(entries.find(({ event }) => event === 'factors_reset')).toMatchObject({
      actor: 'support',
      detail: 'all',
    })
    await expect
      .poll(() => it.mails.map(({ kind }) => kind))
      .toEqual(['factor_changed', 'factor_changed', 'factor_changed'])

    expect(await factors.reset('nobody', {}, 'x')).toMatchObject({ code: 'account_unknown' })
  })

  test('of one kind leaves the others, and the recovery codes go with the last factor', async () => {
    await using it = await openTestAuthority()
    const { factors } = it.authority
    const app = await enrolApp(it, await it.login())
    await addPasskey(it, app)
    const kinds = async (): Promise<unknown> => {
      const listed = await factors.list(USERNAME)
      if (!listed.ok) throw new Error(listed.text)
      return [...listed.value.factors.map(({ kind }) => kind), listed.value.recoveryCodesLeft]
    }
    expect(await kinds()).toEqual(expect.arrayContaining(['totp', 'passkey', 10]))
    await factors.reset(USERNAME, { what: 'totp' }, 'support')
    expect(await kinds()).toEqual(['passkey', 10])
    await factors.reset(USERNAME, { what: 'recovery_codes' }, 'support')
    expect(await kinds()).toEqual(['passkey', 0])
    expect(await loginCode(it)).toBe('second_factor_required')
    await factors.reset(USERNAME, { what: 'passkey' }, 'support')
    expect(await kinds()).toEqual([0])
  })

  test('unlocks an authenticator app that wrong codes have locked', async () => {
    await using it = await openTestAuthority()
    const { authority, clock } = it
    const app = await enrolApp(it, await it.login())
    const guess = async (): Promise<unknown> => {
      const body = { ticket: await ticketOf(it), method: 'totp', code: '000000' }
      const answer = await it.post('/api/token/second-factor/', body)
      return ((await answer.json()) as { code: string }).code
    }
    let tries = 0
    while ((await guess()) !== 'factor_locked') {
      clock.advanceMs(3_600_000)
      tries += 1
    }
    expect(tries).toBe(20)
    const body = { method: 'totp', code: totpAt(app.secret, clock.nowMs()) }
    const locked = await it.post('/api/token/second-factor/', {
      ticket: await ticketOf(it),
      ...body,
    })
    expect(await locked.json()).toMatchObject({ code: 'factor_locked' })
    // The app stays: only recovery codes are removed, and the guesses of all factors.
    await authority.factors.reset(USERNAME, { what: 'recovery_codes' }, 'support')
    const right = await it.post('/api/token/second-factor/', {
      ticket: await ticketOf(it),
      ...body,
    })
    expect(right.status).toBe(200)
  })

  test('gives no new grace: an account that needs a factor enrols one at its next login', async () => {
    await using it = await openTestAuthority({ secondFactor: 'required', secondFactorGrace: '7d' })
    await enrolApp(it, await it.login())
    it.clock.advanceMs(30 * 86_400_000)
    await it.authority.factors.reset(USERNAME, {}, 'support')
    expect(await loginCode(it)).toBe('second_factor_enrolment_required')
  })

  test('throws for arguments that are not valid', async () => {
    await using it = await openTestAuthority()
    const { factors } = it.authority
    await expect(factors.reset(USERNAME, { what: 'sms' as never }, 'x')).rejects.toThrow(
      'what must be one of all, totp, passkey, recovery_codes.',
    )
    await expect(factors.reset(USERNAME, { waht: 'totp' } as never, 'x')).rejects.toThrow(
      'factors.reset has no option "waht". Did you mean what?',
    )
    await expect(factors.reset(USERNAME, undefined as never, 'x')).rejects.toThrow(
      'options must be an object',
    )
  })
})

test('with the users of an application, factors are listed and reset by the id', async () => {
  await using it = await openTestApplication()
  const { factors } = it.authority
  expect(await factors.list(ALICE)).toMatchObject({ ok: true, value: { factors: [] } })
  expect(await factors.reset(ALICE, {}, 'support')).toEqual({ ok: true, value: 'unchanged' })
  const app = await enrolApp(it, await it.login())
  expect(await loginCode(it)).toBe('second_factor_required')
  expect(await factors.list(ALICE)).toMatchObject({
    value: { factors: [{ kind: 'totp' }], recoveryCodesLeft: 10 },
  })
  // Names are the application's: another account may have this one as its id.
  expect(await factors.list(USERNAME)).toMatchObject({ value: { factors: [] } })
  expect(await factors.reset(ALICE, {}, 'support')).toEqual({ ok: true, value: 'changed' })
  expect(it.authority.verify(app.access)).toMatchObject({ ok: false, code: 'session_ended' })
  expect(await loginCode(it)).toBe(200)
  await expect(factors.list('acct_1')).rejects.toThrow('id must be an id')
})

test('the export of an account has its factors and devices without secrets, and a deletion leaves none', async () => {
  await using it = await openTestAuthority({ rememberDevice: '30d' })
  const app = await enrolApp(it, await it.login())
  const { passkeys } = await addPasskey(it, app)
  const browser = new TestBrowser(it)
  const { ticket } = membersOf(await browser.login())
  const recovery = app.recoveryCodes[0]
  await browser.visit('/auth/login/second-factor', {
    body: { ticket, method: 'recovery_code', code: recovery, remember: true },
  })
  const parts = {
    factors: expect.arrayContaining([
      expect.objectContaining({ kind: 'totp', name: 'Authenticator app' }),
      expect.objectContaining({ kind: 'passkey', credentialId: passkeys[0]?.id }),
    ]),
    recoveryCodesLeft: 9,
    devices: [expect.objectContaining({ address: '203.0.113.7' })],
  }
  const own = await browser.get('/auth/me/export')
  expect(membersOf(own)).toMatchObject(parts)
  const exported = await it.authority.accounts.export(USERNAME)
  expect(exported).toMatchObject({ ok: true, value: parts })
  for (const text of [own.text, JSON.stringify(exported)]) {
    for (const hidden of [
      'secret',
      'publicKey',
      'hash',
      app.secret,
      String(app.recoveryCodes[1]),
    ]) {
      expect(text).not.toContain(hidden)
    }
  }

  // A wrong code and an unfinished login leave rows too.
  const wrong = { ticket: await ticketOf(it), method: 'totp', code: '000000' }
  expect((await it.post('/api/token/second-factor/', wrong)).status).toBe(401)
  const tables = ['factors', 'recovery_codes', 'factor_guesses', 'challenges', 'trusted_devices']
  const filled = (): readonly string[] =>
    tables.filter((table) => query(it.dataDir, `SELECT 1 FROM ${table}`).length > 0)
  expect(filled()).toEqual(tables)
  await it.authority.accounts.delete(USERNAME, 'test')
  expect(filled()).toEqual([])
  expect((await callWith(it, app.access, 'GET', '/auth/factors')).status).toBe(401)
})
