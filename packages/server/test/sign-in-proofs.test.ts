import { describe, expect, test } from 'vitest'

import { createSession } from '../src/sessions/create-session.ts'
import { summarizeProofs } from '../src/factors/proof.ts'
import {
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type Pair,
  type TestAuthority,
} from './support/authority.ts'
import { TestBrowser } from './support/browser.ts'
import { execute } from './support/database.ts'
import { claimsOf } from './support/forge.ts'
import { openTestSessions } from './support/sessions.ts'

// Tokens contain when and how the person proved who they are. The values come from the session row.

test('a password login sets auth_time and amr, and a refresh keeps both', async () => {
  await using it = await openTestAuthority()
  const loggedInSec = Math.floor(it.clock.nowMs() / 1000)
  const { access, refresh } = await it.login()
  expect(claimsOf(access)).toMatchObject({ auth_time: loggedInSec, amr: ['pwd'] })
  expect(claimsOf(access)).not.toHaveProperty('acr')

  it.clock.advanceMs(60_000)
  expect(claimsOf((await refreshed(it, refresh)).access)).toMatchObject({
    iat: loggedInSec + 60,
    auth_time: loggedInSec,
    amr: ['pwd'],
  })
})

test('the fast and the slow path of a refresh take auth_time, amr and acr from the row', async () => {
  await using it = await openTestAuthority()
  const { refresh } = await it.login()
  const raised = { auth_time: 1_700_000_000, amr: ['pwd', 'otp'], acr: 'two-factor' }
  execute(
    it.dataDir,
    `UPDATE sessions SET authenticated_at = 1700000000999, amr = '["pwd","otp"]', acr = 'two-factor'`,
  )
  expect(claimsOf((await refreshed(it, refresh)).access)).toMatchObject(raised)
  // The predecessor within the grace is decided on the slow path.
  expect(claimsOf((await refreshed(it, refresh)).access)).toMatchObject(raised)
})

test('a change of tenant and ending the other sessions keep auth_time, amr and acr', async () => {
  await using it = await openTestAuthority()
  await it.authority.tenants.create('acme', 'test')
  await it.authority.tenants.setMember({ username: USERNAME, tenant: 'acme', roles: [] }, 'test')
  const browser = new TestBrowser(it)
  await browser.login()
  execute(it.dataDir, `UPDATE sessions SET authenticated_at = 5000, amr = '["hwk"]', acr = 'high'`)

  expect((await browser.visit('/auth/refresh', { body: { tenant: 'acme' } })).status).toBe(200)
  const raised = { auth_time: 5, amr: ['hwk'], acr: 'high' }
  expect(claimsOf(browser.cookies.get('cs_access')!)).toMatchObject(raised)
  expect((await browser.visit('/auth/sessions/end-others')).status).toBe(204)
  expect(claimsOf(browser.cookies.get('cs_access')!)).toMatchObject(raised)
})

describe('several proofs in one sign-in', () => {
  test('are combined to every method once, the newest time and the last context class', () => {
    expect(
      summarizeProofs([
        { kind: 'application', amr: ['pwd', 'user'], at: 2_000, acr: 'low' },
        { kind: 'application', amr: ['user', 'otp'], at: 3_000, acr: 'high' },
        { kind: 'totp', amr: ['otp'], at: 1_000 },
      ]),
    ).toEqual({ amr: ['pwd', 'user', 'otp', 'mfa'], authenticatedAt: 3_000, acr: 'high' })
  })
})

async function refreshed(it: TestAuthority, refresh: string): Promise<Pair> {
  const response = await it.post('/api/token/refresh/', { refresh })
  expect(response.status).toBe(200)
  return (await response.json()) as Pair
}

test("a session begins by the store's clock, which also measures its end", async () => {
  await using it = await openTestSessions()
  const created = await it.accounts.create({ username: USERNAME, password: PASSWORD }, 'test')
  if (!created.ok) throw new Error(created.text)
  const storeMs = it.clock.nowMs() - 60_000
  const services = { ...it.services, store: { ...it.store, clock: { nowMs: () => storeMs } } }
  const opened = await createSession(services, created.value.id, { amr: ['fed'] })
  if (!opened.ok) throw new Error(opened.text)
  const { idleMs, absoluteMs } = it.services.rotation
  expect((await it.store.sessions.state(opened.sessionId))?.session).toMatchObject({
    createdAt: storeMs,
    rotatedAt: storeMs,
    expiresAt: storeMs + idleMs,
    endsAt: storeMs + absoluteMs,
  })
})
