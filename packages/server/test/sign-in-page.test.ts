import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { ISSUER, PASSWORD, USERNAME } from './support/authority.ts'
import { openMailingAuthority, type MailingAuthority } from './support/mails.ts'
import { expectSafe } from './support/page-safety.ts'
import { PageBrowser, type SeenPage } from './support/pages.ts'

const EMAIL = 'alice@example.com'
const APP = 'https://app.example.com'
const CREDENTIALS = { username: USERNAME, current_password: PASSWORD }

const SETTINGS = {
  signUpVerified: true,
  mailLogin: true,
  origins: APP,
  links: 'app=https://shop.example.net/home',
} as const

let it: MailingAuthority
beforeEach(async () => {
  it = await openMailingAuthority(SETTINGS)
  await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
})
afterEach(() => it[Symbol.asyncDispose]())

/** Sends the form of the sign-in page, and does not follow the redirect. */
async function send(
  browser: PageBrowser,
  page: SeenPage,
  values: Readonly<Record<string, string>> = CREDENTIALS,
): Promise<SeenPage> {
  const [form] = page.forms
  return browser.ask(form?.action ?? '', {
    method: 'POST',
    body: new URLSearchParams({ ...form?.fields, ...values }),
    headers: { 'sec-fetch-site': 'same-origin' },
  })
}

function hrefsOf({ tags }: SeenPage): readonly (string | undefined)[] {
  return tags.filter(({ name }) => name === 'a').map(({ attributes }) => attributes['href'])
}

async function sessionsOf(username = USERNAME): Promise<readonly unknown[]> {
  const found = await it.authority.accounts.find(username)
  const { sessions } = await it.authority.sessions.list({ accountId: found?.id, live: true })
  return sessions
}

test('a person signs in, and comes to the application of the settings', async () => {
  const browser = new PageBrowser(it)
  const page = await browser.open('/sign-in')
  expectSafe(page, { formTarget: 'https://shop.example.net' })
  expect(page.title).toBe('Log in')
  const inputs = page.tags.filter(({ name }) => name === 'input')
  expect(inputs.map(({ attributes: { name, autocomplete } }) => [name, autocomplete])).toEqual([
    ['username', 'username webauthn'],
    ['current_password', 'current-password'],
  ])
  expect(hrefsOf(page)).toEqual([
    '/auth/account/forgot',
    '/auth/account/log-in/start',
    '/auth/account/sign-up/start',
    '/sign-in?lang=de',
  ])
  const done = await send(browser, page)
  expect([done.status, done.headers.get('location')]).toEqual([
    303,
    'https://shop.example.net/home',
  ])
  expect([...browser.jar.cookies.keys()].toSorted()).toEqual([
    'cs_access',
    'cs_device',
    'cs_refresh',
  ])
  expect((await browser.jar.get('/auth/session')).status).toBe(200)
})

test('the verified address works in place of the username', async () => {
  const browser = new PageBrowser(it)
  const done = await send(browser, await browser.open('/sign-in'), {
    ...CREDENTIALS,
    username: EMAIL,
  })
  expect(done.status).toBe(303)
})

test.each([
  [{ ...CREDENTIALS, current_password: 'wrong' }],
  [{ ...CREDENTIALS, username: 'nobody' }],
])('a wrong login says what to do, at the field, and keeps the name: %j', async (values) => {
  const browser = new PageBrowser(it)
  const page = await send(browser, await browser.open('/sign-in?return_to=/inbox'), values)
  expectSafe(page)
  expect([page.status, page.title]).toEqual([401, 'Error: Log in'])
  expect(page.fields).toEqual({
    return_to: '/inbox',
    username: values.username,
    current_password: '',
  })
  const wrong = page.tags.find(({ attributes }) => attributes['aria-invalid'] === 'true')
  expect(wrong?.attributes).toMatchObject({
    name: 'current_password',
    'aria-describedby': 'current_password-error',
    autofocus: '',
  })
  expect(page.text).toContain('The username or the password is wrong.')
  expect(browser.jar.cookies.size).toBe(0)
})

test('an empty form and a throttled one say what to do', async () => {
  await using own = await openMailingAuthority({ throttle: 'source=1/15m' })
  const browser = new PageBrowser(own)
  const page = await browser.open('/sign-in')
  const empty = await send(browser, page, { username: '' })
  expect([empty.status, empty.text]).toEqual([400, expect.stringContaining('Fill in all fields.')])
  await send(browser, page, { ...CREDENTIALS, current_password: 'wrong' })
  const refused = await send(browser, page)
  expectSafe(refused)
  expect([refused.status, refused.text]).toEqual([
    429,
    expect.stringContaining('Too many attempts'),
  ])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
})

describe('somebody who is signed in', () => {
  test('sees who that is, and goes on or uses another account', async () => {
    const browser = new PageBrowser(it)
    await browser.jar.login()
    const page = await browser.open('/sign-in?return_to=/inbox')
    expectSafe(page)
    expect(page.title).toBe('You are logged in')
    expect(page.text).toContain('logged in as alice')
    expect(hrefsOf(page).slice(0, 3)).toEqual([
      '/inbox',
      '/sign-in?return_to=%2Finbox&other=1',
      '/auth/account',
    ])
    await it.authority.accounts.create({ username: 'bob', password: PASSWORD }, 'test')
    const form = await browser.open('/sign-in?return_to=%2Finbox&other=1')
    const done = await send(browser, form, { username: 'bob', current_password: PASSWORD })
    expect([done.status, done.headers.get('location')]).toEqual([303, '/inbox'])
    expect(await browser.open('/auth/account')).toMatchObject({
      text: expect.stringContaining('Logged in as bob'),
    })
    // The session of alice in this browser has ended.
    expect(await sessionsOf()).toHaveLength(0)
  })

  test('is not logged out by looking, with an expired access token', async () => {
    const browser = new PageBrowser(it)
    await browser.jar.login()
    it.clock.advanceMs(600_000)
    const before = browser.jar.cookies.get('cs_refresh')
    expect((await browser.open('/sign-in')).title).toBe('You are logged in')
    expect(browser.jar.cookies.get('cs_refresh')).toBe(before)
  })

  test('and comes from another site loads the page once more, so that the strict cookie arrives', async () => {
    const browser = new PageBrowser(it)
    await browser.jar.login()
    it.clock.advanceMs(600_000)
    const [access, refresh] = ['cs_access', 'cs_refresh'].map(
      (name) => browser.jar.cookies.get(name) ?? '',
    )
    browser.jar.cookies.delete('cs_refresh')
    const headers = { 'sec-fetch-site': 'cross-site' }
    const again = await browser.ask('/sign-in?return_to=/inbox', { headers })
    expectSafe(again)
    const refreshes = again.tags.find(({ attributes }) => attributes['http-equiv'] === 'refresh')
    expect(refreshes?.attributes['content']).toBe('0;url=/sign-in?return_to=%2Finbox&again=1')
    browser.jar.cookies.set('cs_access', access ?? '').set('cs_refresh', refresh ?? '')
    expect((await browser.open('/sign-in?return_to=%2Finbox&again=1')).title).toBe(
      'You are logged in',
    )
    // No loop: without the cookie, the second time shows the form.
    browser.jar.cookies.delete('cs_refresh')
    browser.jar.cookies.delete('cs_access')
    expect((await browser.ask('/sign-in?again=1', { headers })).title).toBe('Log in')
    // A browser that was never signed in does not wait.
    browser.jar.cookies.clear()
    expect((await browser.ask('/sign-in', { headers })).title).toBe('Log in')
  })
})

describe('a reload, the back button, a double click and two tabs:', () => {
  test('the form of an old page signs in again and leaves one session', async () => {
    const browser = new PageBrowser(it)
    const page = await browser.open('/sign-in')
    for (let i = 0; i < 3; i += 1) expect((await send(browser, page)).status).toBe(303)
    expect(await sessionsOf()).toHaveLength(1)
  })

  test('two forms at once both succeed', async () => {
    const browser = new PageBrowser(it)
    const page = await browser.open('/sign-in')
    const done = await Promise.all([send(browser, page), send(browser, page)])
    expect(done.map(({ status }) => status)).toEqual([303, 303])
    expect((await browser.open('/auth/account')).title).toBe('Your account')
  })
})

describe('D05 a login that another site makes its visitor send', () => {
  test.each([
    [{ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    [{ 'sec-fetch-site': 'cross-site', origin: APP }],
    [{ 'sec-fetch-site': 'same-site', origin: 'http://evil.localhost:8000' }],
    [{ origin: 'null' }],
    [{ origin: 'http://localhost:8001' }],
    [{ origin: 'https://localhost:8000' }],
    [{ origin: `${ISSUER}.evil.example` }],
    [{}],
  ] as Record<string, string>[][])('is refused, and sets no cookie: %j', async (headers) => {
    const browser = new PageBrowser(it)
    const page = await browser.post('/sign-in', CREDENTIALS, headers)
    expectSafe(page)
    expect([page.status, page.headers.getSetCookie()]).toEqual([403, []])
    expect(await sessionsOf()).toHaveLength(0)
  })

  test('is accepted from a browser that sends its own origin only', async () => {
    const page = await new PageBrowser(it).ask('/sign-in', {
      method: 'POST',
      body: new URLSearchParams(CREDENTIALS),
      headers: { origin: ISSUER },
    })
    expect(page.status).toBe(303)
  })
})

describe('an account in several tenants', () => {
  beforeEach(async () => {
    for (const tenant of ['acme', 'globex']) {
      await it.authority.tenants.create(tenant, 'test')
      await it.authority.tenants.setMember({ username: USERNAME, tenant, roles: [] }, 'test')
    }
  })

  test('chooses one after the login, or goes on without', async () => {
    const browser = new PageBrowser(it)
    const form = await browser.open(`/sign-in?return_to=${APP}/inbox`)
    const done = await send(browser, form)
    const location = done.headers.get('location') ?? ''
    expect(location).toBe(
      '/auth/account/choose-tenant?return_to=https%3A%2F%2Fapp.example.com%2Finbox',
    )
    const page = await browser.open(location)
    expectSafe(page, { formTarget: APP })
    expect(page.title).toBe('Choose an organisation')
    expect(hrefsOf(page)).toContain(`${APP}/inbox`)
    const chosen = await browser.press(page, {}, { button: 'Change to globex' })
    expect([chosen.status, chosen.headers.get('location')]).toEqual([303, `${APP}/inbox`])
    const session = JSON.parse((await browser.jar.get('/auth/session')).text) as {
      tenant: { name: string } | null
    }
    expect(session.tenant?.name).toBe('globex')
  })

  test('is not asked if the link names a tenant', async () => {
    const browser = new PageBrowser(it)
    const done = await send(browser, await browser.open('/sign-in?tenant=acme&return_to=/inbox'))
    expect(done.headers.get('location')).toBe('/inbox')
    const other = await send(browser, await browser.open('/sign-in?tenant=initech&other=1'))
    expect([other.status, other.text]).toEqual([403, expect.stringContaining('not a member')])
  })

  test('cannot change to a tenant of others', async () => {
    await it.authority.tenants.create('initech', 'test')
    const browser = new PageBrowser(it)
    await browser.jar.login()
    const page = await browser.open('/auth/account/choose-tenant?return_to=//evil.example')
    expect(page.forms[0]?.fields['return_to']).toBeUndefined()
    for (const tenant of ['initech', 'unknown', '<b>']) {
      const refused = await browser.press(page, { tenant })
      expectSafe(refused, { formTarget: 'https://shop.example.net' })
      expect(refused.status).toBe(403)
    }
  })
})

describe('return_to', () => {
  let browser: PageBrowser
  beforeAll(() => {
    browser = new PageBrowser({ authority: { fetch: (...args) => it.authority.fetch(...args) } })
  })
  afterAll(() => browser.jar.cookies.clear())

  async function whereTo(value: string): Promise<string | null> {
    const query = new URLSearchParams({ return_to: value, other: '1' })
    const page = await browser.open(`/sign-in?${query.toString()}`)
    return (await send(browser, page)).headers.get('location')
  }

  test.each([
    ['/inbox', '/inbox'],
    ['/inbox?a=b&c=%2F#d', '/inbox?a=b&c=%2F#d'],
    [`${ISSUER}/inbox`, '/inbox'],
    [`${APP}/inbox`, `${APP}/inbox`],
    [APP, `${APP}/`],
    ['HTTPS://APP.example.com/', `${APP}/`],
    ['https://shop.example.net/cart', 'https://shop.example.net/cart'],
    ['/a/../b', '/b'],
    ['/%2f%2fevil.example', '/%2f%2fevil.example'],
  ])(
    'WEB-04 leads to a path of this server or a configured origin: %s',
    async (value, expected) => {
      expect(await whereTo(value)).toBe(expected)
    },
  )

  test.each([
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '\t//evil.example',
    ' //evil.example',
    '/ /evil.example',
    '/..//evil.example',
    '/.//evil.example',
    '%2f%2fevil.example',
    'https:evil.example',
    'https:/evil.example',
    'https:///evil.example',
    'https:\\\\evil.example',
    'https://evil.example',
    'https://evil.example/?https://app.example.com',
    'https://app.example.com.evil.example/',
    'https://app.example.com@evil.example/',
    'https://app.example.com:pass@app.example.com/',
    'https://alice@app.example.com/',
    'https://app.example.com:8443/',
    'http://app.example.com/',
    'https://app.example.com\\@evil.example/',
    'https://app.example.com%00.evil.example/',
    'https://sub.app.example.com/',
    `${ISSUER}//evil.example`,
    `${ISSUER}@evil.example/`,
    'javascript:alert(1)',
    'javascript://app.example.com/%0aalert(1)',
    'data:text/html,x',
    'blob:https://app.example.com/x',
    'ftp://app.example.com/',
    'inbox',
    '',
    '?x',
    `/${'a'.repeat(3_000)}`,
    '/\u{202e}evil',
    'https://xn--app-.example.com/',
  ])('WEB-04 leads nowhere else: %j', async (value) => {
    expect(await whereTo(value)).toBe('https://shop.example.net/home')
    // Also in a form that was changed on its way.
    const done = await browser.ask('/sign-in', {
      method: 'POST',
      body: new URLSearchParams({ ...CREDENTIALS, return_to: value }),
      headers: { 'sec-fetch-site': 'same-origin' },
    })
    expect([done.status, done.headers.get('location')]).toEqual([
      303,
      'https://shop.example.net/home',
    ])
  })

  test('is carried through a login by mail, in the browser that asked', async () => {
    const person = new PageBrowser(it)
    const start = await person.open(`/auth/account/log-in/start?return_to=${APP}/inbox`)
    await person.press(start, { email: EMAIL })
    const { pathname, search } = new URL((await it.nextMail()).url)
    const page = await person.open(`${pathname}${search}`)
    expectSafe(page, { formTarget: APP })
    const done = await person.press(page)
    expect([done.status, done.headers.get('location')]).toEqual([303, `${APP}/inbox`])
    expect([...person.jar.cookies.keys()].toSorted()).toEqual([
      'cs_access',
      'cs_device',
      'cs_refresh',
    ])
  })

  test.each([
    [
      '/auth/account/forgot',
      { email: EMAIL },
      { password: 'staple and no donkey' },
      '/auth/account/review?return_to=%2Finbox',
    ],
    [
      '/auth/account/sign-up/start',
      { email: 'dora@example.com', password: 'doras long password' },
      {},
      '/inbox',
    ],
  ])('is carried through %s to the login afterwards', async (path, asked, used, next) => {
    const person = new PageBrowser(it)
    await person.press(await person.open(`${path}?return_to=/inbox`), asked)
    const { pathname, search } = new URL((await it.nextMail()).url)
    const done = await person.press(await person.open(`${pathname}${search}`), used)
    expect(hrefsOf(done)[0]).toBe(`/sign-in?return_to=${encodeURIComponent(next)}`)
  })

  test('a planted cookie leads nowhere else', async () => {
    const person = new PageBrowser(it)
    await person.press(await person.open('/auth/account/log-in/start'), { email: EMAIL })
    const evil = Buffer.from('https://evil.example/').toString('base64url')
    person.jar.cookies.set('cs_return', evil)
    const { pathname, search } = new URL((await it.nextMail()).url)
    const done = await person.press(await person.open(`${pathname}${search}`))
    expect(done.headers.get('location')).toBe('https://shop.example.net/home')
  })
})

test('a notice of the page is one of its own words, never a text of the URL', async () => {
  const browser = new PageBrowser(it)
  expect((await browser.open('/sign-in?done=deleted')).text).toContain('Your account is deleted.')
  const page = await browser.open('/sign-in?done=%3Cscript%3Ealert(1)%3C/script%3E')
  expectSafe(page, { formTarget: 'https://shop.example.net' })
  expect(page.html).not.toContain('alert(1)')
})

describe('a sign-up without a mail', () => {
  let own: MailingAuthority
  beforeAll(async () => {
    own = await openMailingAuthority({ signUp: true })
  })
  afterAll(() => own[Symbol.asyncDispose]())

  test('creates an account, which logs in next and comes to where it wanted', async () => {
    const browser = new PageBrowser(own)
    const login = await browser.open('/sign-in?return_to=/inbox')
    const link = hrefsOf(login).find((href) => href?.includes('sign-up')) ?? ''
    const page = await browser.open(link)
    expectSafe(page)
    const done = await browser.press(page, {
      new_username: 'carol',
      password: 'carols long password',
    })
    expect([done.title, done.text]).toEqual([
      'Log in',
      expect.stringContaining('Your account exists. Log in now.'),
    ])
    expect(browser.jar.cookies.size).toBe(0)
    const entered = await send(browser, done, {
      username: 'carol',
      current_password: 'carols long password',
    })
    expect(entered.headers.get('location')).toBe('/inbox')
  })

  test.each([
    [
      { new_username: USERNAME, password: 'a long password of mine' },
      409,
      /has this name/,
      'new_username',
    ],
    [{ new_username: 'dave', password: 'short' }, 400, /too short/, 'password'],
    [{ new_username: '', password: 'short' }, 400, /Fill in all fields/, undefined],
    [{ new_username: '"><script>', password: 'short' }, 400, /too short/, 'password'],
  ])('%j is refused with the reason', async (values, status, words, field) => {
    const browser = new PageBrowser(own)
    const path = '/auth/account/sign-up/new'
    const page = await browser.press(await browser.open(path), values)
    expectSafe(page)
    expect([page.status, page.text]).toEqual([status, expect.stringMatching(words)])
    expect(page.fields).toMatchObject({ new_username: values.new_username, password: '' })
    const wrong = page.tags.find(({ attributes }) => attributes['aria-invalid'] === 'true')
    expect(wrong?.attributes['name']).toBe(field)
    const foreign = await browser.post(path, values, { 'sec-fetch-site': 'cross-site' })
    expectSafe(foreign)
    expect(foreign.status).toBe(403)
  })
})
