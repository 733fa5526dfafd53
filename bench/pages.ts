import type { Browser, CDPSession } from 'playwright-core'

import { startServerProcess } from '../packages/server/test/support/server-process.ts'
import { launchChromium } from '../tests/browser/chromium.ts'
import { report, type Row } from './lib/report.ts'
import { median, spread } from './lib/statistics.ts'

/**
 * `npm run bench -- pages`: what a browser loads to sign in, and the time until a person can type, in Debian's Chromium
 * on a throttled connection with an empty cache. The page can be used when its first field has the style of the page
 * and can be focused.
 */

const RUNS = 15
/** The profile "Slow 4G" of Lighthouse: what a phone with bad reception has. */
const SLOW_4G = { latency: 150, downloadThroughput: 1_638_400 / 8, uploadThroughput: 675_000 / 8 }

/** Resolves with the time since the navigation at which the first field is drawn, styled and can be focused. */
const USABLE = `new Promise((resolve) => {
  const look = () => {
    const field = document.querySelector('main input:not([type=hidden])')
    const isStyled = field !== null && parseFloat(getComputedStyle(field).minHeight) >= 40
    if (isStyled) {
      field.focus()
      if (document.activeElement === field) return resolve(performance.now())
    }
    requestAnimationFrame(look)
  }
  look()
})`

interface Load {
  readonly bytes: number
  readonly requests: number
  readonly usableMs: number
}

/** Opens the page in a browser that has never seen the server. */
async function load(browser: Browser, url: string, withScripts: boolean): Promise<Load> {
  const context = await browser.newContext({ javaScriptEnabled: withScripts })
  try {
    const page = await context.newPage()
    const cdp = await context.newCDPSession(page)
    await throttle(cdp)
    const seen = count(cdp)
    const startedAt = performance.now()
    // Without scripts, nothing is drawn before the style is there: the page can be used when it has loaded.
    await page.goto(url, { waitUntil: withScripts ? 'commit' : 'load' })
    const loadedMs = performance.now() - startedAt
    const usableMs = withScripts ? Number(await page.evaluate(USABLE)) : loadedMs
    await page.waitForLoadState('networkidle')
    return { ...seen, usableMs }
  } finally {
    await context.close()
  }
}

async function throttle(cdp: CDPSession): Promise<void> {
  await cdp.send('Network.enable')
  await cdp.send('Network.emulateNetworkConditions', { offline: false, ...SLOW_4G })
}

/** Counts the requests of a page and their bytes on the wire, with headers. */
function count(cdp: CDPSession): { bytes: number; requests: number } {
  const seen = { bytes: 0, requests: 0 }
  cdp.on('Network.requestWillBeSent', () => (seen.requests += 1))
  cdp.on('Network.loadingFinished', ({ encodedDataLength }) => (seen.bytes += encodedDataLength))
  return seen
}

async function measure(browser: Browser, url: string, withScripts: boolean): Promise<Row> {
  const loads: Load[] = []
  for (let run = 0; run < RUNS; run += 1) loads.push(await load(browser, url, withScripts))
  const usable = loads.map(({ usableMs }) => usableMs)
  return {
    page: new URL(url).pathname,
    scripts: withScripts ? 'on' : 'off',
    requests: Math.max(...loads.map(({ requests }) => requests)),
    bytes: Math.max(...loads.map(({ bytes }) => bytes)),
    'usable ms': Math.round(median(usable)),
    'spread %': Math.round(spread(usable) * 100),
  }
}

await using server = await startServerProcess({
  env: { COUNTERSIGN_SIGN_UP: 'true', COUNTERSIGN_THROTTLE: 'off' },
})
const origin = server.url.replace('127.0.0.1', 'localhost')
const browser = await launchChromium()
try {
  const signIn = await measure(browser, `${origin}/sign-in`, true)
  const rows = [
    signIn,
    await measure(browser, `${origin}/sign-in`, false),
    await measure(browser, `${origin}/auth/account/forgot`, true),
  ]
  report('pages', rows, {
    signin_kb: Number((Number(signIn['bytes']) / 1000).toFixed(1)),
    signin_requests: Number(signIn['requests']),
    signin_usable_ms: Number(signIn['usable ms']),
  })
} finally {
  await browser.close()
}
