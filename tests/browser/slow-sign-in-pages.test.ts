import type { Browser, BrowserContextOptions } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import {
  startServerProcess,
  type ServerProcess,
} from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { launchChromium } from './chromium.ts'
import { Person, faultsOf } from './person.ts'

const PASSWORD = 'a long password of a person'
const NEW_PASSWORD = 'staple and no donkey'
const PARTS = [
  'username',
  'address',
  'password',
  'sessions',
  'activity',
  'tenants',
  'choose-tenant',
  'delete',
]

const LOOKS = [
  { name: 'desktop, light', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { name: 'desktop, dark', colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { name: 'phone, light', colorScheme: 'light', viewport: { width: 320, height: 640 } },
  { name: 'phone, dark', colorScheme: 'dark', viewport: { width: 390, height: 800 } },
] as const

describeWith('chromium', 'the sign-in and account pages, in Chromium', () => {
  let server: ServerProcess
  let browser: Browser
  let url: string
  let people = 0
  beforeAll(async () => {
    server = await startServerProcess({
      env: {
        COUNTERSIGN_SIGN_UP: 'true',
        COUNTERSIGN_MAIL_LOGIN: 'true',
        COUNTERSIGN_SITE_NAME: 'Shop',
        COUNTERSIGN_SITE_COLOR: '#7a3cff',
        COUNTERSIGN_SITE_LINKS: 'privacy=https://shop.example/privacy',
        COUNTERSIGN_THROTTLE: 'off',
      },
    })
    browser = await launchChromium()
    url = server.url.replace('127.0.0.1', 'localhost')
  })
  afterAll(async () => {
    await browser?.close()
    await server?.[Symbol.asyncDispose]()
  })

  /** A person with an account, and a browser that notes everything that a page must not do. */
  async function arrive(options: BrowserContextOptions = {}): Promise<Person> {
    people += 1
    const username = `person-${people}`
    const answer = await fetch(`${server.url}/auth/signup`, {
      method: 'POST',
      body: new URLSearchParams({ username, password: PASSWORD }),
    })
    expect(answer.status).toBe(201)
    const context = await browser.newContext({ locale: 'en-GB', ...options })
    return new Person(username, context, await context.newPage(), url)
  }

  describe.each([true, false])('with scripts: %s', (javaScriptEnabled) => {
    test.each(LOOKS)(
      'every account action as a person does it: $name',
      async ({ colorScheme, viewport }) => {
        const person = await arrive({ javaScriptEnabled, colorScheme, viewport })
        const { page } = person

        await page.goto(`${url}/auth/account/username?lang=en`)
        expect(await page.title()).toBe('Log in')
        await person.send({ username: person.username, current_password: 'wrong' })
        expect(await page.title()).toBe('Error: Log in')
        expect(await page.locator(':focus').getAttribute('id')).toBe('current_password')
        await person.send({ current_password: PASSWORD })
        expect(await page.title()).toBe('Username')

        await person.send({ new_username: `${person.username}-new` })
        expect(await page.locator('[role=status]').innerText()).toBe('Your username is changed.')
        await page.goBack()
        await page.reload()
        expect(await page.title()).toBe('Username')

        await page.goto(`${url}/auth/account`)
        await page.getByRole('link', { name: 'Password' }).click()
        await person.send({ current_password: PASSWORD, password: NEW_PASSWORD })
        expect(await page.locator('[role=status]').innerText()).toMatch(/^Your password is changed/)

        await person.logInElsewhere(`${person.username}-new`, NEW_PASSWORD)
        await page.goto(`${url}/auth/account/sessions`)
        expect(await page.getByText('This device').count()).toBe(1)
        await Promise.all([
          page.waitForNavigation(),
          page.getByRole('button', { name: /^End session: / }).click(),
        ])
        expect(await page.locator('[role=status]').innerText()).toBe('The session has ended.')
        expect(await page.getByRole('button', { name: /^End session: / }).count()).toBe(0)

        await page.goto(`${url}/auth/account/activity`)
        expect(await page.locator('.rows > li').count()).toBeGreaterThan(3)

        await page.goto(`${url}/auth/account/delete`)
        const [file] = await Promise.all([
          page.waitForEvent('download'),
          page.getByRole('button', { name: 'Save as a file' }).click(),
        ])
        expect(file.suggestedFilename()).toBe('account.json')
        await page.locator('#current_password').fill(NEW_PASSWORD)
        await Promise.all([
          page.waitForNavigation(),
          page.getByRole('button', { name: 'Delete account' }).click(),
        ])
        expect(await page.locator('[role=status]').innerText()).toBe('Your account is deleted.')
        await page.goBack()
        await page.reload()
        expect(await page.title()).toBe('Log in')
        await person.leave()
      },
    )
  })

  test.each(LOOKS)('have no fault that axe finds: $name', async ({ name, ...look }) => {
    // The policy stays on in all other tests. axe needs more than it allows.
    const person = await arrive({ ...look, bypassCSP: true })
    const { page } = person
    const check = async (shot: string): Promise<void> => {
      const folder = process.env['SCREENSHOTS']
      const file = `${shot}-${name.replaceAll(/\W+/g, '-')}.png`
      if (folder !== undefined) await page.screenshot({ path: `${folder}/${file}`, fullPage: true })
      expect([shot, await faultsOf(page)]).toEqual([shot, []])
      expect(await page.evaluate('document.documentElement.scrollWidth'), shot).toBe(
        look.viewport.width,
      )
    }
    await page.goto(`${url}/sign-in`)
    await check('sign-in')
    await person.send({ username: person.username, current_password: 'wrong' })
    await check('sign-in-wrong')
    await person.send({ current_password: PASSWORD })
    await page.goto(`${url}/sign-in`)
    await check('signed-in')
    await page.goto(`${url}/auth/account`)
    await check('account')
    for (const part of PARTS) {
      await page.goto(`${url}/auth/account/${part}`)
      await check(part)
    }
    await page.goto(`${url}/auth/account/password`)
    await person.send({ current_password: PASSWORD, password: 'short' })
    await check('password-wrong')
    await person.leave()
  })

  test('work with the keyboard only, and the focus is always visible', async () => {
    const person = await arrive()
    const { page } = person
    await page.goto(`${url}/sign-in?return_to=/auth/account`)
    // The page begins in the first field.
    await page.waitForFunction("document.activeElement?.id === 'username'")
    await page.keyboard.type(person.username)
    await page.keyboard.press('Tab')
    await page.keyboard.type(PASSWORD)
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
    expect(await page.title()).toBe('Your account')
    const seen: string[] = []
    for (let i = 0; i < 12; i += 1) {
      await page.keyboard.press('Tab')
      const { name, outline } = await page.evaluate<{ name: string; outline: string }>(
        `({ name: document.activeElement.innerText ?? '', outline: getComputedStyle(document.activeElement).outlineStyle })`,
      )
      seen.push(name)
      // Behind the last element, the focus leaves the page.
      if (name.length < 60) expect([name, outline]).toEqual([name, 'solid'])
    }
    expect(seen).toEqual(expect.arrayContaining(['Username', 'Devices', 'Your data', 'Log out']))
    await page.getByRole('link', { name: 'Devices' }).focus()
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
    await page.getByRole('button', { name: 'End all sessions' }).focus()
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
    expect(await page.title()).toBe('Log in')
    await person.leave()
  })

  test('nothing is drawn without the style, and one file follows the page', async () => {
    const person = await arrive()
    const { page } = person
    const files: string[] = []
    page.on('request', (request) => files.push(new URL(request.url()).pathname))
    await page.goto(`${url}/sign-in`)
    expect(files).toEqual(['/sign-in', '/auth/account/page.js'])
    const sheets = 'document.adoptedStyleSheets.length + document.styleSheets.length'
    expect(await page.evaluate(sheets)).toBe(1)
    expect(
      await page.evaluate('getComputedStyle(document.querySelector("button")).borderRadius'),
    ).toBe('8px')
    // The second page takes the file from the cache.
    files.length = 0
    await page.goto(`${url}/auth/account/forgot`)
    expect(files).toContain('/auth/account/forgot')
    await person.leave()
  })

  test('a double click sends a form once, and two tabs do no harm', async () => {
    const person = await arrive()
    const { page, context } = person
    const second = await context.newPage()
    await page.goto(`${url}/sign-in?return_to=/auth/account`)
    await second.goto(`${url}/sign-in?return_to=/auth/account`)
    const posts: string[] = []
    page.on('request', (request) => {
      if (request.method() === 'POST') posts.push(request.url())
    })
    await page.locator('#username').fill(person.username)
    await page.locator('#current_password').fill(PASSWORD)
    await Promise.all([page.waitForURL(`${url}/auth/account`), page.locator('button').dblclick()])
    expect(posts).toHaveLength(1)
    await second.locator('#username').fill(person.username)
    await second.locator('#current_password').fill(PASSWORD)
    await Promise.all([second.waitForURL(`${url}/auth/account`), second.locator('button').click()])
    await page.reload()
    expect(await page.title()).toBe('Your account')
    await page.goto(`${url}/auth/account/sessions`)
    expect(await page.getByText('This device').count()).toBe(1)
    expect(await page.getByRole('button', { name: /^End session: / }).count()).toBe(0)
    await person.leave()
  })

  test('a link on another site finds the session, although its strict cookie is not sent', async () => {
    const person = await arrive()
    const { page, context } = person
    await page.goto(`${url}/sign-in`)
    await person.send({ username: person.username, current_password: PASSWORD })
    const { cookies } = await context.storageState()
    const access = cookies.find(({ name }) => name === 'cs_access')
    expect(access).toBeDefined()
    // As if the access token had expired.
    await context.clearCookies({ name: 'cs_access' })
    // 127.0.0.1 is another site than localhost.
    await page.goto(`${server.url}/docs`)
    await page.evaluate(`location.href = ${JSON.stringify(`${url}/auth/account/sessions`)}`)
    await page.waitForURL(`${url}/auth/account/sessions`)
    await page.getByRole('heading', { name: 'Devices' }).waitFor()
    expect((await context.cookies()).some(({ name }) => name === 'cs_access')).toBe(true)
    await context.clearCookies()
    await page.goto(`${server.url}/docs`)
    await page.evaluate(`location.href = ${JSON.stringify(`${url}/auth/account/sessions`)}`)
    await page.waitForURL(/\/sign-in\?return_to=/)
    await context.close()
  })
})
