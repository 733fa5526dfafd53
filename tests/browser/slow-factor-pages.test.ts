import type { Browser, BrowserContextOptions, CDPSession, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { execute } from '../../packages/server/test/support/database.ts'
import { totpAt } from '../../packages/server/test/support/factors.ts'
import {
  startServerProcess,
  type ServerProcess,
} from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { launchChromium } from './chromium.ts'
import { Person, faultsOf } from './person.ts'

const PASSWORD = 'a long password of a person'
const PHONE = { colorScheme: 'light', viewport: { width: 320, height: 640 } } as const
const DESKTOP = { colorScheme: 'dark', viewport: { width: 1280, height: 800 } } as const

const WITHOUT_OFFER = `if (location.hash === '#button') {
  PublicKeyCredential.isConditionalMediationAvailable = () => Promise.resolve(false)
}`

describeWith('chromium', 'the pages of second factors, in Chromium', () => {
  let server: ServerProcess
  let mailing: ServerProcess
  let browser: Browser
  let people = 0
  beforeAll(async () => {
    const required = {
      COUNTERSIGN_SITE_NAME: 'Shop',
      COUNTERSIGN_SECOND_FACTOR: 'required',
      COUNTERSIGN_SECOND_FACTOR_GRACE: 'off',
      COUNTERSIGN_REMEMBER_DEVICE: '30d',
    }
    ;[server, mailing, browser] = await Promise.all([
      startServerProcess({ env: { ...required, COUNTERSIGN_SIGN_UP: 'true' } }),
      startServerProcess({
        env: {
          ...required,
          COUNTERSIGN_SIGN_UP_VERIFIED: 'true',
          COUNTERSIGN_SECOND_FACTOR_MAIL: 'true',
        },
      }),
      launchChromium(),
    ])
  })
  afterAll(async () => {
    await browser?.close()
    await Promise.all([server, mailing].map((each) => each?.[Symbol.asyncDispose]()))
  })

  /** A person with an account without factors, in front of the page that asks for one. */
  async function arrive(options: BrowserContextOptions = {}): Promise<Person> {
    people += 1
    const username = `person-${people}`
    const answer = await fetch(`${server.url}/auth/signup`, {
      method: 'POST',
      body: new URLSearchParams({ username, password: PASSWORD }),
    })
    expect(answer.status).toBe(201)
    const context = await browser.newContext({ locale: 'en-GB', ...options })
    const url = server.url.replace('127.0.0.1', 'localhost')
    const person = new Person(username, context, await context.newPage(), url)
    await signIn(person)
    expect(await person.page.title()).toBe('Protect your account')
    return person
  }

  async function signIn({ page, username, ...person }: Person): Promise<void> {
    void person
    await page.goto(
      `${server.url.replace('127.0.0.1', 'localhost')}/sign-in?return_to=/auth/account`,
    )
    await page.locator('#username').fill(username)
    await page.locator('#current_password').fill(PASSWORD)
    await Promise.all([
      page.waitForNavigation(),
      page.getByRole('button', { name: 'Log in', exact: true }).click(),
    ])
  }

  async function signOut(person: Person): Promise<void> {
    await person.page.goto(`${originOf(person.page)}/auth/account`)
    await person.go(() => person.page.getByRole('button', { name: 'Log out' }).click())
  }

  /** Sets up an app at the sign-in. Returns its secret and the recovery codes. */
  async function enrolApp(person: Person): Promise<{ secret: string; codes: string[] }> {
    const { page } = person
    await press(person, 'Set up an authenticator app')
    expect(await page.evaluate("document.querySelector('img.qr').naturalWidth")).toBeGreaterThan(0)
    const secret = (await page.locator('pre').innerText()).replaceAll(' ', '')
    await person.send({ totp: totpAt(secret, Date.now()) })
    expect(await page.title()).toBe('Store your recovery codes')
    const codes = (await page.locator('pre').innerText()).split('\n')
    return { secret, codes }
  }

  /** Makes the sessions of everybody old, as if an hour had passed. */
  function age(): void {
    execute(server.dataDir, 'UPDATE sessions SET authenticated_at = authenticated_at - 3600000')
  }

  test.each([
    ['on a phone, without scripts', { ...PHONE, javaScriptEnabled: false }],
    ['on a desktop, with scripts', DESKTOP],
  ])('an app is set up at the sign-in, and asked for at the next one: %s', async (_, look) => {
    const person = await arrive(look)
    const { page } = person
    const { secret, codes } = await enrolApp(person)
    expect(codes).toHaveLength(10)
    await person.go(() => page.getByRole('link', { name: 'I have stored them' }).click())
    expect(await page.title()).toBe('Your account')

    await signOut(person)
    await signIn(person)
    expect(await page.title()).toBe('Confirm it is you')
    await person.send({ totp: '000000' })
    expect(await page.title()).toBe('Error: Confirm it is you')
    expect(await page.locator(':focus').getAttribute('id')).toBe('totp')
    await page.goto(`${originOf(page)}/sign-in/second-factor?return_to=/auth/account`)
    await person.send({ totp: totpAt(secret, Date.now(), 1) })
    expect(await page.title()).toBe('Your account')
    await page.goBack()
    await page.reload()
    expect(await page.title()).toBe('You are logged in')

    await signOut(person)
    await signIn(person)
    await person.go(() => page.getByRole('link', { name: 'Use a recovery code' }).click())
    await page.getByRole('checkbox').check()
    await person.send({ recovery_code: codes[0] ?? '' })
    expect(await page.title()).toBe('Your account')
    await signOut(person)
    await signIn(person)
    expect(await page.title()).toBe('Your account')
    await person.leave()
  })

  test('a mailed code is the second factor, without scripts', async () => {
    const url = mailing.url.replace('127.0.0.1', 'localhost')
    const context = await browser.newContext({ locale: 'en-GB', javaScriptEnabled: false })
    const person = new Person('mia', context, await context.newPage(), url)
    const { page } = person
    await page.goto(`${url}/auth/account/sign-up/start`)
    await person.send({ email: 'mia@example.com', password: PASSWORD })
    await person.send({ code: await mailedCode(1) })
    await page.goto(`${url}/sign-in?return_to=/auth/account`)
    await person.send({ username: 'mia@example.com', current_password: PASSWORD })
    await press(person, 'Send the code')
    await person.send({ code: await mailedCode(2) })
    expect(await page.title()).toBe('Your account')
    await person.leave()
  })

  /** The code of the nth mail of the server. */
  async function mailedCode(nth: number): Promise<string> {
    let codes: (string | undefined)[] = []
    await expect
      .poll(
        () => {
          codes = [...mailing.output().matchAll(/"code":"([A-Z]{4}-[A-Z]{4})"/g)].map(
            ([, code]) => code,
          )
          return codes.length
        },
        { timeout: 10_000 },
      )
      .toBeGreaterThanOrEqual(nth)
    return codes[nth - 1] ?? ''
  }

  test('a passkey is the second factor, signs in alone by its button, and by autofill', async () => {
    const person = await arrive()
    const { page, context } = person
    const passkeys = await VirtualAuthenticator.attach(page)
    await context.addInitScript(WITHOUT_OFFER)
    await press(person, 'Add a passkey')
    expect(await page.title()).toBe('Store your recovery codes')
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByRole('button', { name: 'Copy the codes' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(
      await page.locator('pre').textContent(),
    )
    await passkeys.answer(false)
    await signOut(person)

    // The second step.
    await signIn(person)
    await passkeys.answer(true)
    await press(person, 'Use a passkey')
    expect(await page.title()).toBe('Your account')
    await passkeys.answer(false)
    await signOut(person)

    // The button, in a browser that cannot offer passkeys in a field.
    await passkeys.answer(true)
    await page.goto(`${originOf(page)}/sign-in?return_to=/auth/account#button`)
    await press(person, 'Log in with a passkey')
    expect(await page.title()).toBe('Your account')
    await passkeys.answer(false)
    await signOut(person)

    // The offer in the field for the username.
    await passkeys.answer(true)
    // The passkey may answer, and lead on, before the page has loaded.
    await page
      .goto(`${originOf(page)}/sign-in?return_to=/auth/account`, { waitUntil: 'commit' })
      .catch(() => undefined)
    await expect.poll(() => page.url()).toBe(`${originOf(page)}/auth/account`)
    await page.waitForLoadState()
    await passkeys.answer(false)
    await person.leave()
  })

  test('factors are added and removed after a confirmation, and the browser forgets the passkey', async () => {
    const person = await arrive(DESKTOP)
    const { page } = person
    const passkeys = await VirtualAuthenticator.attach(page)
    await press(person, 'Add a passkey')
    await page.goto(`${originOf(page)}/auth/account/factors`)
    age()
    await person.go(() => page.getByRole('link', { name: 'Set up an authenticator app' }).click())
    expect(await page.title()).toBe('Confirm it is you')
    await press(person, 'Use a passkey')
    expect(await page.title()).toBe('Authenticator app')
    await press(person, 'Set up an authenticator app')
    const secret = (await page.locator('pre').innerText()).replaceAll(' ', '')
    await person.send({ factor_name: 'Phone', totp: totpAt(secret, Date.now()) })
    expect(await page.locator('[role=status]').innerText()).toMatch(/^The factor is added/)
    expect(await page.locator('.rows > li').count()).toBe(2)

    const removed = passkeys.nextRemoved()
    await person.go(() => page.getByRole('link', { name: /Rename or remove: Passkey/ }).click())
    age()
    await press(person, 'Remove it')
    await press(person, 'Use a passkey')
    await press(person, 'Remove it')
    expect(await page.locator('[role=status]').innerText()).toMatch(/^The factor is removed/)
    await removed
    expect(await passkeys.count()).toBe(0)
    await person.leave()
  })

  test('the second step works with the keyboard only', async () => {
    const person = await arrive()
    const { page } = person
    const { secret } = await enrolApp(person)
    await signOut(person)
    await page.goto(`${originOf(page)}/sign-in?return_to=/auth/account`)
    await page.waitForFunction("document.activeElement?.id === 'username'")
    await page.keyboard.type(person.username)
    await page.keyboard.press('Tab')
    await page.keyboard.type(PASSWORD)
    await person.go(() => page.keyboard.press('Enter'))
    await page.waitForFunction("document.activeElement?.id === 'totp'")
    await page.keyboard.type(totpAt(secret, Date.now(), 1))
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    expect(await page.getByRole('checkbox').isChecked()).toBe(true)
    await person.go(() => page.keyboard.press('Enter'))
    expect(await page.title()).toBe('Your account')
    await person.leave()
  })

  test.each([
    ['phone-light', PHONE],
    ['desktop-dark', DESKTOP],
  ])('have no fault that axe finds: %s', async (name, look) => {
    // The policy stays on in all other tests. axe needs more than it allows.
    const person = await arrive({ ...look, bypassCSP: true })
    const { page } = person
    const check = async (shot: string): Promise<void> => {
      const folder = process.env['SCREENSHOTS']
      if (folder !== undefined) {
        await page.screenshot({ path: `${folder}/${shot}-${name}.png`, fullPage: true })
      }
      expect([shot, await faultsOf(page)]).toEqual([shot, []])
      expect(await page.evaluate('document.documentElement.scrollWidth'), shot).toBe(
        look.viewport.width,
      )
    }
    const passkeys = await VirtualAuthenticator.attach(page)
    await check('enrol')
    await press(person, 'Set up an authenticator app')
    const secret = (await page.locator('pre').innerText()).replaceAll(' ', '')
    await check('enrol-app')
    await person.send({ totp: '000000' })
    await check('enrol-app-wrong')
    await person.send({ totp: totpAt(secret, Date.now()) })
    await check('recovery-codes-shown')
    await page.goto(`${originOf(page)}/auth/account/passkey`)
    await check('add-passkey')
    await page.locator('#factor_name').fill('Laptop')
    await press(person, 'Add a passkey')
    await check('factors')
    await person.go(() => page.getByRole('link', { name: /Rename or remove: Laptop/ }).click())
    for (const part of ['factor', 'app', 'recovery-codes', 'confirm', 'review', 'due']) {
      if (part !== 'factor') await page.goto(`${originOf(page)}/auth/account/${part}`)
      await check(part)
    }
    await passkeys.answer(false)
    await signOut(person)
    await page.goto(`${originOf(page)}/sign-in`)
    await page.getByRole('button', { name: 'Log in with a passkey' }).waitFor()
    await check('sign-in-with-passkey')
    await signIn(person)
    await check('second-factor')
    await person.send({ totp: '000000' })
    await check('second-factor-wrong')
    await person.leave()
  })
})

function originOf(page: Page): string {
  return new URL(page.url()).origin
}

/** Presses a button that opens another page. */
async function press(person: Person, name: string): Promise<void> {
  await person.go(() => person.page.getByRole('button', { name, exact: true }).click())
}

/** The authenticator of the device, which CDP simulates. */
class VirtualAuthenticator {
  readonly #devtools: CDPSession
  readonly #authenticatorId: string

  private constructor(devtools: CDPSession, authenticatorId: string) {
    this.#devtools = devtools
    this.#authenticatorId = authenticatorId
  }

  static async attach(page: Page): Promise<VirtualAuthenticator> {
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('WebAuthn.enable')
    const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        ctap2Version: 'ctap2_1',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    })
    return new VirtualAuthenticator(devtools, authenticatorId)
  }

  /** Whether the person touches the device when a page asks. */
  async answer(enabled: boolean): Promise<void> {
    const authenticatorId = this.#authenticatorId
    await this.#devtools.send('WebAuthn.setAutomaticPresenceSimulation', {
      authenticatorId,
      enabled,
    })
  }

  async count(): Promise<number> {
    const authenticatorId = this.#authenticatorId
    const { credentials } = await this.#devtools.send('WebAuthn.getCredentials', {
      authenticatorId,
    })
    return credentials.length
  }

  /** Resolves when a page has told the browser that a passkey is gone. */
  nextRemoved(): Promise<void> {
    return new Promise((resolve) => {
      this.#devtools.once('WebAuthn.credentialDeleted', () => resolve())
    })
  }
}
