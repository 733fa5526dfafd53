import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Browser } from 'playwright-core'

import {
  startServerProcess,
  type ServerProcess,
} from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { launchChromium } from './chromium.ts'

describeWith('chromium', 'the interactive page at /docs, in Chromium', () => {
  let server: ServerProcess
  let browser: Browser
  beforeAll(async () => {
    server = await startServerProcess({})
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.[Symbol.asyncDispose]()
  })

  test('shows every route, without a violation of its policy or a request to another host', async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } })
    const complaints: string[] = []
    const hosts = new Set<string>()
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => hosts.add(new URL(request.url()).host))
    await page.addInitScript(`
      globalThis.violations = []
      document.addEventListener('securitypolicyviolation', (event) => {
        violations.push(event.violatedDirective + ' ' + event.blockedURI)
      })
    `)

    // Uses the host name of the public URL. For the page, 127.0.0.1 is another host.
    const url = server.url.replace('127.0.0.1', 'localhost')
    await page.goto(`${url}/docs`)
    await page.locator('.opblock').first().waitFor()
    const ids = await page.locator('.opblock').count()
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      paths: Record<string, object>
    }
    expect(ids).toBe(Object.values(document.paths).flatMap((path) => Object.keys(path)).length)

    // Opens one route of each kind, because folded routes are not rendered.
    for (const id of ['obtainTokens', 'endSession', 'pollFeed']) {
      const block = page.locator(`[id$="-${id}"]`)
      await block.locator('.opblock-summary-control').click()
      await block.locator('.responses-wrapper').waitFor()
    }
    // Sends one request from the page: it goes to this server.
    const health = page.locator('[id$="-getHealth"]')
    await health.locator('.opblock-summary-control').click()
    await health.getByRole('button', { name: 'Try it out' }).click()
    await health.getByRole('button', { name: 'Execute' }).click()
    await health.locator('.live-responses-table').waitFor()

    const folder = process.env['SCREENSHOTS']
    if (folder !== undefined) await page.screenshot({ path: `${folder}/docs.png` })
    expect(await page.evaluate('violations')).toEqual([])
    expect(complaints).toEqual([])
    expect([...hosts]).toEqual([new URL(url).host])
  })
})
