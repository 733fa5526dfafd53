import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { launchChromium } from '../tests/browser/chromium.ts'
import { ALICE, CLIENT, startClientWorld } from '../tests/client/world.ts'
import { bundle } from '../tests/support/bundle.ts'
import { report, type Row } from './lib/report.ts'

/**
 * `npm run bench -- client`: the size of `@countersign/client` in a page, and the refreshes that ten tabs need when
 * their access token has gone, in Debian's Chromium.
 */

const TABS = 10
const FACTORS = join(import.meta.dirname, '../packages/client/src/factors.ts')
const BINDINGS = join(import.meta.dirname, '../packages/client/src/bindings')

// The client imports it when somebody needs a second factor, uses a passkey or confirms who they are.
const LATER = /\/factors\.ts$/

/** The bytes of a bundled and minified module that a browser downloads. React and axios are not counted. */
async function sizeOf(entry: string, name: string): Promise<Row> {
  const code = await bundle(entry, ['axios', 'react', ...(entry === FACTORS ? [] : [LATER])])
  return { what: name, bytes: code.length, 'bytes gzip': gzipSync(code, { level: 9 }).length }
}

/** The refreshes on the wire while ten tabs call an API at the same moment, and the time until all have answers. */
async function countRefreshes(withLocks: boolean): Promise<Row> {
  await using world = await startClientWorld()
  const browser = await launchChromium()
  try {
    await using visitor = await world.visit(browser)
    if (!withLocks) await visitor.context.addInitScript('delete Navigator.prototype.locks')
    const first = await world.openTab(visitor)
    await first.evaluate(`client.login(${JSON.stringify(ALICE)})`)
    const others = Array.from({ length: TABS - 1 }, () => world.openTab(visitor))
    const tabs = [first, ...(await Promise.all(others))]
    for (const tab of tabs) await tab.evaluate('client.session()')
    await visitor.context.clearCookies({ name: 'cs_access' })
    let elapsedMs = 0
    const refreshes = await world.during('/auth/refresh', async () => {
      const startedAt = performance.now()
      const call = "client.fetch('/api/me').then(({ status }) => status)"
      const statuses = await Promise.all(tabs.map((tab) => tab.evaluate(call)))
      elapsedMs = performance.now() - startedAt
      if (statuses.some((status) => status !== 200)) throw new Error(`tabs got ${statuses.join()}`)
    })
    return {
      what: `${TABS} tabs ${withLocks ? 'with' : 'without'} Web Locks`,
      refreshes: refreshes.length,
      ms: Math.round(elapsedMs),
    }
  } finally {
    await browser.close()
  }
}

const core = await sizeOf(CLIENT, 'client')
const locked = await countRefreshes(true)
const rows = [
  core,
  await sizeOf(FACTORS, 'second factors and passkeys, loaded when needed'),
  await sizeOf(join(BINDINGS, 'react.ts'), 'react binding'),
  await sizeOf(join(BINDINGS, 'axios.ts'), 'axios binding'),
  locked,
  await countRefreshes(false),
]
report('client', rows, {
  client_bytes_gz: Number(core['bytes gzip']),
  refreshes_for_ten_tabs: Number(locked['refreshes']),
})
