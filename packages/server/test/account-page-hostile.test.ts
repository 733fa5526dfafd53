import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { routes } from '../src/http/routes.ts'
import { ISSUER, PASSWORD, USERNAME } from './support/authority.ts'
import { openMailingAuthority, type MailingAuthority } from './support/mails.ts'
import { expectSafe } from './support/page-safety.ts'
import { PageBrowser } from './support/pages.ts'

const rows = routes.filter(({ authentication }) => authentication === 'page_cookies')
const pathsFor = (wanted: string): readonly string[] =>
  rows.filter(({ method }) => method === wanted).map(({ path }) => path.replace('{uid}', 'unknown'))
const shown = pathsFor('GET')
const forms = pathsFor('POST')

const FIELDS = {
  new_username: 'mallory',
  current_password: PASSWORD,
  password: 'staple and no donkey',
  email: 'mallory@example.com',
  end: 'all',
  tenant: 'acme',
  id: 'fac_0rZ2Rk0tQnq3b1bIY2Tq6g',
  factor_name: 'mallory',
  remove: '1',
  forget: '1',
  begin: '1',
  method: 'password',
} as const

let it: MailingAuthority
beforeAll(async () => {
  it = await openMailingAuthority({
    origins: 'https://app.example.com',
    sso: true,
    upstreamGithubId: 'id',
    upstreamGithubSecret: 'secret',
  })
  await it.authority.tenants.create('acme', 'test')
  await it.authority.tenants.setMember({ username: USERNAME, tenant: 'acme', roles: [] }, 'test')
})
afterAll(() => it[Symbol.asyncDispose]())

async function signedIn(username = USERNAME): Promise<PageBrowser> {
  const browser = new PageBrowser(it)
  await browser.jar.login({ username, password: PASSWORD })
  return browser
}

async function tokenOf(browser: PageBrowser): Promise<string> {
  const { csrf_token: token } = JSON.parse((await browser.jar.get('/auth/csrf')).text) as {
    csrf_token: string
  }
  return token
}

/** The account and the session are as before. */
async function expectUntouched(browser: PageBrowser): Promise<void> {
  expect(await browser.open('/auth/account')).toMatchObject({ status: 200 })
  const login = await it.post('/api/token/', { username: USERNAME, password: PASSWORD })
  expect(login.status).toBe(200)
}

test('there are pages and forms to try', () => {
  expect([shown.length, forms.length]).toEqual([21, 21])
})

describe('WEB-03 opening a page changes nothing:', () => {
  test.each(forms)('%s', async (path) => {
    const browser = await signedIn()
    const before = it.mails.length
    const query = new URLSearchParams({ ...FIELDS, csrf: await tokenOf(browser) })
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      const page = await browser.ask(`${path}?${query.toString()}`, { method })
      expectSafe(page)
      // An unknown factor leads to the list, and an unknown login of an application to a page that says so.
      expect([200, 303, 400, 405]).toContain(page.status)
    }
    await expectUntouched(browser)
    expect(it.mails.length).toBe(before)
  })
})

describe('a form', () => {
  test.each(forms)(
    'D01 and D02 %s of another site is refused, with the right token',
    async (path) => {
      const browser = await signedIn()
      const csrf = await tokenOf(browser)
      for (const headers of [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { 'sec-fetch-site': 'cross-site', origin: 'https://app.example.com' },
        { 'sec-fetch-site': 'x' },
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { origin: `${ISSUER}.evil.example` },
        { origin: 'http://localhost:8001' },
        { origin: 'https://localhost:8000' },
        {},
      ] as Record<string, string>[]) {
        const page = await browser.post(path, { ...FIELDS, csrf }, headers)
        expectSafe(page)
        expect([page.status, page.headers.getSetCookie()]).toEqual([403, []])
      }
      await expectUntouched(browser)
    },
  )

  test.each(forms)('D04 %s needs the token of its own session', async (path) => {
    const browser = await signedIn()
    const other = await signedIn()
    const csrf = await tokenOf(browser)
    const { value: nonce } = { value: await tokenOf(new PageBrowser(it)) }
    for (const token of [
      undefined,
      'x',
      `${csrf}x`,
      csrf.slice(1),
      await tokenOf(other),
      nonce,
      browser.jar.cookies.get('cs_access') ?? '',
    ]) {
      const fields = token === undefined ? FIELDS : { ...FIELDS, csrf: token }
      const page = await browser.post(path, fields)
      expectSafe(page)
      expect([page.status, page.text]).toEqual([403, expect.stringContaining('out of date')])
    }
    // A token in the URL or in a header does not count.
    const query = await browser.ask(`${path}?csrf=${csrf}`, {
      method: 'POST',
      body: new URLSearchParams(FIELDS),
      headers: { 'sec-fetch-site': 'same-origin', 'x-csrf-token': csrf },
    })
    expect(query.status).toBe(403)
    await expectUntouched(browser)
  })

  test.each(forms)('%s answers bad bodies with a page', async (path) => {
    const browser = await signedIn()
    const csrf = await tokenOf(browser)
    const own = { 'sec-fetch-site': 'same-origin' }
    const form = { ...own, 'content-type': 'application/x-www-form-urlencoded' }
    const json = { ...own, 'content-type': 'application/json' }
    for (const [body, headers, status] of [
      [JSON.stringify({ ...FIELDS, csrf }), json, 415],
      [`csrf=${csrf}&csrf=${csrf}`, form, 400],
      [new URLSearchParams({ csrf, email: 'x'.repeat(20_000) }).toString(), form, 413],
      ['%ff=%ff', form, 400],
    ] as const) {
      const page = await browser.ask(path, { method: 'POST', body, headers })
      expectSafe(page)
      expect([page.status, page.title]).toEqual([status, expect.stringMatching(/^Error: /)])
    }
    await expectUntouched(browser)
  })

  test('of the old account does nothing after a login as somebody else in another tab', async () => {
    await it.authority.accounts.create({ username: 'bob', password: PASSWORD }, 'test')
    const browser = await signedIn()
    const tabs = await Promise.all(
      ['/auth/account/delete', '/auth/account/username'].map((path) => browser.open(path)),
    )
    await browser.jar.login({ username: 'bob', password: PASSWORD })
    for (const tab of tabs) {
      const page = await browser.press(tab, FIELDS, { form: tab.path.split('/').at(-1) ?? '' })
      expect([page.status, page.text]).toEqual([403, expect.stringContaining('nothing was done')])
      expect(page.tags.find(({ name }) => name === 'a')?.attributes['href']).toBe('/auth/account')
    }
    expect((await browser.open('/auth/account')).text).toContain('Logged in as bob')
  })
})

test.each(shown)('D08 %s cannot be framed, stored or sniffed, in any state', async (path) => {
  const browser = await signedIn()
  for (const page of [
    await browser.open(path),
    await browser.open(`${path}?lang=de&done=password&before=1&return_to=//evil.example`),
    await browser.open(path, { method: 'HEAD' }),
    await new PageBrowser(it).open(path),
    await browser.ask(path, { method: 'PATCH' }),
    await browser.ask(path, { headers: { cookie: 'cs_access=a; cs_access=b' } }),
  ]) {
    expectSafe(page)
  }
})

describe('D10 a stored text is shown as text:', () => {
  const PROBES = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    '</title></noscript><svg onload=alert(1)>',
    '{{7*7}}${7*7}',
  ]

  test('the device of a session and its address', async () => {
    const browser = await signedIn()
    for (const probe of PROBES) {
      await it.post(
        '/api/token/',
        { username: USERNAME, password: PASSWORD },
        { userAgent: probe, address: probe },
      )
    }
    for (const path of ['/auth/account/sessions', '/auth/account/activity']) {
      const page = await browser.open(path)
      expectSafe(page)
      expect(page.tags.some(({ name }) => ['img', 'svg'].includes(name))).toBe(false)
    }
  })

  test('the name of a tenant, and of who invites', async () => {
    const admin = await signedIn()
    await it.authority.accounts.setEmail(
      USERNAME,
      { address: 'a@example.com', verified: true },
      'test',
    )
    for (const probe of ["o'brien & sons", 'a<b', 'acme"inc']) {
      const created = await it.authority.tenants.create(probe, 'test').catch(() => undefined)
      if (created?.ok !== true) continue
      await it.authority.tenants.setMember({ username: USERNAME, tenant: probe, roles: [] }, 'test')
    }
    for (const path of ['/auth/account/tenants', '/auth/account/choose-tenant']) {
      expectSafe(await admin.open(path))
    }
  })

  test.each(PROBES)('a username or an address that was typed: %s', async (probe) => {
    const own = `person-${PROBES.indexOf(probe)}`
    await it.authority.accounts.create({ username: own, password: PASSWORD }, 'test')
    const browser = await signedIn(own)
    // Some of the probes are allowed as usernames.
    const username = await browser.press(await browser.open('/auth/account/username'), {
      new_username: probe,
    })
    expectSafe(username)
    expect(username.fields?.['new_username']).toBe(probe)
    expectSafe(await browser.open('/auth/account'))
    expectSafe(await browser.open('/sign-in'))
    expectSafe(await browser.open('/auth/account/password'))
    const address = await browser.press(await browser.open('/auth/account/address'), {
      email: probe,
      current_password: PASSWORD,
    })
    expectSafe(address)
    expect(address.fields?.['email']).toBe(probe)
    const login = await browser.post('/sign-in', {
      username: probe,
      current_password: 'x',
      return_to: probe,
    })
    expectSafe(login)
    expect(login.fields?.['username']).toBe(probe)
  })

  test('an address of the account, as its owner typed it', async () => {
    const address = `"<script>alert(1)</script>"@example.com`
    const set = await it.authority.accounts
      .setEmail(USERNAME, { address, verified: false }, 'test')
      .catch(() => undefined)
    const page = await (await signedIn()).open('/auth/account/address')
    expectSafe(page)
    if (set?.ok === true) expect(page.text).toContain(address)
  })
})

test('A19 a forged host changes nothing on a page and nothing in its redirects', async () => {
  const browser = await signedIn()
  const headers = {
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    forwarded: 'host=evil.example',
  }
  for (const path of [...shown, '/sign-in']) {
    const page = await browser.ask(path, { headers })
    expectSafe(page)
    expect(page.html).not.toContain('evil')
  }
  const gone = await new PageBrowser(it).ask('/auth/account', { headers })
  expect(gone.headers.get('location')).toBe('/sign-in?return_to=%2Fauth%2Faccount')
})

test('a notice of the page needs a page of this site before it', async () => {
  const browser = await signedIn()
  const path = '/auth/account/password?done=password'
  const own = { headers: { 'sec-fetch-site': 'same-origin' } }
  expect((await browser.ask(path, own)).text).toContain('Your password is changed.')
  const other = { headers: { 'sec-fetch-site': 'cross-site' } }
  expect((await browser.ask(path, other)).text).not.toContain('Your password is changed.')
})
