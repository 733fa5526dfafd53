import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { routes } from '../src/http/routes.ts'
import { PASSWORD, USERNAME } from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { openMailingAuthority, type MailingAuthority } from './support/mails.ts'
import { PageBrowser } from './support/pages.ts'
import { startRangeService, type RangeService } from './support/range-service.ts'

// Every way to set a password refuses one that is known from a data breach. The commands are in slow-breached-cli.

const EMAIL = 'alice@example.com'
const NEW_EMAIL = 'bob@example.com'
const BREACHED = 'umbrella kettle walnut'
const OTHER = 'staple and no donkey'

let service: RangeService
let it: MailingAuthority
beforeEach(async () => {
  service = await startRangeService()
  service.breach(BREACHED)
  it = await openMailingAuthority({ signUpVerified: true, breachedPasswords: service.url })
  await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
})
afterEach(async () => {
  await it[Symbol.asyncDispose]()
  await service[Symbol.asyncDispose]()
})

/** What a way answers: `accepted`, or the code or text of the refusal. */
type Way = (password: string) => Promise<string>

const COMPROMISED = 'password_compromised'

async function ask(path: string, body: object, browser = new TestBrowser(it)): Promise<string> {
  const answer = await browser.visit(path, { body })
  if (answer.status < 400) return 'accepted'
  expect(answer.status).toBe(400)
  return String(membersOf(answer)['code'])
}

/** The text of the page stands for the code. */
function seen({ status, text }: { readonly status: number; readonly text: string }): string {
  if (status < 400) return 'accepted'
  return status === 400 && text.includes('known from a data breach') ? COMPROMISED : text
}

const routesThatSet: Readonly<Record<string, Way>> = {
  'POST /auth/password': async (password) => {
    const browser = new TestBrowser(it)
    await browser.login()
    return ask('/auth/password', { old_password: PASSWORD, new_password: password }, browser)
  },
  'POST /auth/password/reset': async (password) => {
    const browser = new TestBrowser(it)
    await ask('/auth/password/forgot', { email: EMAIL }, browser)
    const { link } = await it.nextMail()
    return ask('/auth/password/reset', { link, password }, browser)
  },
  'POST /auth/signup': (password) => ask('/auth/signup', { email: NEW_EMAIL, password }),
  'POST /auth/signup/finish': async (password) => {
    await ask('/auth/signup', { email: NEW_EMAIL, password: OTHER })
    const { link, code } = await it.nextMail()
    return ask('/auth/signup/finish', { link, code, password })
  },
  'POST /auth/account/sign-up/start': async (password) => {
    const browser = new PageBrowser(it)
    const page = await browser.open('/auth/account/sign-up/start')
    return seen(await browser.press(page, { email: NEW_EMAIL, password }))
  },
  'POST /auth/account/sign-up/new': async (password) => {
    await it.restart({ signUpVerified: false, signUp: true })
    const browser = new PageBrowser(it)
    const page = await browser.open('/auth/account/sign-up/new')
    return seen(await browser.press(page, { new_username: 'bob', password }))
  },
  'POST /auth/account/password': async (password) => {
    const browser = new PageBrowser(it)
    const fields = { username: USERNAME, current_password: PASSWORD }
    await browser.press(await browser.open('/sign-in'), fields)
    const page = await browser.open('/auth/account/password')
    return seen(await browser.press(page, { current_password: PASSWORD, password }))
  },
  'POST /auth/account/sign-up': async (password) => {
    await ask('/auth/signup', { email: NEW_EMAIL, password: OTHER })
    const { url, code } = await it.nextMail()
    const browser = new PageBrowser(it)
    const page = await browser.open(new URL(url).pathname + new URL(url).search)
    return seen(await browser.press(page, { code, password }))
  },
  'POST /auth/account/reset': async (password) => {
    await ask('/auth/password/forgot', { email: EMAIL })
    const { url, code } = await it.nextMail()
    const browser = new PageBrowser(it)
    const page = await browser.open(new URL(url).pathname + new URL(url).search)
    return seen(await browser.press(page, { code, password }))
  },
}

const calls: Readonly<Record<string, Way>> = {
  'POST /auth/signup without mail': async (password) => {
    await it.restart({ signUpVerified: false, signUp: true })
    return ask('/auth/signup', { username: 'bob', password })
  },
  'accounts.create': async (password) => {
    const made = await it.authority.accounts.create({ username: 'bob', password }, 'test')
    return made.ok ? 'accepted' : made.code
  },
  'accounts.setPassword': async (password) => {
    const set = await it.authority.accounts.setPassword(USERNAME, password, 'test')
    return set.ok ? 'accepted' : set.code
  },
}

describe('P09 a breached password', () => {
  const ways = Object.entries({ ...routesThatSet, ...calls })

  test.each(ways)('is refused by %s', async (_, way) => {
    expect(await way(BREACHED)).toBe(COMPROMISED)
  })

  test.each(ways)('another password is accepted by %s', async (_, way) => {
    expect(await way('staple and two donkeys')).toBe('accepted')
  })

  test('no other route sets a password', () => {
    const setting = routes
      .filter(({ refusals }) => refusals.some((each) => each.code === COMPROMISED))
      .map(({ method, path }) => `${method} ${path}`)
    expect(setting.toSorted()).toEqual(Object.keys(routesThatSet).toSorted())
  })

  test('does not use up the code of a mail', async () => {
    const browser = new TestBrowser(it)
    await ask('/auth/password/forgot', { email: EMAIL }, browser)
    const { link } = await it.nextMail()
    const reset = (password: string): Promise<string> =>
      ask('/auth/password/reset', { link, password }, browser)
    expect(await reset(BREACHED)).toBe(COMPROMISED)
    expect(await reset(OTHER)).toBe('accepted')
  })

  test('does not count as a wrong old password', async () => {
    await it.restart({ throttle: 'device=3/1h,source=3/1h' })
    const browser = new TestBrowser(it)
    await browser.login()
    const change = (password: string): Promise<string> =>
      ask('/auth/password', { old_password: PASSWORD, new_password: password }, browser)
    for (let n = 0; n < 6; n += 1) expect(await change(BREACHED)).toBe(COMPROMISED)
    expect(await change(OTHER)).toBe('accepted')
  })

  test('still logs in if it was set before', async () => {
    await it.restart({ breachedPasswords: 'off' })
    await it.authority.accounts.setPassword(USERNAME, BREACHED, 'test')
    await it.restart()
    const before = service.requests.length
    const login = await it.post('/api/token/', { username: USERNAME, password: BREACHED })
    expect([login.status, service.requests.length]).toEqual([200, before])
  })
})
