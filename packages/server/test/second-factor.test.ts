import { expect, test } from 'vitest'

import { PASSWORD, USERNAME, openTestAuthority, type Pair } from './support/authority.ts'
import { TestBrowser, membersOf } from './support/browser.ts'
import { query } from './support/database.ts'
import { callWith, enrolApp, totpAt } from './support/factors.ts'
import { claimsOf } from './support/forge.ts'

const CREDENTIALS = { username: USERNAME, password: PASSWORD }

test('an account with an authenticator app logs in with a ticket and a code', async () => {
  await using it = await openTestAuthority()
  const app = await enrolApp(it, await it.login())
  expect(app.recoveryCodes).toHaveLength(10)
  it.clock.advanceMs(30_000)

  const asked = await it.post('/api/token/', CREDENTIALS)
  expect(asked.status).toBe(401)
  const pending = (await asked.json()) as Record<string, unknown>
  expect(pending).toMatchObject({
    code: 'second_factor_required',
    methods: ['totp', 'recovery_code'],
    enrol: [],
    expires_in: 600,
  })
  expect(Object.keys(pending)).toEqual([
    'detail',
    'code',
    'ticket',
    'methods',
    'enrol',
    'expires_in',
  ])
  expect(query(it.dataDir, 'SELECT id FROM sessions')).toHaveLength(1)

  const { ticket } = pending
  const code = totpAt(app.secret, it.clock.nowMs())
  const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0')
  const refused = await it.post('/api/token/second-factor/', {
    ticket,
    method: 'totp',
    code: wrong,
  })
  expect(refused.status).toBe(401)
  expect(await refused.json()).toMatchObject({ code: 'factor_wrong' })

  const done = await it.post('/api/token/second-factor/', { ticket, method: 'totp', code })
  expect(done.status).toBe(200)
  const { access } = (await done.json()) as Pair
  expect(claimsOf(access)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' })

  const again = await it.post('/api/token/second-factor/', { ticket, method: 'totp', code })
  expect(await again.json()).toMatchObject({ code: 'ticket_void' })
})

test('the session that enrols an app has two factors, and its old token is stale', async () => {
  await using it = await openTestAuthority()
  const pair = await it.login()
  const app = await enrolApp(it, pair)
  expect(claimsOf(app.access)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' })
  expect(it.authority.verify(pair.access)).toMatchObject({ ok: false, code: 'token_stale' })
  expect(it.authority.verify(app.access)).toMatchObject({ ok: true })
})

test('a browser logs in with a recovery code, once', async () => {
  await using it = await openTestAuthority()
  const app = await enrolApp(it, await it.login())
  const browser = new TestBrowser(it)
  const asked = await browser.login()
  expect(asked.status).toBe(401)
  expect(browser.cookies.has('cs_access')).toBe(false)
  const { ticket } = membersOf(asked)
  const body = { ticket, method: 'recovery_code', code: app.recoveryCodes[0]?.toLowerCase() }
  expect((await browser.visit('/auth/login/second-factor', { body })).status).toBe(200)
  expect(browser.cookies.has('cs_access')).toBe(true)

  const other = new TestBrowser(it)
  const { ticket: second } = membersOf(await other.login())
  const reused = await other.visit('/auth/login/second-factor', {
    body: { ...body, ticket: second },
  })
  expect(reused.status).toBe(401)
  expect(membersOf(reused)).toMatchObject({ code: 'factor_wrong' })
})

test('a change of factors needs a recent proof of the second factor', async () => {
  await using it = await openTestAuthority()
  const app = await enrolApp(it, await it.login())
  it.clock.advanceMs(30_000)
  const { ticket } = (await (await it.post('/api/token/', CREDENTIALS)).json()) as {
    ticket: string
  }
  const code = totpAt(app.secret, it.clock.nowMs())
  const done = await it.post('/api/token/second-factor/', { ticket, method: 'totp', code })
  const pair = (await done.json()) as Pair
  it.clock.advanceMs(11 * 60_000)
  const refreshed = (await (
    await it.post('/api/token/refresh/', { refresh: pair.refresh })
  ).json()) as Pair

  const stale = await callWith(it, refreshed.access, 'POST', '/auth/factors/recovery-codes')
  expect(stale.status).toBe(401)
  expect(membersOf(stale)).toMatchObject({
    code: 'insufficient_user_authentication',
    max_age: '600',
    acr_values: 'aal2',
  })
  const body = { method: 'password', password: PASSWORD }
  const weak = await callWith(it, refreshed.access, 'POST', '/auth/step-up', body)
  expect(membersOf(weak)).toMatchObject({ code: 'factor_unavailable' })
  const raised = await callWith(it, refreshed.access, 'POST', '/auth/step-up', {
    method: 'totp',
    code: totpAt(app.secret, it.clock.nowMs()),
  })
  expect(raised.status).toBe(200)
  const { access } = membersOf(raised) as { access: string }
  expect(it.authority.verify(refreshed.access)).toMatchObject({ ok: false, code: 'token_stale' })
  const renewed = await callWith(it, access, 'POST', '/auth/factors/recovery-codes')
  expect(membersOf(renewed)['recovery_codes']).toHaveLength(10)
})
