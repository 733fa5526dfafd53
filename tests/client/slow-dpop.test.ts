import { join } from 'node:path'

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createDpopChecker } from '../../packages/guard/src/dpop.ts'
import { launchChromium, Visitor } from '../browser/chromium.ts'
import { type Site, startPages } from '../browser/sites.ts'
import { bundle } from '../support/bundle.ts'

const ENTRY = join(import.meta.dirname, '../../packages/client/src/dpop.ts')
const PAGE = `<!doctype html><title>App</title><script type="module">
import { createDpop } from '/dpop.js'
globalThis.send = createDpop()
</script>`

let browser: Browser
let pages: Site
beforeAll(async () => {
  const code = await bundle(ENTRY)
  pages = await startPages((path) => (path.endsWith('.js') ? code : PAGE))
  browser = await launchChromium()
})
afterAll(async () => {
  await browser.close()
  await pages[Symbol.asyncDispose]()
})

async function openTab(visitor: Visitor): Promise<Page> {
  const page = await visitor.context.newPage()
  await page.goto(`http://localhost:${pages.port}/`)
  await page.waitForFunction('globalThis.send !== undefined')
  return page
}

const checker = createDpopChecker()

/** Sends a request for tokens, checks its proof, and returns the thumbprint of its key. */
async function keyOf(page: Page): Promise<string> {
  const url = `http://localhost:${pages.port}/api/token/`
  const sent = page.waitForRequest(url)
  await page.evaluate("send('/api/token/', { method: 'POST' }).then(() => {})")
  const proofs = [(await sent).headers()['dpop'] ?? '']
  const result = await checker.check({ proofs, method: 'POST', url })
  return result.ok ? result.jkt : result.reason
}

test('all tabs of a browser and all its visits have one key, and another browser has another', async () => {
  await using visitor = await Visitor.open(browser)
  const tabs = await Promise.all([openTab(visitor), openTab(visitor), openTab(visitor)])
  const [first, ...others] = await Promise.all(tabs.map(keyOf))
  expect(first).toMatch(/^[\w-]{43}$/)
  expect(others).toEqual([first, first])
  await tabs[0].reload()
  await tabs[0].waitForFunction('globalThis.send !== undefined')
  expect(await keyOf(tabs[0])).toBe(first)

  await using stranger = await Visitor.open(browser)
  expect(await keyOf(await openTab(stranger))).not.toBe(first)
})

test('no script can read the private key', async () => {
  await using visitor = await Visitor.open(browser)
  const page = await openTab(visitor)
  await keyOf(page)
  const outcome = await page.evaluate(`new Promise((resolve) => {
    const opening = indexedDB.open('countersign-dpop')
    opening.onsuccess = () => {
      const asked = opening.result.transaction('countersign-dpop').objectStore('countersign-dpop').get('key')
      asked.onsuccess = () => {
        const { privateKey } = asked.result
        crypto.subtle.exportKey('jwk', privateKey).then(
          () => resolve('exported'),
          ({ name }) => resolve(privateKey.extractable + ' ' + name),
        )
      }
    }
  })`)
  expect(outcome).toBe('false InvalidAccessError')
})
