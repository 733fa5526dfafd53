import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { launchChromium, type Visitor } from '../browser/chromium.ts'
import { describeWith } from '../support/requirements.ts'
import { buildExample, countLines } from './examples.ts'
import { ALICE, startClientWorld, type ClientWorld } from './world.ts'

// The examples for Vue and Angular are the same page, with the frameworks' own routers.
for (const example of ['vue', 'angular']) {
  describeWith('chromium', `examples/${example} in Chromium`, () => {
    let browser: Browser
    let world: ClientWorld
    let complaints: string[]
    beforeAll(async () => {
      browser = await launchChromium()
      world = await startClientWorld(await buildExample(example))
    })
    afterAll(async () => {
      await browser?.close()
      await world?.[Symbol.asyncDispose]()
    })

    async function open(visitor: Visitor, path: string): Promise<Page> {
      complaints = []
      const page = await visitor.context.newPage()
      page.on('pageerror', (error) => complaints.push(error.message))
      await page.goto(`${world.origin}${path}`)
      return page
    }
    const pathOf = (page: Page): string => page.url().slice(world.origin.length)
    async function logIn(page: Page, password: string = ALICE.password): Promise<void> {
      await page.getByLabel('Username').fill(ALICE.username)
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Log in' }).click()
    }

    test('guards routes, keeps the session over a reload and a lost access token, logs out in all tabs', async () => {
      await using visitor = await world.visit(browser)
      const page = await open(visitor, '/?tab=1')
      await page.getByLabel('Username').waitFor()
      expect(decodeURIComponent(pathOf(page))).toBe('/login?next=/?tab=1')

      await logIn(page, 'not the password')
      await page.getByText('The username or the password is wrong').waitFor()
      await logIn(page)
      await page.getByText('Hello alice').waitFor()
      await page.getByRole('button', { name: 'Show my devices' }).waitFor()
      expect(pathOf(page)).toBe('/?tab=1')

      await page.reload()
      await page.getByText('Hello alice').waitFor()
      await visitor.context.clearCookies({ name: 'cs_access' })
      const refreshes = await world.during('/auth/refresh', async () => {
        await page.getByRole('button', { name: 'Show my devices' }).click()
        await page.getByText('(this one)').waitFor()
      })
      expect(refreshes.map(({ status }) => status)).toEqual([200])

      const other = await open(visitor, '/')
      await other.getByText('Hello alice').waitFor()
      await other.getByRole('button', { name: 'Log out' }).click()
      for (const each of [page, other]) await each.getByLabel('Password').waitFor()
      expect(pathOf(page)).toBe('/login')
      await visitor.expectNothingReadable()
      expect(complaints).toEqual([])
    })

    test('opens a route with a role only for those who have it', async () => {
      await using visitor = await world.visit(browser)
      const page = await open(visitor, '/admin')
      await logIn(page)
      await page.getByText('Hello alice').waitFor()
      await page.getByRole('button', { name: 'Show my devices' }).waitFor()
      expect(pathOf(page)).toBe('/')

      const { accounts } = world.it.authority
      await accounts.addRole(ALICE.username, 'admin', 'test')
      await page.evaluate('location.reload()')
      await page.getByRole('link', { name: 'Administration' }).click()
      await page.getByText('You are an administrator.').waitFor()
      expect(pathOf(page)).toBe('/admin')
      expect(complaints).toEqual([])
    })

    test('logs nobody out while the server cannot be reached, and continues when it can', async () => {
      await using visitor = await world.visit(browser)
      const first = await open(visitor, '/login')
      await logIn(first)
      await first.getByText('Hello alice').waitFor()
      await first.close()
      world.instead.set('/auth/session', { status: 503, headers: { 'retry-after': '1' } })
      const page = await open(visitor, '/')
      await page.getByText('The server cannot be reached.').waitFor()
      world.instead.clear()
      await page.getByText('Hello alice').waitFor()
    })

    test('finds out who is logged in if the answer to a login was followed by an outage', async () => {
      await using visitor = await world.visit(browser)
      const page = await open(visitor, '/login')
      await page.getByLabel('Username').waitFor()
      world.instead.set('/auth/session', { status: 503, headers: { 'retry-after': '1' } })
      await logIn(page)
      await page.getByText('The server cannot be reached.').waitFor()
      world.instead.clear()
      await page.getByText('Hello alice').waitFor()
    })

    test('is shorter than 200 lines', () => {
      expect(countLines(example)).toBeLessThan(200)
    })
  })
}
