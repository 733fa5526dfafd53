import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { writeAllowed, type Allowed } from '../src/sso/consent.ts'
import type { Store } from '../src/store/store.ts'
import { openSecondStore, registerApplication } from './support/applications.ts'
import { ISSUER, openTestAuthority, PASSWORD, type TestAuthority } from './support/authority.ts'
import { claimsOf } from './support/forge.ts'
import { expectSafe } from './support/page-safety.ts'
import { PageBrowser } from './support/pages.ts'

const PATH = '/auth/account/applications'

let it: TestAuthority
let store: Store
beforeEach(async () => {
  it = await openTestAuthority({ sso: true })
  store = await openSecondStore(it)
})
afterEach(async () => {
  await store.close()
  await it[Symbol.asyncDispose]()
})

async function accountOf(access: string): Promise<string> {
  return String(claimsOf(access)['sub'])
}

/** Registers an application, and lets an account allow it, as the consent page does. */
async function allow(
  accountId: string,
  name: string,
  allowed: Partial<Allowed> = {},
): Promise<string> {
  const { application } = await registerApplication(it, { name, title: `The ${name}` })
  const at = it.clock.nowMs()
  const { scopes = ['openid', 'email'], resources = [] } = allowed
  await store.sso.grants.setConsent(
    {
      accountId,
      applicationId: application.id,
      allowed: writeAllowed({ scopes, resources }),
      givenAt: at,
      changedAt: at,
    },
    { at, actor: accountId },
  )
  return application.id
}

function ask(access: string, path: string, method = 'GET'): Promise<Response> {
  const headers = { authorization: `Bearer ${access}` }
  return it.authority.fetch(new Request(`${ISSUER}${path}`, { method, headers }))
}

describe('the API', () => {
  test('lists what the person has allowed, the newest first', async () => {
    const { access } = await it.login()
    const sub = await accountOf(access)
    expect(await (await ask(access, '/auth/applications')).json()).toEqual({ applications: [] })
    const shop = await allow(sub, 'shop')
    it.clock.advanceMs(1_000)
    const blog = await allow(sub, 'blog', {
      scopes: ['openid'],
      resources: ['https://api.example'],
    })
    await it.authority.applications.disable('shop', 'test')
    const seconds = Math.floor(it.clock.nowMs() / 1000)
    expect(await (await ask(access, '/auth/applications')).json()).toEqual({
      applications: [
        {
          id: blog,
          title: 'The blog',
          disabled: false,
          scopes: ['openid'],
          resources: ['https://api.example'],
          given_at: seconds,
          changed_at: seconds,
        },
        {
          id: shop,
          title: 'The shop',
          disabled: true,
          scopes: ['email', 'openid'],
          resources: [],
          given_at: seconds - 1,
          changed_at: seconds - 1,
        },
      ],
    })
  })

  test('removes the access of one, and gives the session a new access token', async () => {
    const { access } = await it.login()
    const sub = await accountOf(access)
    const [shop, blog] = [await allow(sub, 'shop'), await allow(sub, 'blog')]
    const revoked = await ask(access, `/auth/applications/${shop}`, 'DELETE')
    expect(revoked.status).toBe(200)
    const renewed = (await revoked.json()) as { access: string }
    // The old one may be one that the application got.
    expect(it.authority.verify(access)).toEqual({ ok: false, code: 'token_stale' })
    expect(it.authority.verify(renewed.access)).toMatchObject({ ok: true })
    const listed = (await (await ask(renewed.access, '/auth/applications')).json()) as {
      applications: { id: string }[]
    }
    expect(listed.applications.map(({ id }) => id)).toEqual([blog])
    expect((await ask(renewed.access, `/auth/applications/${shop}`, 'DELETE')).status).toBe(404)
    const { entries } = await it.authority.audit.list({ accountId: sub, limit: 1 })
    expect(entries).toMatchObject([{ event: 'consent_revoked', actor: sub }])
  })

  test('touches nothing of another account', async () => {
    const bob = { username: 'bob', password: PASSWORD }
    await it.authority.accounts.create(bob, 'test')
    const { access } = (await (await it.post('/api/token/', bob)).json()) as { access: string }
    const bobId = await accountOf(access)
    const shop = await allow(bobId, 'shop')
    const alice = await it.login()
    expect((await ask(alice.access, `/auth/applications/${shop}`, 'DELETE')).status).toBe(404)
    expect(await store.sso.grants.consentsOf(bobId)).toHaveLength(1)
  })

  test('needs a session, and does not exist without single sign-on', async () => {
    const bare = new Request(`${ISSUER}/auth/applications`)
    expect((await it.authority.fetch(bare)).status).toBe(401)
    const { access } = await it.login()
    await it.restart({ sso: false })
    expect((await ask(access, '/auth/applications')).status).toBe(404)
    expect((await ask(access, PATH)).status).toBe(404)
  })
})

describe('the account page', () => {
  let browser: PageBrowser
  let sub: string
  beforeEach(async () => {
    browser = new PageBrowser(it)
    await browser.jar.login()
    sub = await accountOf((await it.login()).access)
  })

  test('shows what each application may do, in words', async () => {
    const overview = await browser.open('/auth/account')
    expect(overview.html).toContain(`href="${PATH}"`)
    const empty = await browser.open(PATH)
    expectSafe(empty)
    expect(empty.text).toContain('You have allowed no application to use your account.')
    await allow(sub, 'shop', {
      scopes: ['openid', 'email', 'offline_access', 'profile', 'pay'],
      resources: ['https://api.example.com'],
    })
    const page = await browser.open(PATH)
    expectSafe(page)
    for (const text of [
      'The shop',
      'Recognise you when you log in there',
      'See your username',
      'See your e-mail address',
      'Use your account while you are not there',
      'Use the permission “pay”',
      'Use https://api.example.com for you',
    ]) {
      expect(page.text).toContain(text)
    }
    const german = await browser.open(`${PATH}?lang=de`)
    expect(german.text).toContain('Ihre E-Mail-Adresse sehen')
    expect(german.text).toContain('Zugriff entziehen')
  })

  test('removes the access of one application, and stays logged in', async () => {
    await allow(sub, 'shop')
    const blog = await allow(sub, 'blog')
    const page = await browser.open(PATH)
    const done = await browser.press(page, {}, { button: 'Remove access: The shop' })
    expect(done.status).toBe(200)
    expectSafe(done)
    expect(done.text).toContain('The application has no access any more.')
    expect(done.text).toContain('The blog')
    expect(done.text).not.toContain('The shop')
    expect((await store.sso.grants.consentsOf(sub)).map((each) => each.applicationId)).toEqual([
      blog,
    ])
    expect((await browser.open('/auth/account')).text).toContain('Logged in as alice')
  })

  test('rejects a form without the token of the session, and one of another site', async () => {
    const shop = await allow(sub, 'shop')
    const page = await browser.open(PATH)
    const { csrf = '' } = page.forms[0]?.fields ?? {}
    const send = (fields: Record<string, string>, site: string): Promise<number> =>
      browser
        .ask(PATH, {
          method: 'POST',
          headers: {
            'content-type': 'application/x-www-form-urlencoded',
            'sec-fetch-site': site,
            origin: site === 'same-origin' ? ISSUER : 'https://evil.example',
          },
          body: new URLSearchParams(fields).toString(),
        })
        .then(({ status }) => status)
    expect(await send({ revoke: shop }, 'same-origin')).toBeGreaterThanOrEqual(400)
    expect(await send({ csrf: 'x', revoke: shop }, 'same-origin')).toBeGreaterThanOrEqual(400)
    expect(await send({ csrf, revoke: shop }, 'cross-site')).toBeGreaterThanOrEqual(400)
    expect(await store.sso.grants.consentsOf(sub)).toHaveLength(1)
    expect(await send({ csrf, revoke: shop }, 'same-origin')).toBe(303)
    expect(await store.sso.grants.consentsOf(sub)).toEqual([])
  })

  test('a title with markup is text', async () => {
    await registerApplication(it, { name: 'evil', title: '<img src=x onerror=alert(1)>' })
    const { id = '' } = (await it.authority.applications.list())[0] ?? {}
    const at = it.clock.nowMs()
    const allowed = writeAllowed({ scopes: ['<b>', '__proto__'], resources: [] })
    await store.sso.grants.setConsent(
      { accountId: sub, applicationId: id, allowed, givenAt: at, changedAt: at },
      { at, actor: sub },
    )
    const page = await browser.open(PATH)
    expectSafe(page)
    expect(page.html).not.toMatch(/<img|<b>/)
    expect(page.text).toContain('<img src=x onerror=alert(1)>')
    expect(page.text).toContain('__proto__')
  })
})
