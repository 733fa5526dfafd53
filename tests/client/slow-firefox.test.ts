import type { Browser, Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { expectNoTokenIn } from '../browser/chromium.ts'
import { FirefoxVisitor, launchFirefox } from '../browser/firefox.ts'
import { describeWith } from '../support/requirements.ts'
import { ALICE, startClientWorld, type ClientWorld } from './world.ts'

const REFRESH = '/auth/refresh'

// The essential cases of slow-client.test.ts, because cookies, locks and channels are another implementation here.
describeWith('firefox', 'the client in Firefox', () => {
  let browser: Browser
  let world: ClientWorld
  let visitor: FirefoxVisitor
  let tab: Page
  beforeAll(async () => {
    ;[browser, world] = await Promise.all([launchFirefox(), startClientWorld()])
  })
  afterAll(async () => {
    await browser?.close()
    await world?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    visitor = await FirefoxVisitor.open(browser)
    tab = await openTab()
  })
  afterEach(async () => {
    world.instead.clear()
    await visitor.expectNothingReadable()
    expectNoTokenIn(world.front.arrivals)
    await visitor[Symbol.asyncDispose]()
  })

  const untilTrue = (page: Page, code: string): Promise<void> =>
    // `waitForFunction` waits for frames, and a tab in the background has none.
    expect.poll(() => page.evaluate(code)).toBe(true)
  const untilLoaded = (page: Page): Promise<void> =>
    untilTrue(page, 'globalThis.client !== undefined')
  const openTab = async (before?: string): Promise<Page> => {
    const page = await visitor.openTab(world.origin, before)
    await untilLoaded(page)
    return page
  }
  const openTabs = async (count: number): Promise<Page[]> => {
    const pages = await Promise.all(Array.from({ length: count }, () => openTab()))
    for (const page of pages) await page.evaluate('client.session()')
    return pages
  }
  const login = (page: Page): Promise<unknown> =>
    page.evaluate(`client.login(${JSON.stringify(ALICE)})`)
  /** Calls an API and returns the status, or the name of what the call has thrown. */
  const call = (page: Page): Promise<unknown> =>
    page.evaluate("client.fetch('/api/me').then(({ status }) => status, ({ name }) => name)")
  /** Removes the access token, as the browser does when it has expired. */
  const expire = (): Promise<void> => visitor.context.deleteMatchingCookies({ name: 'cs_access' })
  const statusesOf = async (steps: () => Promise<void>): Promise<number[]> =>
    (await world.during(REFRESH, steps)).map(({ status }) => status)

  test('logs in, calls an API and logs out', async () => {
    expect(await tab.evaluate('navigator.userAgent')).toContain('Firefox/')
    expect(await tab.evaluate('client.session()')).toBeNull()
    expect(await login(tab)).toMatchObject({ session: { username: 'alice' } })
    expect(await call(tab)).toBe(200)
    await tab.evaluate('client.logout()')
    expect(await tab.evaluate('changes')).toEqual([null, 'alice', null])
    expect(await call(tab)).toBe(401)
  })

  test('knows the session after a reload, with one request and no refresh', async () => {
    await login(tab)
    const before = world.front.arrivals.length
    await tab.reload()
    await untilLoaded(tab)
    expect(await tab.evaluate('client.session()')).toMatchObject({ username: 'alice' })
    const paths = world.front.arrivals.slice(before).map(({ path }) => path)
    expect(paths.filter((path) => path.startsWith('/auth/'))).toEqual(['/auth/session'])
  })

  test('ten tabs with a lost access token refresh once, and all calls succeed', async () => {
    await login(tab)
    const tabs = [tab, ...(await openTabs(9))]
    await expire()
    const refreshes = await statusesOf(async () => {
      expect(await Promise.all(tabs.map(call))).toEqual(tabs.map(() => 200))
    })
    expect(refreshes).toEqual([200])
  })

  test('a login and a logout in one tab are seen by all', async () => {
    const tabs = [tab, ...(await openTabs(3))]
    await login(tab)
    for (const each of tabs) await untilTrue(each, "client.peek()?.username === 'alice'")
    await tabs[2]!.evaluate('client.logout()')
    for (const each of tabs) await untilTrue(each, 'client.peek() === null')
    expect(await call(tab)).toBe(401)
  })

  test('is still logged in after it was offline', async () => {
    await login(tab)
    await expire()
    await tab.setOfflineMode(true)
    expect(await call(tab)).toBe('TypeError')
    expect(await tab.evaluate('client.peek()')).toMatchObject({ username: 'alice' })
    await tab.setOfflineMode(false)
    expect(await call(tab)).toBe(200)
  })

  test('is still logged in after refreshes that failed with 503', async () => {
    await login(tab)
    await expire()
    world.instead.set(REFRESH, { status: 503, headers: { 'retry-after': '1' } })
    const refreshes = await statusesOf(async () => {
      for (let i = 0; i < 5; i += 1) expect(await call(tab)).toBe('ClientError')
    })
    expect(refreshes).toContain(503)
    expect(await tab.evaluate('client.peek()')).toMatchObject({ username: 'alice' })
    world.instead.clear()
    // The client keeps the pause of Retry-After.
    await expect.poll(() => call(tab)).toBe(200)
  })

  test.each([
    ['fast', 3_600_000],
    ['slow', -3_600_000],
  ])('a clock that is one hour %s costs no refresh and no session', async (_name, offMs) => {
    const wrong = await openTab(`{ const now = Date.now; Date.now = () => now() + ${offMs} }`)
    const refreshes = await statusesOf(async () => {
      await login(wrong)
      for (let i = 0; i < 5; i += 1) expect(await call(wrong)).toBe(200)
    })
    expect(refreshes).toEqual([])
    world.it.clock.advanceMs(400_000)
    await expire()
    expect(await call(wrong)).toBe(200)
  })
})
