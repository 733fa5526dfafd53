import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ISSUER, PASSWORD, USERNAME } from './support/authority.ts'
import {
  createAuthenticator,
  type Authenticator,
  type CreationOptions,
} from './support/authenticator.ts'
import { enrolApp, totpAt, type App } from './support/factors.ts'
import { openMailingAuthority, type MailingAuthority } from './support/mails.ts'
import { expectSafe } from './support/page-safety.ts'
import { PageBrowser, type SeenPage } from './support/pages.ts'

const EMAIL = 'alice@example.com'
const CREDENTIALS = { username: USERNAME, current_password: PASSWORD }
const SECOND = '/sign-in/second-factor'

let it: MailingAuthority
let browser: PageBrowser
afterEach(() => it[Symbol.asyncDispose]())

async function start(config: Parameters<typeof openMailingAuthority>[0] = {}): Promise<void> {
  it = await openMailingAuthority(config)
  await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
  browser = new PageBrowser(it)
}

/** Sends the password. The answer is the page of the second step, unless none is needed. */
async function sendPassword(path = '/sign-in', by = browser): Promise<SeenPage> {
  return by.press(await by.open(path), CREDENTIALS, { form: '/sign-in' })
}

/** Sends one of the forms of a page, and does not follow the redirect. */
async function send(
  page: SeenPage,
  values: Readonly<Record<string, string>>,
  by = browser,
): Promise<SeenPage> {
  const form = page.forms.find(({ fields }) => Object.keys(values).every((each) => each in fields))
  return by.ask(form?.action ?? '', {
    method: 'POST',
    body: new URLSearchParams({ ...form?.fields, ...values }),
    headers: { 'sec-fetch-site': 'same-origin' },
  })
}

function secretOf(page: SeenPage): string {
  return page.tags.find(({ name }) => name === 'pre')?.text.replaceAll(' ', '') ?? ''
}

function codesOf(page: SeenPage): readonly string[] {
  return page.tags.find(({ name }) => name === 'pre')?.text.split(' ') ?? []
}

function hrefs({ tags }: SeenPage): readonly (string | undefined)[] {
  return tags.filter(({ name }) => name === 'a').map(({ attributes }) => attributes['href'])
}

function hasSession(by = browser): boolean {
  return by.jar.cookies.has('cs_access')
}

/** Asks for the options of a new passkey, as the script of the pages does, and makes it. */
async function makePasskey(page: SeenPage, authenticator: Authenticator): Promise<SeenPage> {
  const made = page.tags.find(({ attributes }) => attributes['data-passkey'] === 'create')
  const form = page.forms.find(({ fields }) => 'response' in fields)
  const action = made?.attributes['action'] ?? ''
  const asked = await browser.post(action, { ...form?.fields, options: '1' })
  expect(asked.headers.get('content-type')).toBe('application/json')
  const { challenge, options } = JSON.parse(asked.html) as {
    readonly challenge: string
    readonly options: CreationOptions
  }
  const response = JSON.stringify(authenticator.register(options))
  return browser.post(action, { ...form?.fields, challenge, response })
}

/** Waits for the next mail with a link. Other mails tell about a new factor. */
async function nextLink(): Promise<string> {
  const { link } = await it.nextMail()
  return link === '' ? nextLink() : link
}

describe('the second step of a sign-in', () => {
  let app: App
  beforeEach(async () => {
    await start({ rememberDevice: '30d', origins: 'https://app.example.com' })
    app = await enrolApp(it, await it.login())
    it.clock.advanceMs(30_000)
  })
  const code = (steps = 0): string => totpAt(app.secret, it.clock.nowMs(), steps)

  test('asks for the code of the app, and then goes on to the application', async () => {
    const page = await sendPassword('/sign-in?return_to=https://app.example.com/inbox')
    expectSafe(page, { formTarget: 'https://app.example.com' })
    expect([page.status, page.title]).toEqual([200, 'Confirm it is you'])
    expect(page.text).toContain('login as alice')
    const input = page.tags.find(({ attributes }) => attributes['name'] === 'totp')
    expect(input?.attributes).toMatchObject({
      autocomplete: 'one-time-code',
      inputmode: 'numeric',
      autofocus: '',
    })
    expect(hasSession()).toBe(false)
    const line = browser.jar.cookies.get('cs_pending')
    expect(page.html).not.toContain(line?.split('.')[1])
    const done = await send(page, { totp: code() })
    expect([done.status, done.headers.get('location')]).toEqual([
      303,
      'https://app.example.com/inbox',
    ])
    expect([hasSession(), browser.jar.cookies.has('cs_pending')]).toEqual([true, false])
    // Back and reload: the page leads to the sign-in page, which shows who is signed in.
    const back = await browser.open(page.path)
    expect(back.headers.get('location')).toMatch(/^\/sign-in\?.*done=expired/)
    expect((await browser.open(back.headers.get('location') ?? '')).title).toBe('You are logged in')
  })

  test('says after a wrong code what to do, and takes the next one', async () => {
    const page = await sendPassword()
    const wrong = await send(page, { totp: '000000' })
    expectSafe(wrong)
    expect([wrong.status, wrong.title]).toEqual([401, 'Error: Confirm it is you'])
    expect(wrong.text).toContain('Enter the next code.')
    expect((await send(page, { totp: '' })).status).toBe(400)
    expect((await send(wrong, { totp: code() })).status).toBe(303)
  })

  test('takes a recovery code, and remembers the browser if the person wants that', async () => {
    const page = await sendPassword()
    const other = await browser.open(hrefs(page).find((each) => each?.includes('recovery')) ?? '')
    expectSafe(other)
    const done = await send(other, { recovery_code: app.recoveryCodes[0] ?? '', remember: 'on' })
    expect(done.status).toBe(303)
    expect(browser.jar.cookies.has('cs_trusted')).toBe(true)
    await browser.press(await browser.open('/auth/account'))
    expect((await sendPassword('/sign-in?return_to=/auth/account')).title).toBe('Your account')
  })

  test('says how long to wait, and when a factor is locked', async () => {
    const page = await sendPassword()
    let answer = page
    for (let i = 0; i < 200 && answer.status !== 429; i += 1)
      answer = await send(page, { totp: '000000' })
    expectSafe(answer)
    expect(answer.text).toMatch(/Wait (?:a minute|\d+ minutes), then enter the next code/)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  test('an old ticket leads back to the password', async () => {
    const page = await sendPassword()
    it.clock.advanceMs(11 * 60_000)
    const late = await send(page, { totp: code() })
    const begin = await browser.open(late.headers.get('location') ?? '')
    expect([begin.title, begin.text]).toEqual(['Log in', expect.stringContaining('has expired')])
    expect((await browser.open(SECOND)).status).toBe(303)
  })

  test('a form of a sign-in that another tab has replaced does not complete it', async () => {
    const first = await sendPassword()
    await sendPassword('/sign-in?other=1')
    const refused = await send(first, { totp: code() })
    expect(refused.headers.get('location')).toBe(SECOND)
    expect(hasSession()).toBe(false)
    // Two forms at once: one completes, the other finds that person signed in.
    const page = await browser.open(SECOND)
    const both = await Promise.all([send(page, { totp: code() }), send(page, { totp: code() })])
    expect(both.filter(({ headers }) => headers.get('location') === '/')).toHaveLength(1)
  })

  test('hostile values come back as text, or not at all', async () => {
    await sendPassword()
    const probe = '"><script>alert(1)</script>'
    const query = new URLSearchParams({ return_to: probe, method: probe, challenge: probe })
    for (const method of ['GET', 'HEAD', 'PUT']) {
      const page = await browser.ask(`${SECOND}?${query.toString()}`, { method })
      expectSafe(page)
      expect([200, 405]).toContain(page.status)
      expect(page.html).not.toContain(probe)
    }
    const { fields } = (await browser.open(SECOND)).forms[0] ?? {}
    for (const values of [
      { totp: probe },
      { challenge: probe },
      { return_to: `//evil.example/${probe}` },
    ]) {
      const page = await browser.post(SECOND, { ...fields, ...values })
      expectSafe(page)
      expect(page.html).not.toContain(probe)
    }
    const unknown = await browser.post('/sign-in/passkey', { challenge: probe, response: probe })
    expectSafe(unknown)
    expect([unknown.status, hasSession()]).toEqual([400, false])
  })

  test('a form of another site is refused', async () => {
    const page = await sendPassword()
    const { fields = {} } = page.forms[0] ?? {}
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    const refused = await browser.post(SECOND, { ...fields, totp: code() }, headers)
    expectSafe(refused)
    expect([refused.status, hasSession()]).toEqual([403, false])
  })

  test('a password reset leads to the sign-in, the factor, and a review', async () => {
    await browser.press(await browser.open('/auth/account/forgot'), { email: EMAIL })
    const form = await browser.open(`/auth/account/reset?link=${await nextLink()}`)
    const done = await browser.press(form, { password: 'staple and no donkey' })
    const path = hrefs(done).find((each) => each?.startsWith('/sign-in')) ?? ''
    const second = await browser.press(await browser.open(path), {
      username: USERNAME,
      current_password: 'staple and no donkey',
    })
    expect(second.title).toBe('Confirm it is you')
    const review = await browser.press(second, { totp: code() })
    expectSafe(review)
    expect(review.title).toBe('Is everything here yours?')
    expect(review.text).toContain('This device')
    expect(hrefs(review)).toEqual(
      expect.arrayContaining(['/auth/account/factors', '/auth/account/sessions', '/']),
    )
  })
})

test('a login by mail asks for the second factor, too', async () => {
  await start({ mailLogin: true })
  const app = await enrolApp(it, await it.login())
  it.clock.advanceMs(30_000)
  await browser.press(await browser.open('/auth/account/log-in/start?return_to=/inbox'), {
    email: EMAIL,
  })
  const link = await nextLink()
  const page = await browser.press(await browser.open(`/auth/account/log-in?link=${link}`))
  expect([page.title, hasSession()]).toEqual(['Confirm it is you', false])
  const done = await send(page, { totp: totpAt(app.secret, it.clock.nowMs()) })
  expect([done.status, done.headers.get('location')]).toEqual([303, '/inbox'])
})

test('a mailed code is the second factor where the settings allow it', async () => {
  await start({ secondFactor: 'required', secondFactorMail: true })
  const page = await sendPassword()
  expectSafe(page)
  const asked = await browser.press(page, {}, { button: 'Send the code' })
  expectSafe(asked)
  const { code } = await it.nextMail()
  expect((await send(asked, { code: 'WDJB-MJHT' })).status).toBe(401)
  expect((await send(asked, { code })).status).toBe(303)
  expect(hasSession()).toBe(true)
})

describe('an account that must set up a factor at its sign-in', () => {
  beforeEach(() => start({ secondFactor: 'required', secondFactorGrace: 'off' }))

  test('scans the QR code, and sees the recovery codes once', async () => {
    const choice = await sendPassword('/sign-in?return_to=/inbox')
    expectSafe(choice)
    expect(choice.title).toBe('Protect your account')
    const page = await browser.press(choice, {}, { button: 'Set up an authenticator app' })
    expectSafe(page)
    const secret = secretOf(page)
    expect(secret).toMatch(/^[A-Z2-7]{32}$/)
    // A reload shows the same secret.
    expect(secretOf(await browser.open(page.path))).toBe(secret)
    const wrong = await send(page, { totp: '000000' })
    expect([wrong.status, secretOf(wrong)]).toEqual([401, secret])
    const done = await send(page, { totp: totpAt(secret, it.clock.nowMs()) })
    expectSafe(done)
    expect([done.title, codesOf(done).length]).toEqual(['Store your recovery codes', 10])
    expect([hasSession(), hrefs(done)]).toEqual([true, expect.arrayContaining(['/inbox'])])
  })

  test('begins again if another tab has replaced the QR code', async () => {
    const choice = await sendPassword()
    const first = await browser.press(choice, {}, { button: 'Set up an authenticator app' })
    await browser.press(choice, {}, { button: 'Set up an authenticator app' })
    const old = await send(first, { totp: totpAt(secretOf(first), it.clock.nowMs()) })
    expectSafe(old)
    expect([old.status, old.text]).toEqual([400, expect.stringContaining('has expired')])
    expect(old.forms.length).toBeGreaterThan(0)
  })

  test('makes a passkey', async () => {
    const page = await sendPassword()
    const authenticator = createAuthenticator({ rpId: 'localhost', origin: ISSUER })
    const done = await makePasskey(page, authenticator)
    expect(done.title).toBe('Store your recovery codes')
    expect(hasSession()).toBe(true)
  })
})

test('during a grace, the sign-in and the account page say by when a factor is needed', async () => {
  await start({ secondFactor: 'required', secondFactorGrace: '7d' })
  const page = await sendPassword('/sign-in?return_to=/inbox')
  expectSafe(page)
  expect(page.title).toBe('Set up a second factor')
  expect(page.tags.find(({ name }) => name === 'time')?.attributes['datetime']).toBe(
    '2026-11-30T12:00:00.000Z',
  )
  expect(hrefs(page)).toEqual(expect.arrayContaining(['/inbox', '/auth/account/factors']))
  expect((await browser.open('/auth/account')).text).toContain('Your account needs a second factor')
})

describe('the second factors of the account page', () => {
  beforeEach(async () => {
    await start({ rememberDevice: '30d' })
    await browser.jar.login()
  })

  /** Adds an app on the pages and returns its secret. */
  async function addApp(): Promise<string> {
    const page = await browser.press(await browser.open('/auth/account/app'), {}, { form: '/app' })
    const secret = secretOf(page)
    const totp = totpAt(secret, it.clock.nowMs())
    const done = await browser.press(page, { totp, factor_name: 'Phone <b>' }, { form: '/app' })
    expectSafe(done)
    expect(codesOf(done)).toHaveLength(10)
    return secret
  }

  test('are added, renamed, and removed after a confirmation', async () => {
    const secret = await addApp()
    let list = await browser.open('/auth/account/factors')
    expectSafe(list)
    expect(list.text).toContain('Phone <b>')
    expect(list.text).toContain('10 recovery codes are left.')
    const edit = hrefs(list).find((each) => each?.includes('/factor?')) ?? ''
    list = await browser.press(
      await browser.open(edit),
      { factor_name: 'Old phone' },
      { form: '/factor' },
    )
    expect(list.text).toContain('The name is changed.')
    const before = await browser.open(edit)

    it.clock.advanceMs(11 * 60_000)
    // The form of an old page is not sent again after the confirmation: the person sees it first.
    const confirm = await browser.press(before, {}, { button: 'Remove it' })
    expectSafe(confirm)
    expect(confirm.title).toBe('Confirm it is you')
    const wrong = await send(confirm, { totp: '000000' })
    expect([wrong.status, wrong.title]).toEqual([401, 'Error: Confirm it is you'])
    const again = await browser.press(
      wrong,
      { totp: totpAt(secret, it.clock.nowMs()) },
      { form: '/confirm' },
    )
    expect([again.title, again.text]).toEqual(['Old phone', expect.stringContaining('last factor')])
    const removed = await browser.press(again, {}, { button: 'Remove it' })
    expectSafe(removed)
    expect(removed.text).toContain('The factor is removed.')
    expect(removed.text).toContain('You have no second factor.')
    expect((await browser.open(edit)).headers.get('location')).toBe('/auth/account/factors')
  })

  test('new recovery codes replace the old ones', async () => {
    await addApp()
    const page = await browser.open('/auth/account/recovery-codes')
    expectSafe(page)
    const done = await browser.press(page, {}, { form: '/recovery-codes' })
    expect(codesOf(done)).toHaveLength(10)
  })

  test('a passkey is added with the script, and signs in alone', async () => {
    const authenticator = createAuthenticator({ rpId: 'localhost', origin: ISSUER })
    const page = await browser.open('/auth/account/passkey')
    const done = await makePasskey(page, authenticator)
    expect(done.title).toBe('Store your recovery codes')
    const list = await browser.open('/auth/account/factors')
    const accepted = list.tags.find(({ attributes }) => 'data-accepted' in attributes)
    expect(JSON.parse(accepted?.attributes['data-accepted'] ?? '')).toMatchObject({
      rpId: 'localhost',
      allAcceptedCredentialIds: [authenticator.passkeys[0]?.id],
    })

    // Everything that the sign-in page needs, with the button for the passkey.
    const signIn = await new PageBrowser(it).open('/sign-in')
    expectSafe(signIn)
    const file = signIn.tags.find(({ name }) => name === 'script')?.attributes['src'] ?? ''
    const script = await it.authority.fetch(
      new Request(`${ISSUER}${file}`, { headers: { 'accept-encoding': 'gzip' } }),
    )
    expect(signIn.html.length + (await script.arrayBuffer()).byteLength).toBeLessThan(14_000)

    const other = new PageBrowser(it)
    const signedIn = await signInByPasskey(other, authenticator)
    expect([signedIn.status, hasSession(other)]).toEqual([303, true])
    const { id = '' } = authenticator.passkeys[0] ?? {}
    await browser.press(
      await browser.open(hrefs(list).find((each) => each?.includes('/factor?')) ?? ''),
      {},
      { button: 'Remove it' },
    )
    const unknown = await signInByPasskey(new PageBrowser(it), authenticator, '/sign-in/passkey')
    expectSafe(unknown)
    expect([unknown.status, unknown.text]).toEqual([401, expect.stringContaining('was removed')])
    const told = unknown.tags.find(({ attributes }) => 'data-unknown' in attributes)
    expect(JSON.parse(told?.attributes['data-unknown'] ?? '')).toEqual({
      rpId: 'localhost',
      credentialId: id,
    })
  })

  async function signInByPasskey(
    by: PageBrowser,
    authenticator: Authenticator,
    action?: string,
  ): Promise<SeenPage> {
    const page = await by.open('/sign-in')
    const form = page.forms.find((each) => each.action === '/sign-in/passkey')
    expect(form === undefined).toBe(action !== undefined)
    const asked = await by.post(form?.action ?? action ?? '', { ...form?.fields, options: '1' })
    const { challenge, options } = JSON.parse(asked.html) as {
      challenge: string
      options: { challenge: string }
    }
    const response = JSON.stringify(authenticator.authenticate(options))
    return by.ask(form?.action ?? action ?? '', {
      method: 'POST',
      body: new URLSearchParams({ ...form?.fields, challenge, response }),
      headers: { 'sec-fetch-site': 'same-origin' },
    })
  }

  test('password, address and deletion of an account with a factor need the factor first', async () => {
    await addApp()
    it.clock.advanceMs(11 * 60_000)
    for (const part of ['password', 'delete', 'factors']) {
      const page = await browser.open(`/auth/account/${part}`)
      const isOpen = part === 'factors'
      expect([part, page.headers.get('location')]).toEqual([
        part,
        isOpen ? null : `/auth/account/confirm?return_to=%2Fauth%2Faccount%2F${part}`,
      ])
    }
    const address = await browser.open('/auth/account/address')
    const values = { email: 'new@example.com', current_password: PASSWORD }
    expect((await browser.press(address, values, { form: '/address' })).title).toBe(
      'Confirm it is you',
    )
  })

  test('without a factor, the password or a mailed code confirms', async () => {
    it.clock.advanceMs(11 * 60_000)
    const page = await browser.open('/auth/account/app')
    expect(page.headers.get('location')).toBe(
      '/auth/account/confirm?return_to=%2Fauth%2Faccount%2Fapp',
    )
    const confirm = await browser.open(page.headers.get('location') ?? '')
    expectSafe(confirm)
    expect((await send(confirm, { current_password: 'wrong' })).status).toBe(401)
    const done = await browser.press(confirm, { current_password: PASSWORD }, { form: '/confirm' })
    expect([done.path, done.title]).toEqual(['/auth/account/app', 'Authenticator app'])
    it.clock.advanceMs(11 * 60_000)
    const byMail = await browser.open('/auth/account/confirm?method=mail&return_to=//evil.example')
    const asked = await browser.press(byMail, {}, { button: 'Send the code' })
    const { code } = await it.nextMail()
    expect((await browser.press(asked, { code }, { form: '/confirm' })).path).toBe('/auth/account')
  })

  test('remembered browsers are listed and forgotten', async () => {
    const secret = await addApp()
    it.clock.advanceMs(30_000)
    const other = new PageBrowser(it)
    const page = await sendPassword('/sign-in', other)
    await send(page, { totp: totpAt(secret, it.clock.nowMs()), remember: 'on' }, other)
    const list = await browser.open('/auth/account/factors')
    expect(list.text).toContain('Not asked until')
    const done = await browser.press(list, {}, { button: 'Forget all remembered browsers' })
    expect(done.text).toContain('All remembered browsers are forgotten.')
    const activity = await browser.open('/auth/account/activity')
    expect(activity.text).toContain('Remembered browsers forgotten')
    expect(activity.text).not.toContain('Other event')
  })
})
