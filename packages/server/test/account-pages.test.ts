import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { PASSWORD, USERNAME } from './support/authority.ts'
import { openMailingAuthority, type MailingAuthority, type SentMail } from './support/mails.ts'
import { PageBrowser, type SeenPage } from './support/pages.ts'

const EMAIL = 'alice@example.com'
const NEW_PASSWORD = 'staple and no donkey'

let it: MailingAuthority
beforeEach(async () => {
  it = await openMailingAuthority({ signUpVerified: true, mailLogin: true })
  await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
})
afterEach(() => it[Symbol.asyncDispose]())

async function logIn(password: string, username = USERNAME): Promise<number> {
  return (await it.post('/api/token/', { username, password })).status
}

/** Opens the page and sends its form. */
async function ask(
  browser: PageBrowser,
  path: string,
  values: Readonly<Record<string, string>>,
): Promise<SeenPage> {
  return browser.press(await browser.open(path), values)
}

function namesOf({ fields = {} }: SeenPage): readonly string[] {
  return Object.keys(fields)
}

function pathOf({ url }: SentMail): string {
  const { pathname, search } = new URL(url)
  return `${pathname}${search}`
}

/** The page says what is wrong, once, at the field or above the form. */
function expectError(page: SeenPage, status: number, words: RegExp, field?: string): void {
  expect([page.status, page.title]).toEqual([status, expect.stringMatching(/^Error: /)])
  const wrong = page.tags.filter(({ attributes }) => attributes['aria-invalid'] === 'true')
  const shown = page.tags.find(({ attributes: { class: name, role } }) =>
    field === undefined ? role === 'alert' : name === 'error',
  )
  expect(shown?.text).toMatch(words)
  expect(wrong.map(({ attributes }) => attributes['name'])).toEqual(
    field === undefined ? [] : [field],
  )
  if (field === undefined) return
  expect(shown?.attributes['id']).toBe(`${field}-error`)
  expect(wrong[0]?.attributes['aria-describedby']?.split(' ')).toContain(`${field}-error`)
}

describe('a forgotten password', () => {
  test('is set on the page of the link, in the browser that asked', async () => {
    const browser = new PageBrowser(it)
    const waiting = await ask(browser, '/auth/account/forgot', { email: EMAIL })
    expect(waiting).toMatchObject({ status: 200, title: 'Check your mail' })
    const page = await browser.open(pathOf(await it.nextMail()))
    expect(namesOf(page)).toEqual(['link', 'password'])
    expect(browser.jar.cookies.has('cs_ticket')).toBe(true)
    expect(page.text).toMatch(/ a•••@example\.\u200b?com /)
    const done = await browser.press(page, { password: NEW_PASSWORD })
    expect(done).toMatchObject({ status: 200, title: 'Your password is set' })
    expect(done.tags.find(({ name }) => name === 'a')?.attributes['href']).toBe(
      '/sign-in?return_to=%2Fauth%2Faccount%2Freview',
    )
    expect([await logIn(NEW_PASSWORD), await logIn(PASSWORD)]).toEqual([200, 401])
    expect(browser.jar.cookies.has('cs_ticket')).toBe(false)
    const again = await browser.press(page, { password: 'another long password' })
    expect(again).toMatchObject({ status: 400, title: 'This link does not work' })
    expect(again.tags.find(({ name }) => name === 'a')?.attributes['href']).toBe(
      '/auth/account/forgot',
    )
  })

  test('is set with the code in the browser that waits, in two steps', async () => {
    const browser = new PageBrowser(it)
    const waiting = await ask(browser, '/auth/account/forgot', { email: EMAIL })
    const { code } = await it.nextMail()
    expect(namesOf(waiting)).toEqual(['code'])
    expectError(await browser.press(waiting, { code: 'BBBB-BBBB' }), 400, /code is wrong/, 'code')
    const second = await browser.press(waiting, { code: code.toLowerCase() })
    expect(second).toMatchObject({ status: 200, title: 'Set a new password' })
    expect(second.fields).toEqual({ code: code.toLowerCase(), password: '' })
    const short = await browser.press(second, { password: 'short' })
    expectError(short, 400, /too short/, 'password')
    expect(short.html).not.toContain('"short"')
    expect((await browser.press(short, { password: NEW_PASSWORD })).title).toBe(
      'Your password is set',
    )
    expect(await logIn(NEW_PASSWORD)).toBe(200)
  })

  test('needs the code in another browser, which does not see the address', async () => {
    await ask(new PageBrowser(it), '/auth/account/forgot', { email: EMAIL })
    const mail = await it.nextMail()
    const other = new PageBrowser(it)
    const page = await other.open(pathOf(mail))
    expect(namesOf(page)).toEqual(['link', 'code', 'password'])
    expect(page.html).not.toMatch(/alice|example\.com/)
    const wrong = await other.press(page, { code: 'BBBB-BBBB', password: NEW_PASSWORD })
    expectError(wrong, 400, /code is wrong/, 'code')
    expect(wrong.fields).toMatchObject({ code: 'BBBB-BBBB', password: '' })
    expectError(await other.press(page, { password: NEW_PASSWORD }), 400, /Type the code/, 'code')
    const done = await other.press(page, { code: mail.code, password: NEW_PASSWORD })
    expect(done.title).toBe('Your password is set')
  })

  test('five wrong codes void the mail, and the page says so', async () => {
    await ask(new PageBrowser(it), '/auth/account/forgot', { email: EMAIL })
    const mail = await it.nextMail()
    const other = new PageBrowser(it)
    const page = await other.open(pathOf(mail))
    const values = { code: 'BBBB-BBBB', password: NEW_PASSWORD }
    for (let i = 0; i < 4; i += 1) expect((await other.press(page, values)).fields).toBeDefined()
    expect(await other.press(page, values)).toMatchObject({ title: 'This link does not work' })
    expect((await other.open(pathOf(mail))).status).toBe(400)
  })

  test('an unknown address gets the same answers, byte for byte, and no mail', async () => {
    const answers = await Promise.all(
      [EMAIL, 'nobody@example.com'].map(async (email) => {
        const browser = new PageBrowser(it)
        const asked = await browser.ask('/auth/account/forgot', {
          method: 'POST',
          body: new URLSearchParams({ email }),
          headers: { 'sec-fetch-site': 'same-origin' },
        })
        const waiting = await browser.open('/auth/account/reset')
        const wrong: SeenPage[] = []
        for (let i = 0; i < 6; i += 1) {
          wrong.push(await browser.press(waiting, { code: 'BBBB-BBBB' }))
        }
        return [asked, waiting, ...wrong].map(({ status, headers, html }) => ({
          status,
          html,
          headers: [...headers].map(([name, value]) => [name, value.replace(/=[\w.-]{45}/, '=…')]),
        }))
      }),
    )
    expect(answers[0]?.map(({ status }) => status)).toEqual([303, 200, ...Array(6).fill(400)])
    expect(answers[0]).toEqual(answers[1])
    expect((await it.nextMail()).kind).toBe('reset_password')
    expect(it.mails).toHaveLength(1)
  })

  test('a mistyped address stays in its field', async () => {
    const page = await ask(new PageBrowser(it), '/auth/account/forgot', { email: 'alice@' })
    expectError(page, 400, /not an e-mail address/, 'email')
    expect(page.fields).toEqual({ email: 'alice@' })
  })

  test('without cookies, the page says what to do, and the link works with the code', async () => {
    const page = await new PageBrowser(it).open('/auth/account/reset')
    expect(page).toMatchObject({ status: 200, fields: undefined })
    expect(page.text).toContain('Open the link in your mail')
  })
})

describe('a sign-up', () => {
  const values = { email: 'carol@example.com', password: 'carols long password' }

  test('is finished with one button in the browser that asked', async () => {
    const browser = new PageBrowser(it)
    const waiting = await ask(browser, '/auth/account/sign-up/start', values)
    expect(waiting.title).toBe('Check your mail')
    const page = await browser.open(pathOf(await it.nextMail()))
    expect(namesOf(page)).toEqual(['link'])
    expect((await browser.press(page)).title).toBe('Your account exists')
    expect(await logIn(values.password, values.email)).toBe(200)
  })

  test('is finished with the code while the browser waits', async () => {
    const browser = new PageBrowser(it)
    const waiting = await ask(browser, '/auth/account/sign-up/start', values)
    const { code } = await it.nextMail()
    expect((await browser.press(waiting, { code })).title).toBe('Your account exists')
  })

  test('needs the code and an own password in another browser', async () => {
    await ask(new PageBrowser(it), '/auth/account/sign-up/start', values)
    const mail = await it.nextMail()
    const other = new PageBrowser(it)
    const page = await other.open(pathOf(mail))
    expect(namesOf(page)).toEqual(['link', 'code', 'password'])
    expectError(await other.press(page, { code: mail.code }), 400, /Choose a password/, 'password')
    const done = await other.press(page, { code: mail.code, password: NEW_PASSWORD })
    expect(done.title).toBe('Your account exists')
    expect(await logIn(values.password, values.email)).toBe(401)
    expect(await logIn(NEW_PASSWORD, values.email)).toBe(200)
  })

  test('with the address of an account looks the same, and its code leads to a new password', async () => {
    const pages = await Promise.all(
      [values.email, EMAIL].map(async (email) => {
        const browser = new PageBrowser(it)
        const waiting = await ask(browser, '/auth/account/sign-up/start', { ...values, email })
        const wrong = await browser.press(waiting, { code: 'BBBB-BBBB' })
        return {
          browser,
          waiting,
          seen: [waiting, wrong].map(({ status, html }) => [status, html]),
        }
      }),
    )
    expect(pages[0]?.seen).toEqual(pages[1]?.seen)
    const mails = [await it.nextMail(), await it.nextMail()]
    const { code = '' } = mails.find(({ kind }) => kind === 'account_exists') ?? {}
    const [, known] = pages
    if (known === undefined) throw new Error('There are two pages.')
    const step = await known.browser.press(known.waiting, { code })
    expect(step.text).toContain('You have an account with this address already')
    const done = await known.browser.press(step, { password: NEW_PASSWORD })
    expect(done.title).toBe('Your password is set')
    expect(await logIn(NEW_PASSWORD)).toBe(200)
  })

  test('with a bad password shows the form again, without the password', async () => {
    const page = await ask(new PageBrowser(it), '/auth/account/sign-up/start', {
      ...values,
      password: 'short',
    })
    expectError(page, 400, /too short/, 'password')
    expect(page.fields).toEqual({ email: values.email, password: '' })
  })
})

describe('an address', () => {
  async function askToChange(browser: PageBrowser): Promise<SentMail> {
    await browser.jar.login()
    const body = { email: 'new@example.org', password: PASSWORD }
    expect((await browser.jar.visit('/auth/email/change', { body })).status).toBe(202)
    for (;;) {
      const mail = await it.nextMail()
      if (mail.kind === 'change_address') return mail
    }
  }

  test('is confirmed with one button in the browser that asked', async () => {
    const browser = new PageBrowser(it)
    const page = await browser.open(pathOf(await askToChange(browser)))
    expect(page.text).toMatch(/ n•••@example\.\u200b?org /)
    expect((await browser.press(page)).title).toBe('Your address is confirmed')
    const account = await it.authority.accounts.find(USERNAME)
    expect(account?.email).toMatchObject({ address: 'new@example.org' })
  })

  test('is confirmed with the code there', async () => {
    const browser = new PageBrowser(it)
    const { code } = await askToChange(browser)
    const page = await browser.open('/auth/account/verify')
    expect((await browser.press(page, { code })).title).toBe('Your address is confirmed')
  })

  test('is not confirmed in another browser, which learns what to do', async () => {
    const mail = await askToChange(new PageBrowser(it))
    const other = new PageBrowser(it)
    const page = await other.open(pathOf(mail))
    expect(namesOf(page).toSorted()).toEqual(['code', 'link'])
    expect(page.text).toContain('open the link in the browser that asked')
    const { link, code } = mail
    const forced = await other.post('/auth/account/verify', { link, code })
    expectError(forced, 400, /did not ask/)
  })
})

describe('a login by mail', () => {
  test('is one button in the browser that asked: cookies, then the start page', async () => {
    const browser = new PageBrowser(it)
    await ask(browser, '/auth/account/log-in/start', { email: EMAIL })
    const page = await browser.open(pathOf(await it.nextMail()))
    expect(namesOf(page)).toEqual(['link'])
    const done = await browser.press(page)
    expect([done.status, done.headers.get('location')]).toEqual([303, '/'])
    expect((await browser.jar.get('/auth/me')).status).toBe(200)
  })

  test('ends the session that the browser had', async () => {
    const browser = new PageBrowser(it)
    await browser.jar.login()
    const refresh = browser.jar.cookies.get('cs_refresh')
    expect(refresh).toBeDefined()
    await ask(browser, '/auth/account/log-in/start', { email: EMAIL })
    const { code } = await it.nextMail()
    const waiting = await browser.open('/auth/account/log-in')
    expect((await browser.press(waiting, { code })).status).toBe(303)
    expect((await it.post('/api/token/refresh/', { refresh })).status).toBe(401)
  })

  test('does not exist unless it is on', async () => {
    await it.restart({ mailLogin: false })
    for (const path of ['/auth/account/log-in', '/auth/account/log-in/start']) {
      expect((await new PageBrowser(it).open(path)).status).toBe(404)
    }
    expect((await new PageBrowser(it).open('/auth/account/reset')).status).toBe(200)
  })
})

describe('an invitation', () => {
  beforeEach(async () => {
    await it.authority.tenants.create('acme', 'test')
    const invited = await it.authority.tenants.invite(
      { tenant: 'acme', email: EMAIL, roles: [] },
      'test',
    )
    if (!invited.ok) throw new Error(invited.text)
  })

  test('is accepted with the link by whoever is logged in, and a visit alone uses nothing up', async () => {
    const mail = await it.nextMail()
    expect(mail).toMatchObject({ kind: 'invitation' })
    const browser = new PageBrowser(it)
    const page = await browser.open(pathOf(mail))
    expect(page).toMatchObject({ status: 200, title: 'Accept the invitation' })
    expect(await browser.press(page, {})).toMatchObject({ status: 401, title: 'Log in first' })
    await logInOnPage(browser)
    const accepted = await browser.press(await browser.open(pathOf(mail)), {})
    expect(accepted).toMatchObject({ status: 200, title: 'You are a member now' })
    expect(accepted.text).toContain('You have joined acme.')
    const members = await it.authority.tenants.members('acme', 9)
    expect(members.ok && members.value.map(({ username }) => username)).toEqual([USERNAME])
    expectError(await browser.press(await browser.open(pathOf(mail)), {}), 400, /used/)
  })

  test('is accepted with the code, and not by another account', async () => {
    const { link, code } = await it.nextMail()
    const browser = new PageBrowser(it)
    await logInOnPage(browser)
    const wrong = await ask(browser, '/auth/account/invite', { code: 'BBBB-BBBB' })
    expectError(wrong, 400, /code is wrong/, 'code')
    await it.authority.accounts.setEmail(
      USERNAME,
      { address: 'other@example.com', verified: true },
      'test',
    )
    const path = `/auth/account/invite?link=${link}`
    expectError(await browser.press(await browser.open(path), {}), 403, /another address/)
    await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
    const done = await ask(browser, '/auth/account/invite?lang=de', { code })
    expect(done).toMatchObject({ status: 200, title: 'Sie sind jetzt Mitglied' })
  })
})

async function logInOnPage(browser: PageBrowser): Promise<void> {
  await ask(browser, '/auth/account/log-in/start', { email: EMAIL })
  const mail = await it.nextMail()
  expect(mail.kind).toBe('login_code')
  await browser.press(await browser.open(pathOf(mail)), {})
}

test('the ticket of a sign-up shows nothing on the page of a reset, with or without an account', async () => {
  const seen = new Set<string>()
  for (const email of [EMAIL, 'nobody@example.com']) {
    const browser = new PageBrowser(it)
    await ask(browser, '/auth/account/sign-up/start', { email, password: PASSWORD })
    for (const path of ['reset', 'sign-up', 'verify', 'log-in']) {
      const page = await browser.open(`/auth/account/${path}`)
      seen.add(`${path} ${page.status} ${page.text}`)
    }
  }
  expect(seen.size).toBe(4)
})

test('an address that an operator asked to verify is verified by a session with the code', async () => {
  await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: false }, 'test')
  await it.authority.accounts.sendVerification(USERNAME, 'test')
  const { link, code } = await it.nextMail()
  const path = `/auth/account/verify?link=${link}`
  const stranger = new PageBrowser(it)
  const refused = await stranger.press(await stranger.open(path), { code })
  expectError(refused, 400, /did not ask/)
  const browser = new PageBrowser(it)
  await browser.jar.login()
  const done = await browser.press(await browser.open(path), { code })
  expect(done).toMatchObject({ status: 200, title: 'Your address is confirmed' })
})
