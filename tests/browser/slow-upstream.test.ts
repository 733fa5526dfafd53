import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import {
  freePort,
  startServerProcess,
  type ServerProcess,
} from '../../packages/server/test/support/server-process.ts'
import { startIssuer, type Issuer } from '../../packages/server/test/support/upstream.ts'
import { entryOf, writeProviders } from '../../packages/server/test/support/upstream-people.ts'
import { describeWith } from '../support/requirements.ts'
import { launchChromium } from './chromium.ts'
import { faultsOf } from './person.ts'

describeWith('chromium', 'log-in with another identity, in Chromium', () => {
  let server: ServerProcess
  let issuer: Issuer
  let browser: Browser
  let url: string
  let file: ReturnType<typeof writeProviders>
  beforeAll(async () => {
    const port = await freePort()
    url = `http://localhost:${port}`
    issuer = await startIssuer({ publicUrl: url })
    file = writeProviders([entryOf(issuer.url)])
    server = await startServerProcess({
      port,
      env: { COUNTERSIGN_UPSTREAMS_FILE: file.path, COUNTERSIGN_UPSTREAM_SIGN_UP: 'true' },
    })
    browser = await launchChromium()
    issuer.people.set('carol', { email: 'carol@example.com', email_verified: true })
    issuer.people.set('carol-at-home', { email: 'carol@home.example', email_verified: true })
  })
  afterAll(async () => {
    await browser?.close()
    await server?.[Symbol.asyncDispose]()
    await issuer?.[Symbol.asyncDispose]()
    file?.[Symbol.dispose]()
  })

  async function open(path: string): Promise<Page> {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${url}${path}`)
    return page
  }

  test('a person presses the button, says who they are, and links a second identity', async () => {
    const page = await open('/sign-in?return_to=/auth/account')
    expect(await faultsOf(page)).toEqual([])
    await page.getByRole('link', { name: 'Continue with Work' }).click()
    await page.getByRole('link', { name: 'I am carol', exact: true }).click()
    await page.waitForURL(`${url}/auth/account`)
    expect(await page.textContent('main')).toContain('Logged in as carol.')

    await page.getByRole('link', { name: 'Other identities' }).click()
    expect(await faultsOf(page)).toEqual([])
    await page.getByRole('button', { name: 'Link Work' }).click()
    await page.getByRole('link', { name: 'I am carol-at-home' }).click()
    await page.waitForURL(`${url}/auth/account/identities?done=identity-added`)
    const main = await page.textContent('main')
    expect(main).toContain('carol@home.example')
    expect(await faultsOf(page)).toEqual([])
    await page.context().close()
  })

  test('two tabs log in at the same time', async () => {
    const first = await open('/sign-in?return_to=/auth/account')
    const second = await first.context().newPage()
    await second.goto(`${url}/sign-in?return_to=/auth/account`)
    for (const page of [first, second]) {
      await page.getByRole('link', { name: 'Continue with Work' }).click()
      await page.waitForURL(/\/choose\//)
    }
    for (const page of [first, second]) {
      await page.getByRole('link', { name: 'I am carol', exact: true }).click()
      await page.waitForURL(`${url}/auth/account`)
    }
    await first.context().close()
  })

  test('the page of a failure can be used without seeing it', async () => {
    const page = await open('/auth/upstream/work/callback?code=1&state=1&lang=de')
    expect(await page.getAttribute('html', 'lang')).toBe('de')
    expect(await faultsOf(page)).toEqual([])
    await page.getByRole('link', { name: 'Noch einmal versuchen' }).click()
    expect(await page.getByRole('link', { name: 'Weiter mit Work' }).count()).toBe(1)
    await page.context().close()
  })
})
