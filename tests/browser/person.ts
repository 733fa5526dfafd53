import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'

import type { BrowserContext, Page } from 'playwright-core'
import { expect } from 'vitest'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** A person with a browser, which notes everything that a page must not do. */
export class Person {
  readonly username: string
  readonly context: BrowserContext
  readonly page: Page
  readonly #url: string
  readonly #complaints: string[] = []
  readonly #hosts = new Set<string>()

  constructor(username: string, context: BrowserContext, page: Page, url: string) {
    this.username = username
    this.context = context
    this.page = page
    this.#url = url
    page.on('console', (message) => {
      // The browser reports the status of a refused form.
      const isStatus = /the server responded with a status of 4\d\d/.test(message.text())
      if (!isStatus) this.#complaints.push(message.text())
    })
    page.on('pageerror', (error) => this.#complaints.push(String(error)))
    page.on('request', (request) => this.#hosts.add(new URL(request.url()).host))
  }

  /** Fills in the form of the page and sends it. */
  async send(values: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, value] of Object.entries(values)) {
      await this.page.locator(`#${name}`).fill(value)
    }
    await Promise.all([
      this.page.waitForNavigation(),
      this.page.locator('button[type=submit]').first().click(),
    ])
  }

  /** Presses a button, a link or a key that opens another page. */
  async go(act: () => Promise<unknown>): Promise<void> {
    await Promise.all([this.page.waitForNavigation(), act()])
  }

  /** Logs in without a browser. */
  async logInElsewhere(username: string, password: string): Promise<void> {
    const answer = await fetch(`${this.#url}/api/token/`, {
      method: 'POST',
      body: new URLSearchParams({ username, password }),
    })
    expect(answer.status).toBe(200)
  }

  /** Closes the browser: no page complained, violated its policy or asked another host. */
  async leave(): Promise<void> {
    await this.context.close()
    expect(this.#complaints).toEqual([])
    expect([...this.#hosts]).toEqual([new URL(this.#url).host])
  }
}

/** The rules of axe that the page breaks, with the elements. */
export async function faultsOf(page: Page): Promise<unknown> {
  await page.evaluate(AXE)
  return page.evaluate(`axe.run().then(({ violations }) =>
    violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))`)
}
