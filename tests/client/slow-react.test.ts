import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { Pair } from '../../packages/server/test/support/authority.ts'
import { enrolApp, totpAt } from '../../packages/server/test/support/factors.ts'
import { launchChromium } from '../browser/chromium.ts'
import { describeWith } from '../support/requirements.ts'
import { bundle } from '../support/bundle.ts'
import { buildExample, countLines } from './examples.ts'
import { ALICE, CLIENT, startClientWorld, type ClientWorld } from './world.ts'

const EXAMPLE = 'react-vite'

describeWith('chromium', 'the plain page of docs/guides/browsers.md, in Chromium', () => {
  test('logs in, keeps the session over a reload, and logs out', async () => {
    const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/browsers.md'), 'utf8')
    const html = /```html\n(.*?)```/s.exec(guide)?.[1] ?? ''
    const specifier = "'@countersign/client'"
    expect(html).toContain(specifier)
    const code = await bundle(CLIENT)
    await using world = await startClientWorld((path) =>
      path === '/client.js' ? code : html.replace(specifier, "'/client.js'"),
    )
    const browser = await launchChromium()
    try {
      await using visitor = await world.visit(browser)
      const page = await visitor.context.newPage()
      await page.goto(world.origin)
      const logIn = async (password: string): Promise<void> => {
        await page.locator('[name=username]').fill(ALICE.username)
        await page.locator('[name=password]').fill(password)
        await page.getByRole('button', { name: 'Log in' }).click()
      }
      await logIn('not the password')
      await page.getByText('The username or the password is wrong').waitFor()
      await logIn(ALICE.password)
      await page.getByText('Hello alice').waitFor()
      await page.reload()
      await page.getByText('Hello alice').waitFor()
      await page.getByRole('button', { name: 'Log out' }).click()
      await page.getByRole('button', { name: 'Log in' }).waitFor()
      await visitor.expectNothingReadable()
    } finally {
      await browser.close()
    }
  })
})

describeWith('chromium', 'examples/react-vite in Chromium', () => {
  let browser: Browser
  let world: ClientWorld
  beforeAll(async () => {
    browser = await launchChromium()
    world = await startClientWorld(await buildExample(EXAMPLE))
  })
  afterAll(async () => {
    await browser?.close()
    await world?.[Symbol.asyncDispose]()
  })

  async function logIn(
    page: Page,
    password: string = ALICE.password,
    username: string = ALICE.username,
  ): Promise<void> {
    await page.getByLabel('Username').fill(username)
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Log in' }).click()
  }

  test('logs in, keeps the session over a reload and a lost access token, and logs out in all tabs', async () => {
    await using visitor = await world.visit(browser)
    const complaints: string[] = []
    const page = await visitor.context.newPage()
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(world.origin)

    await logIn(page, 'not the password')
    await page.getByText('The username or the password is wrong').waitFor()
    await logIn(page)
    await page.getByText('Hello alice').waitFor()
    await page.getByText('You are not an administrator.').waitFor()

    await page.reload()
    await page.getByText('Hello alice').waitFor()
    await visitor.context.clearCookies({ name: 'cs_access' })
    const refreshes = await world.during('/auth/refresh', async () => {
      await page.getByRole('button', { name: 'Show my devices' }).click()
      await page.getByText('(this one)').waitFor()
    })
    expect(refreshes.map(({ status }) => status)).toEqual([200])

    const other = await visitor.context.newPage()
    await other.goto(world.origin)
    await other.getByText('Hello alice').waitFor()
    await other.getByRole('button', { name: 'Log out' }).click()
    for (const each of [page, other]) await each.getByLabel('Password').waitFor()
    await visitor.expectNothingReadable()
    expect(complaints).toEqual([])
  })

  test('asks for the second factor of an account, and begins again', async () => {
    await world.it.authority.accounts.create({ ...ALICE, username: 'carol' }, 'test')
    const answer = await world.it.post('/api/token/', { ...ALICE, username: 'carol' })
    const { secret } = await enrolApp(world.it, (await answer.json()) as Pair)
    const codeNow = (): string => totpAt(secret, world.it.clock.nowMs())
    world.it.clock.advanceMs(30_000)

    await using visitor = await world.visit(browser)
    const page = await visitor.context.newPage()
    await page.goto(world.origin)
    const enter = async (code: string): Promise<void> => {
      await page.getByLabel('Code').fill(code)
      await page.getByRole('button', { name: 'Continue' }).click()
    }
    await logIn(page, ALICE.password, 'carol')
    await page.getByText('Enter the code of your authenticator app.').waitFor()
    await enter('000000')
    await page.getByText('The code is wrong').waitFor()
    await page.getByRole('button', { name: 'Start again' }).click()
    await logIn(page, ALICE.password, 'carol')
    await enter(codeNow())
    await page.getByText('Hello carol').waitFor()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('Password').waitFor()
    await visitor.expectNothingReadable()
  })

  test('sets up the second factor that an account needs, and shows its recovery codes', async () => {
    await using strict = await startClientWorld(await buildExample(EXAMPLE), {
      secondFactor: 'required',
      secondFactorGrace: 'off',
    })
    await using visitor = await strict.visit(browser)
    const page = await visitor.context.newPage()
    await page.goto(strict.origin)
    await logIn(page)
    await page.getByRole('button', { name: 'Set up an app' }).click()
    const text = await page.getByText('or enter').textContent()
    const secret = text?.split(' ').at(-1) ?? ''
    await page.getByLabel('Code').fill(totpAt(secret, strict.it.clock.nowMs()))
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByText('Hello alice').waitFor()
    await page.getByText('Keep these recovery codes').waitFor()
  })

  test('says that the server cannot be reached, and continues when it can', async () => {
    await using visitor = await world.visit(browser)
    const page = await visitor.context.newPage()
    world.instead.set('/auth/session', { status: 503, headers: { 'retry-after': '1' } })
    await page.goto(world.origin)
    await page.getByText('The server cannot be reached.').waitFor()
    world.instead.clear()
    await page.getByLabel('Password').waitFor()
  })

  test('is shorter than 200 lines', () => {
    expect(countLines(EXAMPLE)).toBeLessThan(200)
  })
})
