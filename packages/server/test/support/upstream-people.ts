import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { AuthorityConfig } from '../../src/authority.ts'
import { openMailingAuthority, type MailingAuthority } from './mails.ts'
import { PageBrowser, type SeenPage } from './pages.ts'
import { CLIENT, IssuerBrowser, startIssuer, type Issuer } from './upstream.ts'

/** An authority whose people can log in with a real provider, which is called `work`. */
export interface UpstreamWorld extends MailingAuthority {
  readonly issuer: Issuer
}

/** Writes the file of `COUNTERSIGN_UPSTREAMS_FILE`. */
export function writeProviders(entries: readonly object[]): Disposable & { readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-providers-'))
  const path = join(folder, 'upstreams.json')
  writeFileSync(path, JSON.stringify(entries), { mode: 0o600 })
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

/** The entry of a provider for that file. */
export function entryOf(url: string, more: object = {}): object {
  const { id: clientId, secret: clientSecret } = CLIENT
  return { name: 'work', title: 'Work', issuer: url, clientId, clientSecret, ...more }
}

/** Opens an authority with a provider. Unknown identities create accounts. */
export async function openUpstreamWorld(
  config: AuthorityConfig = {},
  entry: object = {},
): Promise<UpstreamWorld> {
  const issuer = await startIssuer()
  const file = writeProviders([entryOf(issuer.url, entry)])
  const own = { upstreamsFile: file.path, upstreamSignUp: true }
  const it = await openMailingAuthority({ ...own, ...config })
  const close = it[Symbol.asyncDispose].bind(it)
  return Object.assign(it, {
    issuer,
    [Symbol.asyncDispose]: async () => {
      await close()
      file[Symbol.dispose]()
      await issuer[Symbol.asyncDispose]()
    },
  })
}

/** Begins a log-in, and goes through the provider. Returns the path to which the provider sends the browser. */
export async function toCallback(
  browser: PageBrowser,
  who: string,
  { name = 'work', query = '' } = {},
): Promise<string> {
  const started = await browser.open(`/auth/upstream/${name}${query}`)
  if (started.status !== 303) throw new Error(`${started.status}: ${started.text}`)
  return new IssuerBrowser().goAs(who, started.headers.get('location'))
}

/** Logs in as a person of the provider. Returns the answer to the callback. */
export async function logInAs(
  browser: PageBrowser,
  who: string,
  options: { readonly name?: string; readonly query?: string } = {},
): Promise<SeenPage> {
  return browser.ask(await toCallback(browser, who, options), {
    headers: { 'sec-fetch-site': 'cross-site' },
  })
}

/** Who is logged in in a browser. */
export async function whoIs(browser: PageBrowser): Promise<Readonly<Record<string, unknown>>> {
  const { text } = await browser.jar.get('/auth/me')
  return { email: null, ...(JSON.parse(text) as Readonly<Record<string, unknown>>) }
}
