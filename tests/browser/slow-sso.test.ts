import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import * as openid from 'openid-client'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import {
  startServerProcess,
  type ServerProcess,
} from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { launchChromium } from './chromium.ts'
import { Person } from './person.ts'
import { portOf } from './proxy.ts'

const PASSWORD = 'a long password of a person'
const SECRET = 'the-secret-of-an-application-0123456789'
const ID = 'app_shop'

/** An application on another site than the server: `127.0.0.1` instead of `localhost`. */
class Shop implements AsyncDisposable {
  readonly #server = createServer((incoming, outgoing) => {
    this.#answer(incoming, outgoing).catch((error: unknown) => {
      outgoing.writeHead(500).end(String(error))
    })
  })
  #config: openid.Configuration | undefined
  readonly #verifiers = new Map<string, string>()
  idToken = ''

  static async start(): Promise<Shop> {
    const shop = new Shop()
    await new Promise<void>((resolve) => shop.#server.listen(0, '127.0.0.1', resolve))
    return shop
  }

  get url(): string {
    return `http://127.0.0.1:${portOf(this.#server)}`
  }

  async connect(issuer: string): Promise<void> {
    this.#config = await openid.discovery(
      new URL(issuer),
      ID,
      SECRET,
      openid.ClientSecretBasic(SECRET),
      { execute: [openid.allowInsecureRequests] },
    )
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', this.url)
    const config = this.#config
    if (config === undefined) throw new Error('The shop is not connected.')
    if (url.pathname === '/login') {
      const state = openid.randomState()
      const verifier = openid.randomPKCECodeVerifier()
      this.#verifiers.set(state, verifier)
      const start = openid.buildAuthorizationUrl(config, {
        redirect_uri: `${this.url}/callback`,
        scope: 'openid profile',
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        ...Object.fromEntries(url.searchParams),
      })
      outgoing.writeHead(303, { location: start.href }).end()
      return
    }
    if (url.pathname === '/callback') {
      const expectedState = url.searchParams.get('state') ?? ''
      if (url.searchParams.has('error'))
        return page(outgoing, `Refused: ${url.searchParams.get('error')}`)
      const tokens = await openid.authorizationCodeGrant(config, url, {
        pkceCodeVerifier: this.#verifiers.get(expectedState) ?? '',
        expectedState,
      })
      this.idToken = tokens.id_token ?? ''
      const name = tokens.claims()?.['preferred_username']
      return page(outgoing, `Hello ${typeof name === 'string' ? name : ''}`)
    }
    page(outgoing, url.pathname === '/left' ? 'Bye' : 'Shop', '<a href="/login">Log in</a>')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function page(outgoing: ServerResponse, title: string, more = ''): void {
  outgoing
    .writeHead(200, { 'content-type': 'text/html' })
    .end(`<!doctype html><title>${title}</title><link rel="icon" href="data:,">${more}`)
}

describeWith('chromium', 'logging in to an application, in Chromium', () => {
  let server: ServerProcess
  let shop: Shop
  let browser: Browser
  let url: string
  const folder = mkdtempSync(join(tmpdir(), 'countersign-shop-'))
  beforeAll(async () => {
    shop = await Shop.start()
    const file = join(folder, 'applications.json')
    const application = {
      id: ID,
      name: 'shop',
      title: 'Shop',
      kind: 'confidential',
      redirectUris: [`${shop.url}/callback`],
      postLogoutRedirectUris: [`${shop.url}/left`],
      secrets: [{ env: 'SHOP_SECRET' }],
    }
    writeFileSync(file, JSON.stringify([application]), { mode: 0o600 })
    server = await startServerProcess({
      env: {
        COUNTERSIGN_SIGN_UP: 'true',
        COUNTERSIGN_THROTTLE: 'off',
        COUNTERSIGN_APPLICATIONS_FILE: file,
        SHOP_SECRET: SECRET,
      },
    })
    url = server.url.replace('127.0.0.1', 'localhost')
    const metadata = await fetch(`${url}/.well-known/openid-configuration`)
    const { issuer } = (await metadata.json()) as { issuer: string }
    await shop.connect(issuer)
    url = issuer
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.[Symbol.asyncDispose]()
    await shop?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  test.each([true, false])(
    'a person logs in, allows, comes back and logs out, with scripts: %s',
    async (javaScriptEnabled) => {
      const username = `person-${javaScriptEnabled}`
      const signUp = await fetch(`${server.url}/auth/signup`, {
        method: 'POST',
        body: new URLSearchParams({ username, password: PASSWORD }),
      })
      expect(signUp.status).toBe(201)
      const context = await browser.newContext({ locale: 'en-GB', javaScriptEnabled })
      const person = new Person(username, context, await context.newPage(), url)
      const { page: tab } = person

      await tab.goto(shop.url)
      await tab.getByRole('link', { name: 'Log in' }).click()
      await tab.waitForURL(/\/sign-in/)
      await tab.locator('#username').fill(username)
      await tab.locator('#current_password').fill(PASSWORD)
      await tab.locator('button[type=submit]').first().click()
      await expect.poll(() => tab.title()).toBe('Allow Shop?')
      await tab.getByRole('button', { name: 'Allow', exact: true }).click()
      await expect.poll(() => tab.title()).toBe(`Hello ${username}`)

      // The second time nothing is asked.
      await tab.goto(shop.url)
      await tab.getByRole('link', { name: 'Log in' }).click()
      await expect.poll(() => tab.title()).toBe(`Hello ${username}`)

      // The access cookie is gone, and the strict one is hidden from a link of another site.
      await context.clearCookies({ name: /access|cs_sso/ })
      await tab.goto(shop.url)
      await tab.getByRole('link', { name: 'Log in' }).click()
      await expect.poll(() => tab.title()).toBe(`Hello ${username}`)

      const query = new URLSearchParams({
        id_token_hint: shop.idToken,
        post_logout_redirect_uri: `${shop.url}/left`,
      })
      await context.clearCookies({ name: /access/ })
      await tab.goto(`${url}/oauth2/logout?${query.toString()}`)
      await expect.poll(() => tab.title()).toBe('Bye')
      await tab.goto(`${shop.url}/login?prompt=none`)
      await expect.poll(() => tab.title()).toBe('Refused: login_required')
      await context.close()
    },
  )
})
