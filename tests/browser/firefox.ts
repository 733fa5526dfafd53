import { launch, type Browser, type BrowserContext, type Page } from 'puppeteer-core'

import { expectNothingReadableIn, WATCH } from './chromium.ts'

/**
 * Starts Debian's Firefox with an empty profile, which is deleted when it closes. Puppeteer drives it with WebDriver
 * BiDi. Playwright cannot: it needs a Firefox of its own.
 */
export function launchFirefox(): Promise<Browser> {
  return launch({
    browser: 'firefox',
    // Otherwise Firefox outlives a test run that is killed.
    executablePath: '/usr/bin/setpriv',
    ignoreDefaultArgs: true,
    args: ['--pdeathsig', 'KILL', '/usr/bin/firefox-esr', '--headless', 'about:blank'],
  })
}

/** The Firefox of one visitor, with its own cookies. */
export class FirefoxVisitor implements AsyncDisposable {
  readonly context: BrowserContext

  private constructor(context: BrowserContext) {
    this.context = context
  }

  static async open(browser: Browser): Promise<FirefoxVisitor> {
    return new FirefoxVisitor(await browser.createBrowserContext())
  }

  /** Opens a tab at a URL. `before` runs at the start of every page in this tab. */
  async openTab(url: string, before = ''): Promise<Page> {
    const page = await this.context.newPage()
    await page.evaluateOnNewDocument(WATCH + before)
    await page.goto(url)
    return page
  }

  /** Asserts that no page of this browser could ever read a cookie, and that no page stored anything. */
  async expectNothingReadable(): Promise<void> {
    for (const page of await this.context.pages()) await expectNothingReadableIn(page)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.context.close()
  }
}
