import {
  chromium,
  type Browser,
  type BrowserContext,
  type Cookie,
  type Page,
} from 'playwright-core'
import { expect } from 'vitest'

import type { Arrival } from './proxy.ts'

/**
 * Starts Debian's Chromium with an empty profile, which is deleted when it closes. `withPageCache` turns the
 * back/forward cache on, as for people. Playwright turns it off.
 */
export function launchChromium({ withPageCache = false } = {}): Promise<Browser> {
  return chromium.launch({
    ignoreDefaultArgs: withPageCache ? ['--disable-back-forward-cache'] : [],
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** The answer to an API call, as the page sees it. */
export interface PageAnswer {
  readonly status: number
  readonly text: string
}

/** The browser of one visitor, with its own cookies. */
export class Visitor implements AsyncDisposable {
  readonly context: BrowserContext

  private constructor(context: BrowserContext) {
    this.context = context
  }

  static async open(browser: Browser, options: { tls?: boolean } = {}): Promise<Visitor> {
    const context = await browser.newContext({ ignoreHTTPSErrors: options.tls ?? false })
    await context.addInitScript(WATCH)
    return new Visitor(context)
  }

  /** Opens a tab with the application of `startApp`. */
  async openApp(url: string): Promise<Page> {
    const page = await this.context.newPage()
    await page.goto(url)
    await page.waitForFunction('globalThis.auth !== undefined')
    return page
  }

  /** Returns the cookies of the browser, sorted by name. Two cookies with the same name are both listed. */
  async jar(): Promise<readonly Cookie[]> {
    const cookies = await this.context.cookies()
    return cookies.toSorted((a, b) => `${a.name} ${a.path}`.localeCompare(`${b.name} ${b.path}`))
  }

  async names(): Promise<string[]> {
    return (await this.jar()).map(({ name }) => name)
  }

  /** Asserts that no page of this browser could ever read a cookie, and that no page stored anything. */
  async expectNothingReadable(): Promise<void> {
    for (const page of this.context.pages()) await expectNothingReadableIn(page)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.context.close()
  }
}

/** Asserts that a page, which has run `WATCH`, could never read a cookie and has stored nothing. */
export async function expectNothingReadableIn(page: {
  evaluate(code: string): Promise<unknown>
  url(): string
}): Promise<void> {
  expect(await page.evaluate(READABLE), page.url()).toEqual(NOTHING)
}

/** Asserts that answers to a browser contain JWTs only in Set-Cookie. */
export function expectNoTokenIn(arrivals: readonly Arrival[]): void {
  const answers = arrivals.filter(({ secFetchSite }) => secFetchSite !== undefined)
  expect(answers.length).toBeGreaterThan(0)
  // This is the form of a JWT. Random text may contain `eyJ` too, but it has no dots.
  const wrong = answers.filter(({ readable }) => /eyJ[\w-]*\.[\w-]+\.[\w-]*/.test(readable))
  expect(wrong).toEqual([])
}

/** Runs at the start of every page and frame, and notes the cookies that the page can read. */
export const WATCH = `
  globalThis.cookiesSeen = []
  setInterval(() => {
    try { if (document.cookie !== '') cookiesSeen.push(document.cookie) } catch {} // a sandboxed frame
  }, 10)
`

const READABLE = `(async () => ({
  seen: cookiesSeen,
  cookie: document.cookie,
  cookieStore: (await globalThis.cookieStore?.getAll() ?? []).map(({ name }) => name),
  localStorage: { ...localStorage },
  sessionStorage: { ...sessionStorage },
  databases: (await indexedDB.databases()).map(({ name }) => name),
  caches: await globalThis.caches?.keys() ?? [],
}))()`

const NOTHING = {
  seen: [],
  cookie: '',
  cookieStore: [],
  localStorage: {},
  sessionStorage: {},
  databases: [],
  caches: [],
}

/** Calls an API with the code of the page, which refreshes when needed. */
export function call(page: Page, url: string, options: object = {}): Promise<PageAnswer> {
  return page.evaluate(
    `auth.call(${JSON.stringify(url)}, ${JSON.stringify(options)}).then(${READ_ANSWER})`,
  )
}

/** Calls an API with cookies only. */
export function callBare(page: Page, url: string, options: object = {}): Promise<PageAnswer> {
  const given = JSON.stringify({ credentials: 'include', ...options })
  return page.evaluate(`fetch(${JSON.stringify(url)}, ${given}).then(${READ_ANSWER})`)
}

const READ_ANSWER = 'async (answer) => ({ status: answer.status, text: await answer.text() })'

export function login(
  page: Page,
  { username, password }: { username: string; password: string },
): Promise<Record<string, unknown>> {
  return page.evaluate(`auth.login(${JSON.stringify(username)}, ${JSON.stringify(password)})`)
}

export function logout(page: Page): Promise<boolean> {
  return page.evaluate('auth.logout()')
}
