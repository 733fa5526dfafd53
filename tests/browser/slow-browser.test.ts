import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { queryOne } from '../../packages/server/test/support/database.ts'
import { ADMIN } from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import {
  call,
  callBare,
  expectNoTokenIn,
  launchChromium,
  login,
  logout,
  Visitor,
} from './chromium.ts'
import type { Arrival } from './proxy.ts'
import { startPages } from './sites.ts'
import { startWorld, type World } from './world.ts'

describeWith('chromium', 'a page of an allowed origin, in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser?.close())

  describe('on the same site', () => sameSite(() => browser))
  describe('on another site', () => otherSite(() => browser))
})

function sameSite(browser: () => Browser): void {
  let world: World
  let visitor: Visitor
  let page: Page
  beforeAll(async () => {
    world = await startWorld({ COUNTERSIGN_ACCESS_LIFETIME: '3s' })
  })
  afterAll(() => world?.[Symbol.asyncDispose]())
  beforeEach(async () => {
    visitor = await Visitor.open(browser())
    page = await visitor.openApp(world.app)
  })
  afterEach(async () => {
    await visitor.expectNothingReadable()
    expectNoTokenIn([...world.front.arrivals, ...world.apiFront.arrivals])
    await visitor[Symbol.asyncDispose]()
  })

  const me = (): string => `${world.api}/api/me`
  const notes = (): string => `${world.api}/api/notes`

  /** Waits until the browser has deleted the cookie with the access token. */
  async function untilExpired(): Promise<void> {
    await expect.poll(() => visitor.names()).not.toContain('cs_access')
  }

  /** Returns the requests that arrive at this endpoint of the authority during some steps. */
  async function arrivalsDuring(path: string, steps: () => Promise<void>): Promise<Arrival[]> {
    const before = world.front.arrivals.length
    await steps()
    const since = world.front.arrivals.slice(before)
    return since.filter((each) => each.path === path && each.method !== 'OPTIONS')
  }

  test('logs in, then calls an API with the cookies', async () => {
    expect((await callBare(page, me())).status).toBe(401)
    const session = await login(page, ADMIN)
    expect(session).toMatchObject({ sub: expect.stringMatching(/^acct_/) })
    const { status, text } = await call(page, me())
    expect({ status, body: JSON.parse(text) as unknown }).toEqual({
      status: 200,
      body: { sub: session['sub'] },
    })
    await visitor.expectNothingReadable()
  })

  test('gets the reason when a login is refused', async () => {
    expect(await login(page, { ...ADMIN, password: 'not the password' })).toMatchObject({
      status: 401,
      code: 'credentials_invalid',
    })
    expect(await visitor.names()).toEqual(['cs_csrf'])
  })

  test('gets cookies that no script can read, with the SameSite of each', async () => {
    const host = { domain: 'localhost', path: '/', httpOnly: true, secure: false }
    await callBare(page, `${world.authority}/auth/csrf`)
    expect(await visitor.jar()).toMatchObject([{ name: 'cs_csrf', sameSite: 'Lax', ...host }])
    await login(page, ADMIN)
    expect(await visitor.jar()).toMatchObject([
      { name: 'cs_access', sameSite: 'Lax', ...host },
      { name: 'cs_device', sameSite: 'Lax', ...host },
      { name: 'cs_refresh', sameSite: 'Strict', ...host },
    ])
  })

  test('can post to the API only with the CSRF token of its session', async () => {
    await login(page, ADMIN)
    const before = world.service.notes.length
    const bare = await callBare(page, notes(), { method: 'POST', body: 'bare' })
    expect(bare.status).toBe(403)
    expect(JSON.parse(bare.text)).toMatchObject({ code: 'csrf_failed' })
    expect((await call(page, notes(), { method: 'POST', body: 'a note' })).status).toBe(201)
    expect(world.service.notes.slice(before)).toEqual(['a note'])
  })

  test('refreshes once when the access token has expired, and repeats the calls', async () => {
    await login(page, ADMIN)
    await untilExpired()
    expect((await callBare(page, me())).status).toBe(401)
    const refreshes = await arrivalsDuring('/auth/refresh', async () => {
      const answers = await Promise.all([
        call(page, me()),
        call(page, `${world.authority}/auth/me`),
        call(page, notes(), { method: 'POST', body: 'after the refresh' }),
      ])
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 201])
    })
    expect(refreshes.map(({ status }) => status)).toEqual([200])
  })

  test('is logged in when it opens in a second tab, and can make changes there', async () => {
    await login(page, ADMIN)
    const tab = await visitor.openApp(world.app)
    expect((await call(tab, `${world.authority}/auth/me`)).status).toBe(200)
    expect((await call(tab, notes(), { method: 'POST', body: 'second tab' })).status).toBe(201)
    await visitor.expectNothingReadable()
  })

  test('stays logged in, as a second tab does, when both refresh at the same moment with the same token', async () => {
    const { sid } = await login(page, ADMIN)
    const tab = await visitor.openApp(world.app)
    // Each tab already has its CSRF token, so no other request is under way.
    for (const each of [page, tab]) await call(each, notes(), { method: 'POST', body: 'x' })
    await untilExpired()

    world.front.gather('/auth/refresh', 2)
    const refreshes = await arrivalsDuring('/auth/refresh', async () => {
      const answers = await Promise.all([call(page, me()), call(tab, me())])
      expect(answers.map(({ status }) => status)).toEqual([200, 200])
    })
    expect(refreshes.map(({ status }) => status)).toEqual([200, 200])
    expect(new Set(refreshes.map(({ cookies }) => cookies.get('cs_refresh'))).size).toBe(1)
    const session = queryOne(
      world.dataDir,
      'SELECT generation FROM sessions WHERE id = ?',
      String(sid),
    )
    expect(session['generation']).toBe(1)

    await visitor.context.clearCookies({ name: 'cs_access' })
    expect((await call(tab, me())).status).toBe(200)
    expect((await call(page, me())).status).toBe(200)
  })

  test('logs out, and the next call from another tab is rejected', async () => {
    await login(page, ADMIN)
    const tab = await visitor.openApp(world.app)
    expect((await call(tab, me())).status).toBe(200)
    expect(await logout(page)).toBe(true)
    expect(await visitor.names()).toEqual(['cs_device'])
    for (const each of [tab, page]) {
      for (const url of [`${world.authority}/auth/me`, me()]) {
        expect((await call(each, url)).status).toBe(401)
      }
      expect((await call(each, notes(), { method: 'POST', body: 'x' })).status).toBe(401)
    }
  })

  test('logs out, and the authority rejects a copy of its access token at once, the API when it expires', async () => {
    await login(page, ADMIN)
    const copied = (await visitor.jar()).find(({ name }) => name === 'cs_access')?.value ?? ''
    const statusOf = async (url: string): Promise<number> =>
      (await fetch(url, { headers: { cookie: `cs_access=${copied}` } })).status
    await logout(page)
    expect(await statusOf(`${world.authority}/auth/me`)).toBe(401)
    expect(await statusOf(me())).toBe(200)
    await expect.poll(() => statusOf(me())).toBe(401)
  })

  test('keeps working in a tab that still has the CSRF token of the previous session', async () => {
    await login(page, ADMIN)
    const tab = await visitor.openApp(world.app)
    await call(tab, notes(), { method: 'POST', body: 'x' })
    await logout(page)
    await login(page, ADMIN)
    expect((await call(tab, notes(), { method: 'POST', body: 'new session' })).status).toBe(201)
  })

  test('logs in again after a session has ended', async () => {
    await login(page, ADMIN)
    await call(page, `${world.authority}/auth/sessions/end-all`, { method: 'POST' })
    expect((await call(page, `${world.authority}/auth/me`)).status).toBe(401)
    await login(page, ADMIN)
    expect((await call(page, `${world.authority}/auth/me`)).status).toBe(200)
  })
}

function otherSite(browser: () => Browser): void {
  test('gets no session, because browsers keep these cookies within their site', async () => {
    let script = ''
    await using pages = await startPages((path) => (path === '/auth.js' ? script : '<title>App'))
    const app = `http://127.0.0.1:${pages.port}`
    await using world = await startWorld({ COUNTERSIGN_ORIGINS: app })
    script = await (await fetch(`${world.app}/auth.js`)).text()
    await using visitor = await Visitor.open(browser())
    const page = await visitor.context.newPage()
    await page.goto(app)
    await page.evaluate("import('/auth.js').then((auth) => { globalThis.auth = auth })")
    expect(await login(page, ADMIN)).toMatchObject({ code: 'csrf_failed' })
    expect(await visitor.names()).toEqual([])
  })
}
