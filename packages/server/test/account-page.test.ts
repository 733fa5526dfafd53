import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { PASSWORD, USERNAME } from './support/authority.ts'
import { openMailingAuthority, type MailingAuthority } from './support/mails.ts'
import { expectSafe } from './support/page-safety.ts'
import { PageBrowser, type SeenPage } from './support/pages.ts'

const EMAIL = 'alice@example.com'
const NEW_PASSWORD = 'staple and no donkey'
const PAGES = [
  '',
  '/username',
  '/address',
  '/password',
  '/factors',
  '/app',
  '/passkey',
  '/confirm',
  '/review',
  '/due',
  '/sessions',
  '/activity',
  '/tenants',
  '/choose-tenant',
  '/delete',
].map((path) => `/auth/account${path}`)

let it: MailingAuthority
let browser: PageBrowser
beforeEach(async () => {
  it = await openMailingAuthority()
  await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
  browser = new PageBrowser(it)
  await browser.jar.login()
})
afterEach(() => it[Symbol.asyncDispose]())

async function logIn(password: string, username = USERNAME): Promise<number> {
  return (await it.post('/api/token/', { username, password })).status
}

function fieldError({ tags }: SeenPage): string | undefined {
  return tags.find(({ attributes }) => attributes['class'] === 'error')?.text
}

describe('the session of the pages', () => {
  test.each(PAGES)('%s shows the account of the cookies, and is safe', async (path) => {
    const page = await browser.open(path)
    expectSafe(page)
    expect(page.status).toBe(200)
    expect(page.headers.getSetCookie()).toEqual([])
  })

  test.each(PAGES)(
    '%s sends everybody else to the sign-in page, which leads back',
    async (path) => {
      const stranger = new PageBrowser(it)
      const page = await stranger.open(`${path}?lang=de`)
      expectSafe(page)
      const back = encodeURIComponent(`${path}?lang=de`)
      expect([page.status, page.headers.get('location')]).toEqual([
        303,
        `/sign-in?return_to=${back}&lang=de`,
      ])
    },
  )

  test('an expired access token is refreshed before the page is shown, also twice at once', async () => {
    it.clock.advanceMs(600_000)
    const before = browser.jar.cookies.get('cs_refresh')
    const pages = await Promise.all([
      browser.open('/auth/account'),
      browser.open('/auth/account/sessions'),
    ])
    expect(pages.map(({ status }) => status)).toEqual([200, 200])
    expect(browser.jar.cookies.get('cs_refresh')).not.toBe(before)
    const lines = pages.map(({ headers }) => headers.getSetCookie().length)
    expect(lines).toEqual([2, 2])
    expect((await browser.open('/auth/account')).headers.getSetCookie()).toEqual([])
  })

  test('a form works with an expired access token', async () => {
    const page = await browser.open('/auth/account/username')
    it.clock.advanceMs(600_000)
    const done = await browser.press(page, { new_username: 'alicia' })
    expect(done.text).toContain('Your username is changed.')
  })

  test('a session that is over goes to the sign-in page, and its cookies go', async () => {
    const page = await browser.open('/auth/account/password')
    await browser.jar.get('/auth/csrf')
    expect((await browser.jar.visit('/auth/sessions/end-all')).status).toBe(204)
    const refused = await browser.ask('/auth/account/password', {
      method: 'POST',
      body: new URLSearchParams({
        ...page.fields,
        current_password: PASSWORD,
        password: NEW_PASSWORD,
      }),
      headers: { 'sec-fetch-site': 'same-origin' },
    })
    expect([refused.status, refused.headers.get('location')]).toEqual([
      303,
      '/sign-in?return_to=%2Fauth%2Faccount%2Fpassword',
    ])
    expect(browser.jar.cookies.has('cs_refresh')).toBe(false)
    expect((await browser.open('/auth/account')).status).toBe(303)
    expect(await logIn(PASSWORD)).toBe(200)
  })

  test('a link on another site loads the page once more, and the address loses the mark', async () => {
    it.clock.advanceMs(600_000)
    const refresh = browser.jar.cookies.get('cs_refresh') ?? ''
    browser.jar.cookies.delete('cs_refresh')
    const headers = { 'sec-fetch-site': 'cross-site' }
    const again = await browser.ask('/auth/account/sessions?lang=de', { headers })
    expectSafe(again)
    expect([again.status, again.title]).toEqual([200, 'Einen Moment'])
    const next = again.tags.find(({ name }) => name === 'a')?.attributes['href'] ?? ''
    expect(next).toBe('/auth/account/sessions?lang=de&again=1')
    browser.jar.cookies.set('cs_refresh', refresh)
    const second = await browser.open(next)
    expect([second.status, second.headers.get('location')]).toEqual([
      303,
      '/auth/account/sessions?lang=de',
    ])
    expect((await browser.open('/auth/account/sessions?lang=de')).title).toBe('Geräte')
    // Without the cookie there is no second time.
    browser.jar.cookies.delete('cs_refresh')
    browser.jar.cookies.delete('cs_access')
    const third = await browser.ask(next, { headers })
    expect(third.headers.get('location')).toContain('/sign-in?return_to=')
  })

  test('a token for the header does not open a page from a cookie', async () => {
    const stranger = new PageBrowser(it)
    stranger.jar.cookies.set('cs_access', (await it.login()).access)
    expect((await stranger.open('/auth/account')).status).toBe(303)
  })

  test('a cookie that occurs twice is refused with the way out', async () => {
    const cookie = `${browser.jar.cookieHeader()}; cs_access=x`
    const page = await browser.ask('/auth/account', { headers: { cookie } })
    expectSafe(page)
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('Delete the cookies')])
  })
})

describe('the username', () => {
  test('is changed, and a reload does nothing twice', async () => {
    const page = await browser.open('/auth/account/username')
    expect(page.fields?.['new_username']).toBe(USERNAME)
    const done = await browser.press(page, { new_username: 'alicia' })
    expect([done.path, done.text]).toEqual([
      '/auth/account/username?done=username',
      expect.stringContaining('Your username is changed.'),
    ])
    expect([await logIn(PASSWORD, 'alicia'), await logIn(PASSWORD)]).toEqual([200, 401])
  })

  test.each([
    ['bob', 409, /Another account has this name/],
    ['mallory@example.com', 400, /not allowed/],
    ['', 400, /Fill in all fields/],
    ['x'.repeat(200), 400, /too long/],
  ])('%s is refused with the reason', async (name, status, words) => {
    await it.authority.accounts.create({ username: 'bob', password: PASSWORD }, 'test')
    const page = await browser.press(await browser.open('/auth/account/username'), {
      new_username: name,
    })
    expectSafe(page)
    expect([page.status, page.text]).toEqual([status, expect.stringMatching(words)])
    expect(page.fields?.['new_username']).toBe(name)
  })
})

describe('the password', () => {
  test('is changed, the session goes on, and all others end', async () => {
    const other = new PageBrowser(it)
    await other.jar.login()
    const page = await browser.open('/auth/account/password')
    const inputs = page.tags.filter(({ attributes }) => attributes['autocomplete'] !== undefined)
    expect(inputs.map(({ attributes }) => attributes['autocomplete'])).toEqual([
      'username',
      'current-password',
      'new-password',
    ])
    const values = { current_password: PASSWORD, password: NEW_PASSWORD }
    const done = await browser.press(page, values)
    expect(done.text).toContain('Your password is changed. All other sessions have ended.')
    expect([await logIn(NEW_PASSWORD), await logIn(PASSWORD)]).toEqual([200, 401])
    expect((await browser.open('/auth/account')).status).toBe(200)
    expect((await other.open('/auth/account')).status).toBe(303)
  })

  test.each([
    ['wrong', NEW_PASSWORD, 401, 'The password is wrong. Try again.'],
    [PASSWORD, 'short', 400, 'The password is too short. Choose one of at least 12 characters.'],
    [PASSWORD, 'alicealicealice', 400, expect.stringContaining('Choose another one')],
  ])('%s, then %s is refused at its field', async (current, password, status, words) => {
    const page = await browser.press(await browser.open('/auth/account/password'), {
      current_password: current,
      password,
    })
    expectSafe(page)
    expect([page.status, fieldError(page)]).toEqual([status, words])
    expect(page.fields).toMatchObject({ current_password: '', password: '' })
    expect(await logIn(PASSWORD)).toBe(200)
  })
})

describe('the address', () => {
  test('is changed by a mail, and the person comes back', async () => {
    const page = await browser.open('/auth/account/address')
    expect(page.text).toContain(`Your address: ${EMAIL}`)
    const waiting = await browser.press(page, {
      email: 'alice@example.org',
      current_password: PASSWORD,
    })
    expect(waiting.title).toBe('Check your mail')
    const { pathname, search } = new URL((await it.nextMail()).url)
    const done = await browser.press(await browser.open(`${pathname}${search}`))
    expect(done.title).toBe('Your address is confirmed')
    expect(done.tags.find(({ name }) => name === 'a')?.attributes['href']).toBe(
      '/auth/account/address',
    )
    expect((await browser.open('/auth/account/address')).text).toContain('alice@example.org')
  })

  test('is refused with a wrong password or a wrong address, and stays in its field', async () => {
    const page = await browser.open('/auth/account/address')
    const wrong = await browser.press(page, { email: 'a@example.org', current_password: 'x' })
    expect([wrong.status, fieldError(wrong), wrong.fields?.['email']]).toEqual([
      401,
      'The password is wrong. Try again.',
      'a@example.org',
    ])
    const bad = await browser.press(page, { email: 'nobody', current_password: PASSWORD })
    expect([bad.status, fieldError(bad)]).toEqual([400, expect.stringContaining('not an e-mail')])
  })

  test('that nobody verified is verified by a mail', async () => {
    await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: false }, 'test')
    const page = await browser.open('/auth/account/address')
    expect(page.text).toContain('This address is not verified.')
    const waiting = await browser.press(page, {}, { form: '/address/verify' })
    expect(waiting.title).toBe('Check your mail')
    const { code } = await it.nextMail()
    expect((await browser.press(waiting, { code })).title).toBe('Your address is confirmed')
  })
})

describe('the sessions', () => {
  test('are devices with "this device"; one ends, then all others, then all', async () => {
    const others = [new PageBrowser(it), new PageBrowser(it), new PageBrowser(it)]
    for (const each of others) await each.jar.login()
    const page = await browser.open('/auth/account/sessions')
    expect(page.text.match(/Firefox on Linux/g)).toHaveLength(4)
    expect(page.text.match(/This device/g)).toHaveLength(1)
    const ends = page.forms[0]?.buttons.filter(({ attributes }) => attributes['aria-label'])
    expect(ends).toHaveLength(3)
    const one = await browser.press(page, {}, { button: 'End session: Firefox on Linux' })
    expect(one.text).toContain('The session has ended.')
    expect(one.text.match(/Firefox on Linux/g)).toHaveLength(3)
    const rest = await browser.press(one, {}, { button: 'End all other sessions' })
    expect(rest.text).toContain('All other sessions have ended.')
    expect(rest.text.match(/Firefox on Linux/g)).toHaveLength(1)
    for (const each of others) expect((await each.open('/auth/account')).status).toBe(303)
    const all = await browser.press(rest, {}, { button: 'End all sessions, including this one' })
    expect([all.title, all.text]).toEqual(['Log in', expect.stringContaining('have ended')])
    expect((await browser.open('/auth/account')).status).toBe(303)
  })

  test('of another account does not end, and says nothing about it', async () => {
    await it.authority.accounts.create({ username: 'bob', password: PASSWORD }, 'test')
    const bob = new PageBrowser(it)
    await bob.jar.login({ username: 'bob', password: PASSWORD })
    const { sid } = JSON.parse((await bob.jar.get('/auth/session')).text) as { sid: string }
    const page = await browser.open('/auth/account/sessions')
    const known = await browser.press(page, { end: sid })
    const unknown = await browser.press(page, { end: 'nothing' })
    expect([known.status, known.text]).toEqual([unknown.status, unknown.text])
    expect((await bob.open('/auth/account')).status).toBe(200)
  })
})

test('the activity is in words, in pages', async () => {
  for (let i = 0; i < 30; i += 1)
    await it.post('/api/token/', { username: USERNAME, password: 'x' })
  const page = await browser.open('/auth/account/activity')
  expect(page.text).toMatch(/Logged in +Refused +/)
  expect(page.text).toContain('From 203.0.113.7')
  const older = page.tags.find(({ name, text }) => name === 'a' && text === 'Older activity')
  const last = await browser.open(older?.attributes['href'] ?? '')
  expect(last.text).toContain('Account created')
  expect(last.text).toContain('Done by an administrator or by the server')
  expect(last.text).not.toContain('Older activity')
  for (const before of ['x', '-1', '1e9', '9'.repeat(40)]) {
    expect((await browser.open(`/auth/account/activity?before=${before}`)).status).toBe(200)
  }
})

describe('tenants', () => {
  beforeEach(async () => {
    for (const tenant of ['acme', 'globex']) await it.authority.tenants.create(tenant, 'test')
    await it.authority.tenants.setMember({ username: USERNAME, tenant: 'acme', roles: [] }, 'test')
  })

  test('are listed and changed, also right after a refresh', async () => {
    it.clock.advanceMs(600_000)
    const page = await browser.open('/auth/account/tenants')
    const changed = await browser.press(page, {}, { button: 'Change to acme' })
    expect(changed.text).toContain('The organisation is changed.')
    expect(changed.text).toMatch(/acme +Current/)
    it.clock.advanceMs(600_000)
    const left = await browser.press(changed, {}, { button: 'Continue without an organisation' })
    expect(left.text).not.toContain('Current')
  })

  test('an invitation is accepted and another one declined', async () => {
    for (const tenant of ['globex', 'initech']) {
      if (tenant === 'initech') await it.authority.tenants.create(tenant, 'test')
      const sent = await it.authority.tenants.invite({ tenant, email: EMAIL, roles: [] }, 'test')
      expect(sent.ok).toBe(true)
    }
    const page = await browser.open('/auth/account/tenants')
    expect(page.text).toContain('You are invited to globex.')
    const joined = await browser.press(page, {}, { button: 'Join globex' })
    expect(joined.text).toContain('You are a member now.')
    expect(joined.text).toContain('Change to globex')
    const declined = await browser.press(joined, {}, { button: 'Decline initech' })
    expect(declined.text).toContain('The invitation is declined.')
    expect(declined.text).not.toContain('initech')
    const again = await browser.press(page, {}, { button: 'Join globex' })
    expect([again.status, again.text]).toEqual([
      400,
      expect.stringContaining('This invitation has'),
    ])
  })
})

describe('the data', () => {
  test('are saved as a file', async () => {
    const page = await browser.open('/auth/account/delete')
    const file = await browser.press(page, {}, { form: '/export' })
    expect(file.headers.get('content-disposition')).toBe('attachment; filename="account.json"')
    expect(file.headers.get('cache-control')).toBe('no-store')
    expect(JSON.parse(file.html)).toMatchObject({ account: { username: USERNAME } })
  })

  test('are deleted with the account, with its password only', async () => {
    const page = await browser.open('/auth/account/delete')
    const wrong = await browser.press(page, { current_password: 'x' }, { form: '/delete' })
    expect([wrong.status, fieldError(wrong)]).toEqual([401, 'The password is wrong. Try again.'])
    expect(await logIn(PASSWORD)).toBe(200)
    const done = await browser.press(page, { current_password: PASSWORD }, { form: '/delete' })
    expect([done.title, done.text]).toEqual(['Log in', expect.stringContaining('is deleted')])
    expect(await logIn(PASSWORD)).toBe(401)
    expect([...browser.jar.cookies.keys()]).toEqual(['cs_device'])
  })
})

test('logging out ends the session, and the back button shows no account', async () => {
  const page = await browser.open('/auth/account')
  const done = await browser.press(page)
  expect([done.title, done.text]).toEqual([
    'Log in',
    expect.stringContaining('You are logged out.'),
  ])
  expect((await browser.open('/auth/account')).status).toBe(303)
  expect((await browser.press(page)).title).toBe('Log in')
})
