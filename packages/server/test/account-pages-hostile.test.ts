import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { routes } from '../src/http/routes.ts'
import { de } from '../src/http/pages/catalogue/de.ts'
import { en } from '../src/http/pages/catalogue/en.ts'
import { ISSUER, USERNAME } from './support/authority.ts'
import { openMailingAuthority, type MailingAuthority } from './support/mails.ts'
import { expectSafe } from './support/page-safety.ts'
import { PageBrowser } from './support/pages.ts'

const EMAIL = 'alice@example.com'
const NEW_PASSWORD = 'staple and no donkey'

/** The pages that need no session. Those of a sign-in and of the plain sign-up have suites of their own. */
const pages = routes.filter(
  ({ tag, kind, authentication, path }) =>
    tag === 'Account pages' &&
    kind === 'page' &&
    authentication === 'none' &&
    !path.startsWith('/sign-in') &&
    !path.endsWith('/new'),
)
const paths = [...new Set(pages.map(({ path }) => path))]

let it: MailingAuthority
beforeAll(async () => {
  it = await openMailingAuthority({
    signUpVerified: true,
    mailLogin: true,
    origins: 'https://app.example.com',
  })
  await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
})
afterAll(() => it[Symbol.asyncDispose]())

describe('every page', () => {
  test.each(paths)(
    '%s is safe, also with a wrong link, a wrong method and a bad form',
    async (path) => {
      const browser = new PageBrowser(it)
      const seen = [
        await browser.open(path),
        await browser.open(`${path}?link=x&lang=de`),
        await browser.open(path, { method: 'HEAD' }),
        await browser.ask(path, { method: 'PUT' }),
        await browser.post(path, {}),
        await browser.ask(path, {
          method: 'POST',
          body: '{}',
          headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
        }),
        await browser.ask(path, {
          method: 'POST',
          body: new URLSearchParams({ email: 'x'.repeat(20_000) }),
          headers: { 'sec-fetch-site': 'same-origin' },
        }),
      ]
      for (const page of seen) expectSafe(page)
      const hasLink = !/forgot|start|invite/.test(path)
      // An invitation needs a session, and its page does not look at the link before.
      const formStatus = path.endsWith('invite') ? 401 : 400
      expect(seen.map(({ status }) => status)).toEqual([
        200,
        hasLink ? 400 : 200,
        200,
        405,
        formStatus,
        415,
        413,
      ])
      expect(seen[3]?.headers.get('allow')).toBe('GET, HEAD, POST')
    },
  )

  test.each(paths)('%s refuses forms of other pages, and sends no mail', async (path) => {
    const browser = new PageBrowser(it)
    const before = it.mails.length
    const values = { email: EMAIL, password: NEW_PASSWORD, link: 'x', code: 'x' }
    for (const headers of [
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      { 'sec-fetch-site': 'same-site', origin: 'http://evil.localhost:8000' },
      // Another application of the operator has the JSON API.
      { 'sec-fetch-site': 'cross-site', origin: 'https://app.example.com' },
      { origin: 'null' },
      {},
    ] as const) {
      const page = await browser.post(path, values, headers)
      expectSafe(page)
      expect([page.status, page.headers.getSetCookie()]).toEqual([403, []])
      expect(page.text).toContain('page of another site')
    }
    expect(it.mails.length).toBe(before)
    // A browser that does not send Sec-Fetch-Site.
    expect((await browser.post(path, values, { origin: ISSUER })).status).not.toBe(403)
  })

  test('lets a browser send its Origin where it sends no Sec-Fetch-Site: over http to another machine', async () => {
    const publicUrl = 'http://192.168.7.1:8000'
    await using own = await openMailingAuthority({
      publicUrl,
      allowPrivateHttp: true,
      smtpUrl: 'smtp://127.0.0.1:9',
      mailFrom: 'a@example.com',
    })
    const page = await new PageBrowser(own).open('/auth/account/forgot')
    expect(page.headers.get('referrer-policy')).toBe('same-origin')
    const sent = await new PageBrowser(own).post('/auth/account/forgot', {}, { origin: publicUrl })
    expect(sent.status).toBe(400)
  })

  test('is a page of the route table', () => {
    expect(pages).toHaveLength(16)
  })

  test('exists only with mail', () => {
    const without = pages.filter(
      ({ feature }) =>
        feature?.isOn({
          signUp: true,
          signUpVerified: true,
          mail: false,
          mailLogin: true,
          ownAccounts: true,
          devOutbox: false,
          pages: true,
          sso: false,
          upstreams: true,
        }) !== false,
    )
    expect(without).toEqual([])
  })
})

describe('a scanner that opens the link and presses the button uses nothing up:', () => {
  test.each<[path: string, values: Record<string, string>, done: string]>([
    ['/auth/account/forgot', { email: EMAIL }, 'Your password is set'],
    ['/auth/account/log-in/start', { email: EMAIL }, '303'],
    [
      '/auth/account/sign-up/start',
      { email: 'dora@example.com', password: 'doras long password' },
      'Your account exists',
    ],
  ])('%s', async (path, values, done) => {
    await using own = await openMailingAuthority({ signUpVerified: true, mailLogin: true })
    await own.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
    const person = new PageBrowser(own)
    await person.press(await person.open(path), values)
    const { pathname, search } = new URL((await own.nextMail()).url)

    const scanner = new PageBrowser(own, { address: '198.51.100.66' })
    for (let i = 0; i < 8; i += 1) {
      const page = await scanner.open(`${pathname}${search}`)
      await scanner.open(`${pathname}${search}`, { method: 'HEAD' })
      const pressed = await scanner.press(page, { password: 'a password of a scanner' })
      expect([pressed.status, pressed.fields !== undefined]).toEqual([400, true])
      for (const { attributes } of pressed.tags.filter(({ name }) => name === 'a')) {
        await scanner.open(attributes['href'] ?? '/')
      }
    }
    expect([...scanner.jar.cookies.keys()]).toEqual([])

    const page = await person.open(`${pathname}${search}`)
    const password = 'password' in (page.fields ?? {}) ? { password: NEW_PASSWORD } : {}
    const used = await person.press(page, password)
    expect(used.status === 303 ? '303' : used.title).toBe(done)
  })
})

describe('hostile values', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom(
      '"><script>alert(1)</script>',
      "' onfocus=alert(1) autofocus x='",
      '</title></style><img src=x onerror=alert(1)>',
      '{{constructor}}',
      '<!--',
      '&quot;&#x3c;b&gt;',
      'javascript:alert(1)',
    ),
  )

  test('in every query are text and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), text, text, async (path, link, lang) => {
        const query = new URLSearchParams({ link: link.toWellFormed(), lang: lang.toWellFormed() })
        const page = await new PageBrowser(it).open(`${path}?${query.toString()}`)
        expectSafe(page)
        expect(page.tags.some(({ text: shown }) => shown.includes('alert(1)'))).toBe(false)
      }),
      { numRuns: 150 },
    )
  })

  test('in every field come back as they were, or not at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), text, text, text, async (path, a, b, c) => {
        const [email, code, link] = [a, b, c].map((each) => each.toWellFormed())
        const values = { email: email ?? '', code: code ?? '', link: link ?? '', password: 'short' }
        const page = await new PageBrowser(it).post(path, values)
        expectSafe(page)
        // Nobody is logged in, which an invitation needs.
        expect([400, 401, 429]).toContain(page.status)
        const { fields = {} } = page
        if ('email' in fields) expect(normal(fields['email'])).toBe(normal(values.email))
        expect(fields['password'] ?? '').toBe('')
      }),
      { numRuns: 150 },
    )
  })

  test('in the code come back as they were, beside a right link', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (typed) => {
        const browser = new PageBrowser(it)
        await browser.press(await browser.open('/auth/account/forgot'), { email: EMAIL })
        const waiting = await browser.open('/auth/account/reset')
        const code = `x${typed.toWellFormed()}`
        const page = await browser.press(waiting, { code })
        expectSafe(page)
        expect([page.status, normal(page.fields?.['code'])]).toEqual([400, normal(code)])
      }),
      { numRuns: 40 },
    )
  })

  /** HTML and forms have one kind of line end, and no NUL. */
  function normal(value: string | undefined): string | undefined {
    return value?.replaceAll(/\r\n?/g, '\n').replaceAll('\0', '\u{fffd}')
  }
})

describe('the language', () => {
  test.each([
    ['', 'de-AT,de;q=0.9,en;q=0.5', 'de'],
    ['', 'fr,en;q=0.5,de;q=0.6', 'de'],
    ['', 'de;q=0,en;q=0.1', 'en'],
    ['', 'fr', 'en'],
    ['?lang=de', 'en', 'de'],
    ['?lang=en', 'de', 'en'],
    ['?lang=xx', 'de', 'de'],
  ])('of %s with Accept-Language %s is %s', async (query, language, expected) => {
    const page = await new PageBrowser(it, { language }).open(`/auth/account/forgot${query}`)
    expect(page.headers.get('content-language')).toBe(expected)
    expect(page.title).toBe(expected === 'de' ? 'Passwort vergessen?' : 'Forgot your password?')
  })

  test('that was chosen stays chosen, on every step and in errors', async () => {
    const browser = new PageBrowser(it)
    const form = await browser.open('/auth/account/forgot?lang=de')
    expect((await browser.press(form, { email: 'nobody' })).title).toBe(
      'Fehler: Passwort vergessen?',
    )
    const waiting = await browser.press(form, { email: 'ohne@example.com' })
    expect(waiting.title).toBe('Sehen Sie in Ihr Postfach')
    const wrong = await browser.press(waiting, { code: 'BBBB-BBBB' })
    expect(wrong.text).toContain('Der Code ist falsch')
  })

  test('can be changed on a page, which keeps its link', async () => {
    const page = await new PageBrowser(it).open('/auth/account/reset?link=a%26b')
    const other = page.tags.find(({ attributes }) => attributes['hreflang'] === 'de')
    expect(other?.attributes['href']).toBe('/auth/account/reset?link=a%26b&lang=de')
  })

  test('has all words in German that it has in English', () => {
    const keysOf = (value: unknown): unknown =>
      typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, keysOf(each)]))
        : typeof value
    expect(keysOf(de)).toEqual(keysOf(en))
    expect(JSON.stringify(de)).not.toMatch(/""/)
  })
})
