import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { routes } from '../src/http/routes.ts'
import { ISSUER, PASSWORD } from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { query } from './support/database.ts'
import {
  openFactorPeople,
  outcomeOf,
  type Enrolled,
  type FactorPeople,
} from './support/factor-people.ts'
import { PageBrowser } from './support/pages.ts'

// The rows of docs/attack-catalogue.md on browsers, for the routes of second factors.

let it: FactorPeople
let app: Enrolled
let browser: TestBrowser
beforeAll(async () => {
  it = await openFactorPeople({ origins: 'https://app.example.com' })
  app = await it.withApp('bob')
})
afterAll(() => it[Symbol.asyncDispose]())
beforeEach(async () => {
  browser = await signedIn()
})

/** Logs a browser in with both factors. */
async function signedIn(): Promise<TestBrowser> {
  it.clock.advanceMs(30_000)
  const page = new TestBrowser(it)
  const { ticket } = membersOf(await page.login({ username: 'bob', password: PASSWORD }))
  const body = { ticket, method: 'totp', code: it.code(app) }
  expect((await page.visit('/auth/login/second-factor', { body })).status).toBe(200)
  await page.get('/auth/csrf')
  return page
}

const rows = routes.filter(({ tag, method }) => tag === 'Second factors' && method !== 'GET')

function state(): unknown {
  return ['sessions', 'factors', 'recovery_codes', 'challenges', 'trusted_devices'].map((table) =>
    query(it.dataDir, `SELECT * FROM ${table}`),
  )
}

const FOREIGN: Readonly<Record<string, Readonly<Record<string, string | undefined>>>> = {
  'D01 another site': { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
  'D01 a neighbouring subdomain': {
    'sec-fetch-site': 'same-site',
    origin: 'http://evil.localhost',
  },
  'D02 an older browser on another site': {
    'sec-fetch-site': undefined,
    origin: 'https://evil.example',
  },
  'D02 a sandboxed frame': { 'sec-fetch-site': 'cross-site', origin: 'null' },
  'D02 a look-alike of an allowed origin': {
    'sec-fetch-site': undefined,
    origin: 'https://app.example.com.evil.example',
  },
  'D02 another port': { 'sec-fetch-site': undefined, origin: 'http://localhost:9999' },
}

test('there are rows', () => {
  expect(rows.length).toBeGreaterThan(12)
})

describe.each(Object.entries(FOREIGN))('%s', (_, headers) => {
  test('changes nothing at any route of factors, even with the right token', async () => {
    const before = state()
    for (const { method, path } of rows) {
      const url = path.replace('{id}', 'fac_AAAAAAAAAAAAAAAAAAAAAA')
      const body = { ticket: 'x', method: 'totp', code: '000000', challenge: 'x', response: {} }
      const answer = await browser.visit(url, { method, body, headers })
      expect([path, outcomeOf(answer)]).toEqual([path, '403 csrf_failed'])
    }
    expect(state()).toEqual(before)
  })
})

test('D04 without its token, or with that of another session, a session changes nothing', async () => {
  const other = await signedIn()
  const before = state()
  const guarded = rows.filter(({ csrf }) => csrf === 'cookie' || csrf === 'always')
  expect(guarded.length).toBeGreaterThan(8)
  for (const token of [undefined, 'x', other.csrfToken]) {
    for (const { method, path } of guarded) {
      const url = path.replace('{id}', 'fac_AAAAAAAAAAAAAAAAAAAAAA')
      const answer = await browser.visit(url, {
        method,
        body: {},
        withoutToken: true,
        headers: { 'x-csrf-token': token },
      })
      expect([path, outcomeOf(answer)]).toEqual([path, '403 csrf_failed'])
    }
  }
  expect(state()).toEqual(before)
})

test('D05 another site logs nobody in with its own ticket or passkey', async () => {
  const eve = await it.withApp('eve')
  const ticket = await it.ticket('eve')
  const body = { ticket, method: 'totp', code: it.code(eve) }
  const victim = new TestBrowser(it)
  const forged = await victim.visit('/auth/login/second-factor', {
    body,
    headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
  })
  expect(outcomeOf(forged)).toBe('403 csrf_failed')
  // A form without scripts cannot send the token of the victim.
  const form = await it.authority.fetch(
    new Request(`${ISSUER}/auth/login/second-factor`, {
      method: 'POST',
      headers: { origin: ISSUER, 'sec-fetch-site': 'same-origin' },
      body: new URLSearchParams({ ...body, enrol: 'false' }),
    }),
    { address: '203.0.113.7' },
  )
  expect(form.status).toBe(403)
  expect(victim.cookies.size).toBe(0)
})

test('D07 no route of factors answers the scripts of an origin that is not configured', async () => {
  for (const { method, path } of rows) {
    for (const origin of ['https://evil.example', 'null', 'https://app.example.com.evil.example']) {
      const request = new Request(`${ISSUER}${path}`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': method },
      })
      const { headers } = await it.authority.fetch(request, { address: '203.0.113.7' })
      expect([path, headers.get('access-control-allow-origin')]).toEqual([path, null])
    }
  }
})

test('D08 no answer of a route of factors can be framed, cached or read as a page', async () => {
  for (const { method, path } of routes.filter(({ tag }) => tag === 'Second factors')) {
    const url = path.replace('{id}', 'fac_AAAAAAAAAAAAAAAAAAAAAA')
    const answer = await browser.visit(url, {
      method,
      ...(method === 'GET' ? {} : { body: { ticket: 'x', method: 'totp' } }),
    })
    const type = answer.headers.get('content-type') ?? 'application/json'
    expect([path, /^application\/(?:problem\+)?json/.test(type)]).toEqual([path, true])
    expect(answer.headers.get('cache-control')).toContain('no-store')
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  }
})

describe('P12 and P18 on the account pages', () => {
  const FORMS = [
    [
      '/auth/account/password',
      { old_password: PASSWORD, current_password: PASSWORD, password: 'staple and no donkey' },
    ],
    ['/auth/account/address', { email: 'thief@example.org', current_password: PASSWORD }],
    ['/auth/account/delete', { current_password: PASSWORD, confirm: 'bob' }],
  ] as const
  test.each(FORMS)('%s takes no password in place of a second factor', async (path, values) => {
    it.clock.advanceMs(600_001)
    await browser.visit('/auth/refresh')
    const pages = new PageBrowser(it)
    for (const [name, value] of browser.cookies) pages.jar.cookies.set(name, value)
    const accounts = query(it.dataDir, 'SELECT password_hash, email FROM accounts')
    const mails = it.mails.length
    const page = await pages.open(path)
    const form = page.forms.find(({ action }) => action.split('?')[0] === path)
    const answer = await pages.ask(form?.action ?? path, {
      method: 'POST',
      body: new URLSearchParams({ ...form?.fields, ...values }),
      headers: { 'sec-fetch-site': 'same-origin', origin: 'null' },
    })
    expect([path, answer.status < 300]).toEqual([path, false])
    expect(query(it.dataDir, 'SELECT password_hash, email FROM accounts')).toEqual(accounts)
    expect(it.mails).toHaveLength(mails)
  })
})
