import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'

import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import {
  startServerProcess,
  type ServerProcess,
} from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { launchChromium } from './chromium.ts'

const EMAIL = 'carol@example.com'
const PASSWORD = 'carols long password'
const NEW_PASSWORD = 'staple and no donkey'
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

describeWith('chromium', 'the account pages, in Chromium', () => {
  let server: ServerProcess
  let browser: Browser
  let url: string
  beforeAll(async () => {
    server = await startServerProcess({
      env: { COUNTERSIGN_SIGN_UP_VERIFIED: 'true', COUNTERSIGN_MAIL_LOGIN: 'true' },
    })
    browser = await launchChromium()
    // The host name of the public URL. For the browser, 127.0.0.1 is another site.
    url = server.url.replace('127.0.0.1', 'localhost')
  })
  afterAll(async () => {
    await browser?.close()
    await server?.[Symbol.asyncDispose]()
  })

  /** All mails of a kind so far, from the log. */
  function mailsOf(kind: string): readonly { url: string; code: string }[] {
    return server
      .output()
      .split('\n')
      .filter((line) => line.includes('"mail_in_dev_outbox"') && line.includes(`"${kind}"`))
      .map((line) => JSON.parse(line) as { url: string; code: string })
  }

  /** Waits for a mail of a kind, after this many others, and returns the newest. */
  async function mailOf(kind: string, before = 0): Promise<{ url: string; code: string }> {
    await expect.poll(() => mailsOf(kind).length).toBeGreaterThan(before)
    const mail = mailsOf(kind).at(-1)
    if (mail === undefined) throw new Error('There is a mail.')
    return mail
  }

  async function send(page: Page, values: Readonly<Record<string, string>> = {}): Promise<string> {
    for (const [name, value] of Object.entries(values)) await page.locator(`#${name}`).fill(value)
    await Promise.all([page.waitForNavigation(), page.locator('button').click()])
    return page.title()
  }

  function logIn(username: string, password: string): Promise<Response> {
    return fetch(`${server.url}/api/token/`, {
      method: 'POST',
      body: new URLSearchParams({ username, password }),
    })
  }

  test('sign-up, reset and login work without JavaScript, without a violation or another host', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false, locale: 'en-GB' })
    const page = await context.newPage()
    const complaints: string[] = []
    const hosts = new Set<string>()
    const referrers = new Set<string>()
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('request', (request) => {
      hosts.add(new URL(request.url()).host)
      referrers.add(request.headers()['referer'] ?? '')
    })

    await page.goto(`${url}/auth/account/sign-up/start`)
    expect(await send(page, { email: EMAIL, password: PASSWORD })).toBe('Check your mail')
    await page.goto((await mailOf('sign_up')).url)
    expect(await send(page)).toBe('Your account exists')
    expect((await logIn(EMAIL, PASSWORD)).status).toBe(200)

    await page.goto(`${url}/auth/account/forgot`)
    expect(await send(page, { email: EMAIL })).toBe('Check your mail')
    const { code } = await mailOf('reset_password')
    complaints.length = 0
    expect(await send(page, { code: 'BBBB-BBBB' })).toBe('Error: Check your mail')
    // The browser reports the status 400, and nothing else.
    expect(complaints.filter((each) => !each.includes('400'))).toEqual([])
    complaints.length = 0
    expect(await page.locator(':focus').getAttribute('id')).toBe('code')
    expect(await send(page, { code })).toBe('Set a new password')
    expect(await send(page, { password: NEW_PASSWORD })).toBe('Your password is set')
    expect((await logIn(EMAIL, NEW_PASSWORD)).status).toBe(200)
    expect((await logIn(EMAIL, PASSWORD)).status).toBe(401)

    await page.goto(`${url}/auth/account/log-in/start`)
    expect(await send(page, { email: EMAIL })).toBe('Check your mail')
    await page.goto((await mailOf('login_code')).url)
    await send(page)
    expect(page.url()).toBe(`${url}/`)
    const names = (await context.cookies()).map(({ name }) => name).toSorted()
    expect(names).toEqual(['cs_access', 'cs_device', 'cs_refresh'])
    expect(complaints).toEqual([])
    expect([...hosts]).toEqual([new URL(url).host])
    expect([...referrers]).toEqual([''])
    await context.close()
  })

  test.each([
    ['light', 320],
    ['light', 1280],
    ['dark', 320],
    ['dark', 1280],
  ] as const)('have no fault that axe finds, in %s, %i pixels wide', async (colorScheme, width) => {
    const context = await browser.newContext({
      colorScheme,
      viewport: { width, height: 800 },
      locale: 'de-DE',
    })
    const page = await context.newPage()
    const check = async (name: string): Promise<void> => {
      const folder = process.env['SCREENSHOTS']
      if (folder !== undefined) {
        await page.screenshot({ path: `${folder}/account-${name}-${colorScheme}-${width}.png` })
      }
      expect([name, await faultsOf(page)]).toEqual([name, []])
      expect(await page.evaluate('document.documentElement.scrollWidth'), name).toBe(width)
    }

    for (const path of ['forgot', 'sign-up/start', 'log-in/start', 'verify', 'reset?link=x']) {
      await page.goto(`${url}/auth/account/${path}`)
      await check(path.replace(/\W/g, '-'))
    }
    await page.goto(`${url}/auth/account/forgot`)
    const before = mailsOf('reset_password').length
    // Browsers accept it, and the server does not.
    await send(page, { email: `${'a'.repeat(70)}@example.com` })
    await check('wrong-address')
    await signUpOnce(context)
    await send(page, { email: EMAIL })
    await check('waiting')
    const mail = await mailOf('reset_password', before)
    await page.goto(mail.url)
    await check('asker')
    await send(page, { password: 'short' })
    await check('wrong-password')
    await context.clearCookies()
    await page.goto(mail.url)
    await check('recipient')
    await send(page, { code: mail.code, password: NEW_PASSWORD })
    await check('done')
    await context.close()
  })

  /** Makes the account if the first test did not run. */
  async function signUpOnce(context: BrowserContext): Promise<void> {
    if ((await logIn(EMAIL, NEW_PASSWORD)).status === 200) return
    const page = await context.newPage()
    await page.goto(`${url}/auth/account/sign-up/start`)
    await send(page, { email: EMAIL, password: NEW_PASSWORD })
    await page.goto((await mailOf('sign_up')).url)
    await send(page)
    await page.close()
  }
})

/** The rules of axe that the page breaks, with the elements. */
async function faultsOf(page: Page): Promise<unknown> {
  // `evaluate` is not subject to the page's policy, which allows no script.
  await page.evaluate(AXE)
  return page.evaluate(`axe.run().then(({ violations }) =>
    violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))`)
}
