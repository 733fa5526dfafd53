import { join } from 'node:path'

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { launchChromium } from '../browser/chromium.ts'
import { bundle } from '../support/bundle.ts'
import { describeWith } from '../support/requirements.ts'
import { ALICE, startClientWorld, type ClientWorld } from './world.ts'

const PAGE = '<!doctype html><title>App</title><script type="module" src="/page.js"></script>'

describeWith('chromium', 'the interceptor for Angular in Chromium', () => {
  let browser: Browser
  let world: ClientWorld
  beforeAll(async () => {
    const code = await bundle(join(import.meta.dirname, 'angular-page.ts'))
    browser = await launchChromium()
    world = await startClientWorld((path) => (path === '/page.js' ? code : PAGE))
  })
  afterAll(async () => {
    await browser?.close()
    await world?.[Symbol.asyncDispose]()
  })

  /** Sends requests at the same time, and returns their statuses. */
  const send = (page: Page, requests: readonly (readonly string[])[]): Promise<number[]> =>
    page.evaluate(`Promise.all(${JSON.stringify(requests)}.map((each) => send(...each)))`)

  for (const by of ['fetch', 'xhr']) {
    test(`with ${by}: ten requests with a lost access token refresh once, and each succeeds`, async () => {
      await using visitor = await world.visit(browser)
      const page = await world.openTab(visitor)
      await page.evaluate(`client.login(${JSON.stringify(ALICE)})`)
      const requests = Array.from({ length: 10 }, (_, at) =>
        at % 2 === 0 ? [by, 'POST', '/api/notes'] : [by, 'GET', '/api/me'],
      )
      const before = world.api.notes.length
      await visitor.context.clearCookies({ name: 'cs_access' })
      const refreshes = await world.during('/auth/refresh', async () => {
        expect(await send(page, requests)).toEqual(
          requests.map(([, method]) => (method === 'POST' ? 201 : 200)),
        )
      })
      expect(refreshes.map(({ status }) => status)).toEqual([200])
      expect(world.api.notes.slice(before)).toEqual(Array.from({ length: 5 }, () => 'a note'))
      await visitor.expectNothingReadable()
    })

    test(`with ${by}: another origin gets neither cookies nor the CSRF token`, async () => {
      await using visitor = await world.visit(browser)
      const page = await world.openTab(visitor)
      await page.evaluate(`client.login(${JSON.stringify(ALICE)})`)
      const before = world.api.unguarded.length
      // The browser lets the page read no answer of another origin. It would ask first if the request had a CSRF token.
      const url = `http://127.0.0.1:${world.api.port}/api/unguarded`
      expect(await send(page, [[by, 'POST', url]])).toEqual([0])
      expect(world.api.unguarded.slice(before)).toEqual([{ cookie: '', origin: world.origin }])
    })

    test(`with ${by}: an outage during the refresh fails the requests and keeps the session`, async () => {
      await using visitor = await world.visit(browser)
      const page = await world.openTab(visitor)
      await page.evaluate(`client.login(${JSON.stringify(ALICE)})`)
      await visitor.context.clearCookies({ name: 'cs_access' })
      world.instead.set('/auth/refresh', { status: 503, headers: { 'retry-after': '600' } })
      const refreshes = await world.during('/auth/refresh', async () => {
        expect(
          await send(page, [
            [by, 'GET', '/api/me'],
            [by, 'GET', '/api/me'],
          ]),
        ).toEqual([503, 503])
      })
      world.instead.clear()
      expect(refreshes).toHaveLength(1)
      expect(await page.evaluate('client.peek()?.username')).toBe('alice')
    })
  }
})
