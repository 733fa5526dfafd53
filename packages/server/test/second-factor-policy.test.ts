import { expect, test } from 'vitest'

import {
  PASSWORD,
  USERNAME,
  openTestAuthority,
  type Pair,
  type TestAuthority,
} from './support/authority.ts'
import { TestBrowser, membersOf } from './support/browser.ts'
import { query } from './support/database.ts'
import { enrolApp, totpAt } from './support/factors.ts'
import { claimsOf } from './support/forge.ts'

const CREDENTIALS = { username: USERNAME, password: PASSWORD }
const DAY_MS = 86_400_000

interface Asked {
  readonly code: string
  readonly ticket: string
}

async function logIn(it: TestAuthority): Promise<{ status: number } & Partial<Asked & Pair>> {
  const response = await it.post('/api/token/', CREDENTIALS)
  return { status: response.status, ...((await response.json()) as Partial<Asked & Pair>) }
}

test('an account that needs a factor logs in during its grace, and must enrol one afterwards', async () => {
  await using it = await openTestAuthority({ secondFactor: 'required', secondFactorGrace: '2d' })
  const { refresh } = await it.login()
  it.clock.advanceMs(2 * DAY_MS - 1)
  expect((await logIn(it)).status).toBe(200)
  const refreshed = await it.post('/api/token/refresh/', { refresh })
  expect(refreshed.status).toBe(200)
  const next = (await refreshed.json()) as Pair
  it.clock.advanceMs(1)

  expect(await logIn(it)).toMatchObject({
    status: 401,
    code: 'second_factor_enrolment_required',
    methods: [],
    enrol: ['totp', 'passkey'],
  })
  // The session from the grace ends at its next refresh.
  expect((await it.post('/api/token/refresh/', { refresh: next.refresh })).status).toBe(401)
  expect(query(it.dataDir, `SELECT detail FROM audit WHERE event = 'session_ended'`)).toEqual([
    { detail: 'second_factor' },
  ])
})

test('without a grace, the first login enrols an app, and gets recovery codes', async () => {
  await using it = await openTestAuthority({ secondFactor: 'required', secondFactorGrace: 'off' })
  const { ticket } = await logIn(it)
  const begun = await it.post('/auth/second-factor/enrol', { ticket, method: 'totp' })
  const { challenge, secret, qr } = (await begun.json()) as Record<string, string>
  expect(qr).toContain('<svg')
  const complete = async (code: string): Promise<Response> =>
    it.post('/api/token/second-factor/', { ticket, method: 'totp', enrol: true, challenge, code })
  expect((await complete('000000')).status).toBe(401)
  expect(query(it.dataDir, 'SELECT id FROM sessions')).toEqual([])
  const done = await complete(totpAt(secret!, it.clock.nowMs()))
  expect(done.status).toBe(200)
  const { access, recovery_codes: codes } = (await done.json()) as Pair & {
    recovery_codes: string[]
  }
  expect(codes).toHaveLength(10)
  expect(claimsOf(access)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' })
  expect(await logIn(it)).toMatchObject({ code: 'second_factor_required' })
})

test('a ticket enrols no factor for an account that has one', async () => {
  await using it = await openTestAuthority()
  await enrolApp(it, await it.login())
  const { ticket } = await logIn(it)
  const begun = await it.post('/auth/second-factor/enrol', { ticket, method: 'totp' })
  const { challenge, secret } = (await begun.json()) as Record<string, string>
  const code = totpAt(secret!, it.clock.nowMs())
  const body = { ticket, method: 'totp', enrol: true, challenge, code }
  const refused = await it.post('/api/token/second-factor/', body)
  expect(refused.status).toBe(401)
  const { code: why, ticket: next } = (await refused.json()) as Asked
  expect(why).toBe('second_factor_required')
  // The new ticket does not remember the app that was refused.
  const again = await it.post('/auth/second-factor/enrol', { ticket: next, method: 'totp' })
  const begunAgain = (await again.json()) as Record<string, string>
  const second = await it.post('/api/token/second-factor/', {
    ticket: next,
    method: 'totp',
    enrol: true,
    challenge: begunAgain['challenge'],
    code: totpAt(begunAgain['secret']!, it.clock.nowMs()),
  })
  expect(second.status).toBe(401)
  expect(query(it.dataDir, 'SELECT id FROM factors')).toHaveLength(1)
  expect(query(it.dataDir, 'SELECT id FROM sessions')).toHaveLength(1)
})

test('a new role that needs a factor ends sessions without one at their refresh', async () => {
  await using it = await openTestAuthority({
    secondFactorRoles: ['admin'],
    secondFactorGrace: 'off',
  })
  const { refresh } = await it.login()
  await it.authority.accounts.addRole(USERNAME, 'admin', 'test')
  expect((await it.post('/api/token/refresh/', { refresh })).status).toBe(401)
  expect(await logIn(it)).toMatchObject({ code: 'second_factor_enrolment_required' })
})

test('a session without a second factor cannot move to a tenant that needs one', async () => {
  await using it = await openTestAuthority({
    secondFactorTenants: ['acme'],
    secondFactorGrace: 'off',
  })
  for (const tenant of ['other', 'acme']) {
    await it.authority.tenants.create(tenant, 'test')
    await it.authority.tenants.setMember({ username: USERNAME, tenant, roles: [] }, 'test')
  }
  const browser = new TestBrowser(it)
  expect((await browser.login()).status).toBe(200)
  const moved = await browser.visit('/auth/refresh', { body: { tenant: 'acme' } })
  expect(moved.status).toBe(401)
  expect(membersOf(moved)).toMatchObject({
    code: 'insufficient_user_authentication',
    acr_values: 'aal2',
  })
  expect((await browser.visit('/auth/refresh')).status).toBe(200)
  expect(await logIn(it)).toMatchObject({ status: 200 })
  const named = await browser.login({ ...CREDENTIALS, tenant: 'acme' })
  expect(membersOf(named)).toMatchObject({ code: 'second_factor_enrolment_required' })
})

test('the application vouches for a second factor with mfa, and otherwise gets a ticket', async () => {
  await using it = await openTestAuthority()
  const app = await enrolApp(it, await it.login())
  const { id } = (await it.authority.accounts.list())[0]!
  const vouched = await it.authority.sessions.create(id, { amr: ['fed', 'mfa'] })
  expect(vouched.ok).toBe(true)
  const asked = await it.authority.sessions.create(id, { amr: ['fed'] })
  if (asked.ok) throw new Error('It opened a session.')
  expect(asked).toMatchObject({ code: 'second_factor_required' })
  it.clock.advanceMs(30_000)
  const code = totpAt(app.secret, it.clock.nowMs())
  const body = { ticket: asked.pending?.ticket, method: 'totp', code }
  const done = await it.post('/api/token/second-factor/', body)
  expect(done.status).toBe(200)
  const { access } = (await done.json()) as Pair
  expect(claimsOf(access)).toMatchObject({ amr: ['fed', 'otp', 'mfa'], acr: 'aal2' })
})

test('a remembered browser is not asked again, until the password changes', async () => {
  await using it = await openTestAuthority({ rememberDevice: '30d' })
  const app = await enrolApp(it, await it.login())
  it.clock.advanceMs(30_000)
  const browser = new TestBrowser(it)
  const { ticket } = membersOf(await browser.login())
  const code = totpAt(app.secret, it.clock.nowMs())
  const body = { ticket, method: 'totp', code, remember: true }
  expect((await browser.visit('/auth/login/second-factor', { body })).status).toBe(200)
  await browser.visit('/auth/logout')
  it.clock.advanceMs(1_000)
  expect((await browser.login()).status).toBe(200)
  expect(
    query(it.dataDir, `SELECT second_factor FROM sessions ORDER BY created_at DESC LIMIT 1`),
  ).toEqual([{ second_factor: 'device' }])
  await browser.visit('/auth/logout')

  await it.authority.accounts.setPassword(USERNAME, 'another long password', 'test')
  const asked = await browser.login({ username: USERNAME, password: 'another long password' })
  expect(membersOf(asked)).toMatchObject({ code: 'second_factor_required' })
})

test('a ticket still enrols a factor if the account no longer needs one', async () => {
  await using it = await openTestAuthority({ secondFactor: 'required', secondFactorGrace: 'off' })
  const { ticket } = await logIn(it)
  await it.restart({ secondFactor: 'optional' })
  const begun = await it.post('/auth/second-factor/enrol', { ticket, method: 'totp' })
  const { challenge, secret } = (await begun.json()) as Record<string, string>
  const code = totpAt(secret!, it.clock.nowMs())
  const body = { ticket, method: 'totp', enrol: true, challenge, code }
  const done = await it.post('/api/token/second-factor/', body)
  const { access } = (await done.json()) as Pair
  expect(claimsOf(access)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' })
  expect(query(it.dataDir, 'SELECT second_factor FROM sessions')).toEqual([
    { second_factor: 'given' },
  ])
})
