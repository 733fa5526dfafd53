import { expect, test } from 'vitest'

import { openLogoutReceiver } from './support/logout-receiver.ts'
import {
  claimsIn,
  openSsoAuthority,
  pageOf,
  refreshWith,
  registerApp,
  SsoBrowser,
  tokensOf,
  urlOf,
  type App,
} from './support/sso.ts'
import type { TestAuthority } from './support/authority.ts'

const LEFT = 'https://shop.example.com/left'

async function openLoggedIn(): Promise<{
  readonly it: TestAuthority
  readonly app: App
  readonly browser: SsoBrowser
  readonly tokens: Awaited<ReturnType<typeof tokensOf>>
}> {
  const it = await openSsoAuthority()
  const app = await registerApp(it, { postLogoutRedirectUris: [LEFT] })
  const browser = new SsoBrowser(it)
  return { it, app, browser, tokens: await tokensOf(it, app, browser) }
}

test('with an ID token of the session, an application logs the person out at once', async () => {
  const { it, app, browser, tokens } = await openLoggedIn()
  await using _ = it
  const url = urlOf(
    await browser.goTo('/oauth2/logout', {
      id_token_hint: tokens.id,
      post_logout_redirect_uri: LEFT,
      state: 'a b',
    }),
  )
  expect(url.href).toBe(`${LEFT}?state=a+b`)
  expect(it.authority.verify(tokens.access)).toMatchObject({ ok: false, code: 'session_ended' })
  expect((await refreshWith(it, app, tokens.refresh)).body).toMatchObject({
    error: 'invalid_grant',
  })
  expect(browser.jar.cookies.has('cs_refresh')).toBe(false)
})

test('without an ID token, a page asks first', async () => {
  const { it, app, browser, tokens } = await openLoggedIn()
  await using _ = it
  const page = pageOf(
    await browser.goTo('/oauth2/logout', { client_id: app.id, post_logout_redirect_uri: LEFT }),
  )
  expect(page.text).toContain('alice')
  expect(it.authority.verify(tokens.access).ok).toBe(true)
  const forged = await browser.post('/oauth2/logout/confirm', { csrf: 'x' })
  expect(forged.status).toBe(403)
  expect(it.authority.verify(tokens.access).ok).toBe(true)
  expect(urlOf(await browser.pressAndFollow(page)).href).toBe(LEFT)
  expect(it.authority.verify(tokens.access).ok).toBe(false)
})

test('the ID token of another session does not log anybody out', async () => {
  const { it, browser, tokens, app } = await openLoggedIn()
  await using _ = it
  const other = await tokensOf(it, app, new SsoBrowser(it))
  const page = pageOf(await browser.goTo('/oauth2/logout', { id_token_hint: other.id }))
  expect(page.title).toBe('Log out')
  expect(it.authority.verify(tokens.access).ok).toBe(true)
  expect(it.authority.verify(other.access).ok).toBe(true)
})

interface Wrong {
  readonly name: string
  readonly query: (app: App, id: string, access: string) => Readonly<Record<string, string>>
}

const WRONG: readonly Wrong[] = [
  {
    name: 'an unregistered address',
    query: (_, id) => ({ id_token_hint: id, post_logout_redirect_uri: 'https://evil.example/' }),
  },
  {
    name: 'a longer address',
    query: (app) => ({ client_id: app.id, post_logout_redirect_uri: `${LEFT}/more` }),
  },
  {
    name: 'another application',
    query: (_, id) => ({ id_token_hint: id, client_id: 'app_other' }),
  },
  {
    name: 'an unknown application',
    query: () => ({ client_id: 'app_other', post_logout_redirect_uri: LEFT }),
  },
  { name: 'an access token as a hint', query: (_, __, access) => ({ id_token_hint: access }) },
  { name: 'a changed ID token', query: (_, id) => ({ id_token_hint: `${id.slice(0, -6)}AAAAAA` }) },
]

test.each(WRONG)('R26 $name is refused without a redirect', async ({ query }) => {
  const { it, app, browser, tokens } = await openLoggedIn()
  await using _ = it
  const page = pageOf(await browser.goTo('/oauth2/logout', query(app, tokens.id, tokens.access)))
  expect(page.status).toBe(400)
  expect(page.html).not.toContain('evil.example')
  expect(it.authority.verify(tokens.access).ok).toBe(true)
})

test('without a session, the application gets the person back', async () => {
  const { it, app, tokens } = await openLoggedIn()
  await using _ = it
  const query = { client_id: app.id, id_token_hint: tokens.id, post_logout_redirect_uri: LEFT }
  const url = urlOf(await new SsoBrowser(it).goTo('/oauth2/logout', query))
  expect(url.href).toBe(LEFT)
  expect(it.authority.verify(tokens.access).ok).toBe(true)
})

test('the parameters may come as a form', async () => {
  const { it, browser, tokens } = await openLoggedIn()
  await using _ = it
  const answer = await browser.ask('/oauth2/logout', {
    method: 'POST',
    body: new URLSearchParams({ id_token_hint: tokens.id, post_logout_redirect_uri: LEFT }),
    headers: { 'sec-fetch-site': 'cross-site', origin: 'https://shop.example.com' },
  })
  expect(urlOf(await browser.follow(answer)).href).toBe(LEFT)
})

test('logging out of one application ends the other, and both are told', async () => {
  await using it = await openSsoAuthority()
  await using shop = await openLogoutReceiver()
  await using wiki = await openLogoutReceiver()
  const register = (name: string, url: string): Promise<App> =>
    registerApp(it, { name, firstParty: true, backchannelLogoutUri: url })
  const [shopApp, wikiApp] = [await register('shop', shop.url), await register('wiki', wiki.url)]
  const browser = new SsoBrowser(it)
  const atShop = await tokensOf(it, shopApp, browser)
  const atWiki = await tokensOf(it, wikiApp, browser)
  const elsewhere = await tokensOf(it, wikiApp, new SsoBrowser(it))
  await browser.goTo('/oauth2/logout', { id_token_hint: atShop.id })
  expect(it.authority.verify(atWiki.access).ok).toBe(false)
  expect(it.authority.verify(elsewhere.access).ok).toBe(true)
  for (const [receiver, app, { id }] of [
    [shop, shopApp, atShop],
    [wiki, wikiApp, atWiki],
  ] as const) {
    await expect.poll(() => receiver.received, { timeout: 10_000 }).toHaveLength(1)
    const { sub, sid } = claimsIn(id)
    const claims = claimsIn(receiver.received[0]?.token ?? '')
    expect(claims).toMatchObject({ aud: app.id, sub, sid })
  }
})
