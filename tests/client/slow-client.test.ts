import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { expectNoTokenIn, launchChromium, type Visitor } from '../browser/chromium.ts'
import { describeWith } from '../support/requirements.ts'
import { ALICE, BOB, startClientWorld, type ClientWorld } from './world.ts'

const REFRESH = '/auth/refresh'

describeWith('chromium', 'the client in Chromium', () => {
  let browser: Browser
  let world: ClientWorld
  let visitor: Visitor
  let tab: Page
  beforeAll(async () => {
    ;[browser, world] = await Promise.all([launchChromium(), startClientWorld()])
  })
  afterAll(async () => {
    await browser?.close()
    await world?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    visitor = await world.visit(browser)
    tab = await world.openTab(visitor)
  })
  afterEach(async () => {
    world.instead.clear()
    await visitor.expectNothingReadable()
    expectNoTokenIn(world.front.arrivals)
    await visitor[Symbol.asyncDispose]()
  })

  const login = (page: Page, who: object = ALICE): Promise<unknown> =>
    page.evaluate(`client.login(${JSON.stringify(who)})`)
  const peek = (page: Page): Promise<{ username: string; sid: string } | null | undefined> =>
    page.evaluate('client.peek()')
  /** Calls an API and returns the status, or what the call has thrown. */
  const call = (page: Page, path = '/api/me', init: object = {}): Promise<unknown> =>
    page.evaluate(`client.fetch(${JSON.stringify(path)}, ${JSON.stringify(init)}).then(
      ({ status }) => status,
      ({ name, code, status, retryAfterMs }) => ({ name, code, status, retryAfterMs }),
    )`)
  const openTabs = (count: number): Promise<Page[]> =>
    Promise.all(Array.from({ length: count }, () => world.openTab(visitor)))
  /** Removes the access token, as the browser does when it has expired. */
  const expire = (): Promise<void> => visitor.context.clearCookies({ name: 'cs_access' })
  const statusesOf = async (steps: () => Promise<void>): Promise<number[]> =>
    (await world.during(REFRESH, steps)).map(({ status }) => status)

  test('logs in, knows the session, calls an API and logs out', async () => {
    expect(await tab.evaluate('client.session()')).toBeNull()
    expect(await login(tab)).toMatchObject({
      session: { username: 'alice', roles: [], permissions: [] },
    })
    expect(await call(tab)).toBe(200)
    expect(await call(tab, '/api/notes', { method: 'POST', body: 'a note' })).toBe(201)
    await tab.evaluate('client.logout()')
    expect(await peek(tab)).toBeNull()
    expect(await tab.evaluate('changes')).toEqual([null, 'alice', null])
    expect(await call(tab)).toBe(401)
  })

  test('an error of a listener reaches neither the caller nor other listeners', async () => {
    await tab.evaluate("client.onChange(() => { throw new Error('of the page') }) && undefined")
    await tab.evaluate("client.onChange(() => changes.push('later')) && undefined")
    expect(await login(tab)).toMatchObject({ session: { username: 'alice' } })
    expect(await tab.evaluate('changes')).toEqual(['alice', 'later'])
  })

  test('says why a login failed, and keeps nobody logged in', async () => {
    const wrong = { ...ALICE, password: 'not the password' }
    const failed = await tab.evaluate(
      `client.login(${JSON.stringify(wrong)}).catch(({ code, status, isTemporary }) => ({ code, status, isTemporary }))`,
    )
    expect(failed).toEqual({ code: 'credentials_invalid', status: 401, isTemporary: false })
    expect(await tab.evaluate('client.session()')).toBeNull()
  })

  test('knows the session after a reload, with one request and no refresh', async () => {
    await login(tab)
    const before = world.front.arrivals.length
    await tab.reload()
    await tab.waitForFunction('globalThis.client !== undefined')
    expect(await tab.evaluate('client.session()')).toMatchObject({ username: 'alice' })
    const paths = world.front.arrivals.slice(before).map(({ path }) => path)
    expect(paths.filter((path) => path.startsWith('/auth/'))).toEqual(['/auth/session'])
  })

  test('refreshes after a reload before the first call, if the access token has expired', async () => {
    await login(tab)
    await expire()
    await tab.reload()
    await tab.waitForFunction('globalThis.client !== undefined')
    const before = world.front.arrivals.length
    expect(await call(tab)).toBe(200)
    const calls = world.front.arrivals.slice(before).map(({ path, status }) => `${path} ${status}`)
    expect(calls.slice(0, 2)).toEqual(['/auth/session 200', '/auth/refresh 200'])
    expect(calls).toContain('/api/me 200')
    expect(calls).not.toContain('/api/me 401')
  })

  test('D14 ten tabs with a lost access token refresh once, and all calls succeed', async () => {
    await login(tab)
    const tabs = [tab, ...(await openTabs(9))]
    for (const each of tabs) expect(await each.evaluate('client.session()')).not.toBeNull()
    await expire()
    const refreshes = await statusesOf(async () => {
      expect(await Promise.all(tabs.map((each) => call(each)))).toEqual(tabs.map(() => 200))
    })
    expect(refreshes).toEqual([200])
  })

  test('D14 twenty tabs of a laptop that wakes up after eight hours refresh once', async () => {
    await visitor.context.clock.install()
    await tab.reload()
    await tab.waitForFunction('globalThis.client !== undefined')
    await login(tab)
    const tabs = [tab, ...(await openTabs(19))]
    for (const each of tabs) expect(await each.evaluate('client.session()')).not.toBeNull()
    world.it.clock.advanceMs(8 * 3_600_000)
    await visitor.context.clock.fastForward('08:00:00')
    const refreshes = await statusesOf(async () => {
      const woken = tabs.map((each) =>
        each.evaluate("document.dispatchEvent(new Event('visibilitychange'))"),
      )
      await Promise.all(woken)
      expect(await Promise.all(tabs.map((each) => call(each)))).toEqual(tabs.map(() => 200))
    })
    expect(refreshes).toEqual([200])
  })

  test('ten tabs without Web Locks stay logged in, whoever refreshes', async () => {
    await visitor.context.addInitScript('delete Navigator.prototype.locks')
    await tab.reload()
    await tab.waitForFunction('globalThis.client !== undefined')
    await login(tab)
    const tabs = [tab, ...(await openTabs(9))]
    for (const each of tabs) expect(await each.evaluate('client.session()')).not.toBeNull()
    await expire()
    const refreshes = await statusesOf(async () => {
      expect(await Promise.all(tabs.map((each) => call(each)))).toEqual(tabs.map(() => 200))
    })
    expect(refreshes.length).toBeGreaterThan(0)
    expect(new Set(refreshes)).toEqual(new Set([200]))
    world.it.clock.advanceMs(60_000)
    await expire()
    expect(await call(tab)).toBe(200)
  })

  test('ten tabs without a channel between them stay logged in', async () => {
    await visitor.context.addInitScript('delete globalThis.BroadcastChannel')
    await tab.reload()
    await tab.waitForFunction('globalThis.client !== undefined')
    await login(tab)
    const tabs = [tab, ...(await openTabs(9))]
    await expire()
    expect(await Promise.all(tabs.map((each) => call(each)))).toEqual(tabs.map(() => 200))
  })

  test('a login and a logout in one tab are seen by all', async () => {
    const tabs = [tab, ...(await openTabs(3))]
    for (const each of tabs) expect(await each.evaluate('client.session()')).toBeNull()
    await login(tab)
    for (const each of tabs) await each.waitForFunction("client.peek()?.username === 'alice'")
    await tabs[2]!.evaluate('client.logout()')
    for (const each of tabs) await each.waitForFunction('client.peek() === null')
    for (const each of tabs) expect(await each.evaluate('changes')).toEqual([null, 'alice', null])
    expect(await call(tab)).toBe(401)
  })

  test('a session that was ended elsewhere logs out all tabs at the next call', async () => {
    await login(tab)
    const [other] = await openTabs(1)
    expect(await other!.evaluate('client.session()')).not.toBeNull()
    const { sid } = (await peek(tab))!
    await world.it.authority.sessions.end(sid, 'test')
    expect(await call(tab, '/auth/me')).toBe(401)
    for (const each of [tab, other!]) await each.waitForFunction('client.peek() === null')
  })

  test('is still logged in after it was offline', async () => {
    await login(tab)
    await expire()
    await visitor.context.setOffline(true)
    expect(await call(tab)).toMatchObject({ name: 'TypeError' })
    expect(await peek(tab)).toMatchObject({ username: 'alice' })
    await visitor.context.setOffline(false)
    expect(await call(tab)).toBe(200)
  })

  test.each([
    [503, { 'retry-after': '1' }],
    [503, {}],
    [429, { 'retry-after': '20' }],
    [502, { 'content-type': 'text/html' }],
  ] as const)(
    'is still logged in after a minute of %i %o, and did not ask all the time',
    async (status, headers) => {
      await visitor.context.clock.install()
      await tab.reload()
      await tab.waitForFunction('globalThis.client !== undefined')
      await login(tab)
      await expire()
      world.instead.set(REFRESH, { status, headers })
      const refreshes = await statusesOf(async () => {
        for (let second = 0; second < 60; second += 1) {
          expect(await call(tab)).toMatchObject({ name: 'ClientError' })
          await visitor.context.clock.fastForward(1000)
        }
      })
      expect(refreshes.length).toBeGreaterThan(1)
      expect(refreshes.length).toBeLessThan(status === 429 ? 4 : 61)
      expect(await peek(tab)).toMatchObject({ username: 'alice' })
      world.instead.clear()
      await visitor.context.clock.fastForward(60_000)
      expect(await call(tab)).toBe(200)
    },
  )

  test('a failed refresh holds off all tabs, and names the time to wait', async () => {
    await login(tab)
    const [other] = await openTabs(1)
    expect(await other!.evaluate('client.session()')).not.toBeNull()
    await expire()
    world.instead.set(REFRESH, { status: 503, headers: { 'retry-after': '60' } })
    const refreshes = await statusesOf(async () => {
      for (const each of [tab, other!, tab, other!]) {
        const failed = (await call(each)) as { retryAfterMs: number }
        expect(failed).toMatchObject({ name: 'ClientError', status: 503 })
        expect(failed.retryAfterMs).toBeGreaterThan(50_000)
      }
    })
    expect(refreshes).toEqual([503])
  })

  test('a tab that was frozen across rotations continues', async () => {
    await login(tab)
    const [frozen] = await openTabs(1)
    expect(await frozen!.evaluate('client.session()')).not.toBeNull()
    await using life = await freeze(visitor, frozen!)
    for (let rotation = 0; rotation < 3; rotation += 1) {
      world.it.clock.advanceMs(60_000)
      await tab.evaluate('client.refresh()')
    }
    await life.thaw()
    await expire()
    expect(await call(frozen!)).toBe(200)
    expect(await call(tab)).toBe(200)
    expect(await peek(frozen!)).toMatchObject({ username: 'alice' })
  })

  test('a tab that was frozen while somebody else logged in shows the new person', async () => {
    await login(tab)
    const [frozen] = await openTabs(1)
    expect(await frozen!.evaluate('client.session()')).not.toBeNull()
    await using life = await freeze(visitor, frozen!)
    await tab.evaluate('client.logout()')
    await login(tab, BOB)
    await life.thaw()
    await frozen!.waitForFunction("client.peek()?.username === 'bob'")
  })

  test.each([
    ['fast', 3_600_000],
    ['slow', -3_600_000],
  ])('a clock that is one hour %s costs no refresh and no session', async (_name, offMs) => {
    await visitor.context.addInitScript(
      `{ const now = Date.now; Date.now = () => now() + ${offMs} }`,
    )
    await tab.reload()
    await tab.waitForFunction('globalThis.client !== undefined')
    const refreshes = await statusesOf(async () => {
      await login(tab)
      for (let i = 0; i < 5; i += 1) expect(await call(tab)).toBe(200)
    })
    expect(refreshes).toEqual([])
    world.it.clock.advanceMs(400_000)
    await expire()
    expect(await call(tab)).toBe(200)
  })

  test('a clock that jumps costs at most one refresh for each jump', async () => {
    await login(tab)
    await tab.evaluate('{ globalThis.off = 0; const now = Date.now; Date.now = () => now() + off }')
    const refreshes = await statusesOf(async () => {
      for (const off of [3_600_000, 0, -3_600_000, 0]) {
        await tab.evaluate(`{ off = ${off} }`)
        for (let i = 0; i < 3; i += 1) expect(await call(tab)).toBe(200)
      }
    })
    expect(refreshes.length).toBeLessThanOrEqual(4)
    expect(await peek(tab)).toMatchObject({ username: 'alice' })
  })

  test('a request with a body is repeated with its body', async () => {
    await login(tab)
    const before = world.api.notes.length
    await expire()
    expect(await call(tab, '/api/notes', { method: 'POST', body: 'text' })).toBe(201)
    await expire()
    const request = "new Request('/api/notes', { method: 'POST', body: new Blob(['request']) })"
    expect(await tab.evaluate(`client.fetch(${request}).then(({ status }) => status)`)).toBe(201)
    expect(world.api.notes.slice(before)).toEqual(['text', 'request'])
  })

  test('what Alice began is not repeated in the name of Bob', async () => {
    await login(tab)
    // A page that hears nothing of the other tabs.
    await visitor.context.addInitScript('delete globalThis.BroadcastChannel')
    const [deaf] = await openTabs(1)
    expect(await deaf!.evaluate('client.session()')).toMatchObject({ username: 'alice' })
    await call(deaf!, '/api/notes', { method: 'POST', body: 'by Alice' })
    const before = world.api.notes.length
    await tab.evaluate('client.logout()')
    await login(tab, BOB)
    expect(await call(deaf!, '/api/notes', { method: 'POST', body: 'by Alice' })).toBe(403)
    expect(world.api.notes).toHaveLength(before)
    expect(await peek(deaf!)).toMatchObject({ username: 'bob' })
    expect(await call(deaf!, '/api/notes', { method: 'POST', body: 'by Bob' })).toBe(201)
  })

  test('a late refusal of the session before does not end the new one', async () => {
    await login(tab)
    const [other] = await openTabs(1)
    expect(await other!.evaluate('client.session()')).not.toBeNull()
    await expire()
    world.front.gather('/api/notes', 2)
    const post = { method: 'POST', body: 'x' }
    const late = call(other!, '/api/notes', post)
    await tab.evaluate('client.logout()')
    await login(tab)
    expect(await Promise.all([late, call(tab, '/api/notes', post)])).toEqual([201, 201])
    for (const each of [tab, other!]) expect(await peek(each)).toMatchObject({ username: 'alice' })
  })

  test('gives nothing to other origins, also with relative URLs and a foreign base', async () => {
    await login(tab)
    const nothing = { isOurs: false, headers: {}, withCookies: false }
    const prepare = (url: string): Promise<unknown> =>
      tab.evaluate(`client.prepare(${JSON.stringify(url)}, 'POST')`)
    const { port } = new URL(world.origin)
    for (const url of [
      'https://evil.example/',
      '//evil.example/x',
      `http://localhost:${Number(port) + 1}/`,
      `https://localhost:${port}/`,
      `http://localhost:${port}@evil.example/`,
      'data:text/plain,x',
      'http://[',
    ]) {
      expect(await prepare(url), url).toMatchObject(nothing)
    }
    expect(await prepare('/api/x')).toMatchObject({ isOurs: true, withCookies: true })
    await tab.evaluate(
      "document.head.append(Object.assign(document.createElement('base'), { href: 'https://evil.example/' }))",
    )
    expect(await prepare('/api/x')).toMatchObject(nothing)
    expect(await prepare(`${world.origin}/api/x`)).toMatchObject({ isOurs: true })
  })
})

describeWith('chromium', 'the client in the back/forward cache of Chromium', () => {
  test('knows who has logged in while its page was in the cache', async () => {
    const browser = await launchChromium({ withPageCache: true })
    try {
      await using world = await startClientWorld()
      await using visitor = await world.visit(browser)
      const page = await world.openTab(visitor)
      await page.evaluate(`client.login(${JSON.stringify(ALICE)})`)
      // Playwright cannot look into a page that comes out of the cache, so the page itself reports.
      await page.evaluate(`addEventListener('pageshow', ({ persisted }) => {
        if (persisted) client.onChange((session) => fetch('/restored/' + session.username))
      })`)

      await page.goto(`${world.origin}/another`)
      await page.waitForFunction('globalThis.client !== undefined')
      await page.evaluate('client.logout()')
      await page.evaluate(`client.login(${JSON.stringify(BOB)})`)

      await page.evaluate('void history.back()')
      const restored = (): string[] =>
        world.front.arrivals.map(({ path }) => path).filter((path) => path.includes('restored'))
      await expect.poll(restored).toEqual(['/restored/bob'])
    } finally {
      await browser.close()
    }
  })
})

/** Freezes a tab, as Chromium does with tabs in the background. */
async function freeze(
  visitor: Visitor,
  page: Page,
): Promise<AsyncDisposable & { thaw(): Promise<void> }> {
  const devtools = await visitor.context.newCDPSession(page)
  const setState = async (state: 'frozen' | 'active'): Promise<void> => {
    await devtools.send('Page.setWebLifecycleState', { state })
  }
  await setState('frozen')
  return {
    thaw: () => setState('active'),
    [Symbol.asyncDispose]: () => devtools.detach(),
  }
}
