import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { mayInstall } from '../../scripts/lib/installs.ts'
import { launchChromium, type Visitor } from '../browser/chromium.ts'
import { describeWith } from '../support/requirements.ts'
import { buildNextApp, NEXT_EXAMPLE, type NextApp } from './next-app.ts'
import { startNextWorld, type NextWorld } from './next-world.ts'
import { ALICE } from './world.ts'

const HELLO = 'Hello alice, says the server.'

const WHY = mayInstall ? '' : ' (NOT RUN: it installs packages from npm, and TESTS_INSTALL=off)'

describe.skipIf(!mayInstall)(`Next.js${WHY}`, () => {
  describeWith('chromium', 'examples/nextjs, built and started, in Chromium', () => {
    let app: NextApp
    let browser: Browser
    let world: NextWorld
    beforeAll(async () => {
      app = await buildNextApp()
      browser = await launchChromium()
      world = await startNextWorld(app)
    }, 600_000)
    afterAll(async () => {
      await browser?.close()
      await world?.[Symbol.asyncDispose]()
      app?.[Symbol.dispose]()
    })

    async function logIn(visitor: Visitor): Promise<Page> {
      const page = await visitor.context.newPage()
      await page.goto(world.origin)
      await page.getByLabel('Username').fill(ALICE.username)
      await page.getByLabel('Password').fill(ALICE.password)
      await page.getByRole('button', { name: 'Log in' }).click()
      await page.getByText(HELLO).waitFor()
      await page.getByText('Hello alice, says the browser.').waitFor()
      return page
    }

    /** Returns the HTML of a page, as the server renders it. */
    async function load(page: Page, path = '/'): Promise<string> {
      const answer = await page.goto(`${world.origin}${path}`)
      return (await answer?.text()) ?? ''
    }

    async function valueOf(visitor: Visitor, name: string): Promise<string | undefined> {
      return (await visitor.jar()).find((cookie) => cookie.name === name)?.value
    }

    const loseAccessToken = (visitor: Visitor): Promise<void> =>
      visitor.context.clearCookies({ name: 'cs_access' })

    test('logs in, keeps the session over a reload, and logs out', async () => {
      await using visitor = await world.visit(browser)
      const complaints: string[] = []
      visitor.context.on('weberror', (error) => complaints.push(error.error().message))
      const page = await logIn(visitor)
      await page.reload()
      await page.getByText(HELLO).waitFor()
      await page.getByText('Devices: Chrom').waitFor()
      await page.getByRole('button', { name: 'Log out' }).click()
      await page.getByText('Please log in.').waitFor()
      expect(await visitor.names()).toEqual(['cs_device'])
      await visitor.expectNothingReadable()
      expect(complaints).toEqual([])
    })

    test('five server components and a lost access token cost one refresh, and the browser keeps the new cookies', async () => {
      await using visitor = await world.visit(browser)
      const page = await logIn(visitor)
      const before = await valueOf(visitor, 'cs_refresh')
      await loseAccessToken(visitor)
      const refreshes = await world.refreshesDuring(async () => {
        const html = await load(page)
        for (const text of ['alice', 'Roles: ', 'Tenant: ', 'Since: ', 'Devices: ']) {
          expect(html).toContain(text)
        }
        await page.waitForLoadState('networkidle')
      })
      expect(refreshes.map(({ status }) => status)).toEqual([200])
      expect(await valueOf(visitor, 'cs_access')).toBeDefined()
      const after = await valueOf(visitor, 'cs_refresh')
      expect(after).toBeDefined()
      expect(after).not.toBe(before)
      expect(
        await world.refreshesDuring(async () => expect(await load(page)).toContain('Devices: ')),
      ).toEqual([])
    })

    test('an expired access token that the browser still sends is refreshed, too', async () => {
      await using visitor = await world.visit(browser)
      const hourMs = 3_600_000
      world.it.clock.advanceMs(-hourMs)
      const page = await visitor.context.newPage()
      await page.goto(world.origin)
      await page.getByLabel('Username').fill(ALICE.username)
      await page.getByLabel('Password').fill(ALICE.password)
      await page.getByRole('button', { name: 'Log in' }).click()
      await page.getByText('Hello alice, says the browser.').waitFor()
      await page.waitForLoadState('networkidle')
      world.it.clock.advanceMs(hourMs)
      const expired = await valueOf(visitor, 'cs_access')
      const refreshes = await world.refreshesDuring(async () => {
        expect(await load(page)).toContain('Devices: ')
      })
      expect(refreshes).toHaveLength(1)
      expect(await valueOf(visitor, 'cs_access')).not.toBe(expired)
    })

    test('parallel requests share one refresh, and the authority sees the browser', async () => {
      await using visitor = await world.visit(browser)
      const page = await logIn(visitor)
      await loseAccessToken(visitor)
      const refreshes = await world.refreshesDuring(async () => {
        const statuses = await page.evaluate(`Promise.all(Array.from({ length: 10 }, (_, i) =>
        fetch('/about?' + i, { headers: i % 2 ? { rsc: '1' } : {} }).then(({ status }) => status)))`)
        expect(statuses).toEqual(Array(10).fill(200))
      })
      expect(refreshes).toMatchObject([
        {
          status: 200,
          userAgent: await page.evaluate('navigator.userAgent'),
          forwardedFor: expect.stringMatching(/127\.0\.0\.1$|^::1$/),
        },
      ])
    })

    test('a page that refreshes beside the server keeps its session', async () => {
      await using visitor = await world.visit(browser)
      const page = await logIn(visitor)
      await loseAccessToken(visitor)
      const refreshes = await world.refreshesDuring(async () => {
        const [own, rendered] = (await page.evaluate(`(async () => {
        const { csrf_token: token } = await (await fetch('/auth/csrf')).json()
        const own = fetch('/auth/refresh', { method: 'POST', headers: { 'x-csrf-token': token } })
        return Promise.all([own.then(({ status }) => status), fetch('/').then((a) => a.text())])
      })()`)) as [number, string]
        expect(own).toBe(200)
        expect(rendered).toContain('Devices: ')
      })
      expect(refreshes.map(({ status }) => status)).toEqual([200, 200])
      await page.reload()
      await page.getByText(HELLO).waitFor()
    })

    test('prefetched pages, files of the application and images cause no refresh', async () => {
      await using visitor = await world.visit(browser)
      const page = await logIn(visitor)
      await loseAccessToken(visitor)
      const refreshes = await world.refreshesDuring(async () => {
        await page.evaluate(`(async () => {
        const script = document.querySelector('script[src^="/_next/"]').src
        await Promise.all([
          fetch('/about', { headers: { rsc: '1', 'next-router-prefetch': '1' } }),
          fetch('/about', { headers: { purpose: 'prefetch' } }),
          fetch(script),
          new Promise((done) => Object.assign(new Image(), { src: '/none.png', onerror: done })),
        ])
      })()`)
      })
      expect(refreshes).toEqual([])
      expect(await visitor.names()).not.toContain('cs_access')
    })

    test('while the authority answers 503, nobody is logged out', async () => {
      await using visitor = await world.visit(browser)
      const page = await logIn(visitor)
      await loseAccessToken(visitor)
      const before = await valueOf(visitor, 'cs_refresh')
      for (const path of ['csrf', 'refresh', 'session', 'me']) {
        world.instead.set(`/auth/${path}`, { status: 503, headers: { 'retry-after': '1' } })
      }
      try {
        for (let i = 0; i < 3; i += 1) {
          const html = await load(page)
          expect(html).toContain('One moment.')
          expect(html).not.toContain('Please log in.')
          expect(html).not.toContain('Password')
        }
        await page.getByText('One moment.').waitFor()
        expect(await page.getByLabel('Password').count()).toBe(0)
      } finally {
        world.instead.clear()
      }
      expect(await valueOf(visitor, 'cs_refresh')).toBe(before)
      await expect.poll(() => load(page)).toContain('Devices: ')
    })

    test('a session that has ended is over for the server and for the browser', async () => {
      await using visitor = await world.visit(browser)
      const page = await logIn(visitor)
      await using other = await world.visit(browser)
      const elsewhere = await logIn(other)
      await elsewhere.evaluate(`(async () => {
      const { csrf_token: token } = await (await fetch('/auth/csrf')).json()
      await fetch('/auth/sessions/end-others', { method: 'POST', headers: { 'x-csrf-token': token } })
    })()`)
      await loseAccessToken(visitor)
      expect(await load(page)).toContain('Please log in.')
      await page.getByLabel('Password').waitFor()
      expect(await visitor.names()).toEqual(['cs_device'])
    })

    test('after a link from another site, the server waits for the browser', async () => {
      await using visitor = await world.visit(browser)
      await logIn(visitor)
      await loseAccessToken(visitor)
      const page = await visitor.context.newPage()
      await page.goto(`${world.otherSite}/about`)
      const [answer] = await Promise.all([
        page.waitForResponse(`${world.origin}/`),
        page.evaluate(`location.href = ${JSON.stringify(`${world.origin}/`)}`),
      ])
      expect(await answer.text()).not.toContain('Please log in.')
      await page.getByText('Hello alice, says the browser.').waitFor()
    })

    test('has fewer than 200 lines', () => {
      const isCode = (name: string): boolean => /\.tsx?$/.test(name) && name !== 'next-env.d.ts'
      const files = readdirSync(NEXT_EXAMPLE, { recursive: true, encoding: 'utf8' }).filter(
        (path) => isCode(basename(path)) && !/^(?:node_modules|\.next)\b/.test(path),
      )
      expect(files.length).toBeGreaterThan(5)
      const lines = files.map((file) => readFileSync(join(NEXT_EXAMPLE, file), 'utf8').split('\n'))
      expect(lines.flat().length).toBeLessThan(200)
    })
  })
})
