import { expect, test } from 'vitest'

import { ISSUER, PASSWORD, TestClock } from './support/authority.ts'
import { enrolApp, totpAt } from './support/factors.ts'
import {
  beginLogin,
  claimsIn,
  exchange,
  openSsoAuthority,
  pageOf,
  readTokens,
  registerApp,
  SsoBrowser,
  urlOf,
} from './support/sso.ts'

async function openWithApp(clock = new TestClock()) {
  const it = await openSsoAuthority({ clock })
  const app = await registerApp(it, { firstParty: true })
  const browser = new SsoBrowser(it)
  await browser.jar.login()
  return { it, app, browser, clock }
}

test('prompt=login asks for a new proof, also of a person who has just logged in', async () => {
  const { it, app, browser, clock } = await openWithApp()
  await using _ = it
  clock.advanceMs(1_000)
  const login = beginLogin(app, { prompt: 'login' })
  const confirm = pageOf(await browser.goTo('/oauth2/authorize', login.query))
  expect(confirm.path).toMatch(/^\/auth\/account\/confirm/)
  clock.advanceMs(1_000)
  const url = urlOf(await browser.pressAndFollow(confirm, { current_password: PASSWORD }))
  const { id } = readTokens(await exchange(it, app, login, url))
  expect(claimsIn(id)['auth_time']).toBe(Math.floor(clock.nowMs() / 1000))
})

test('R11 leaving out a parameter on the way does not help', async () => {
  const { it, app, browser, clock } = await openWithApp()
  await using _ = it
  clock.advanceMs(1_000)
  const login = beginLogin(app, { prompt: 'login' })
  const confirm = pageOf(await browser.goTo('/oauth2/authorize', login.query))
  const back = new URL(confirm.path, ISSUER).searchParams.get('return_to') ?? ''
  // The person opens the next pages without a proof.
  const [path = ''] = back.split('?')
  const again = pageOf(await browser.goTo(path, {}, 'same-origin'))
  expect(again.path).toMatch(/^\/auth\/account\/confirm/)
  const resume = path.replace('/oauth2/interaction/', '/oauth2/authorize/')
  const resumed = pageOf(await browser.goTo(resume, { prompt: '' }, 'same-origin'))
  expect(resumed.path).toMatch(/^\/auth\/account\/confirm/)
})

test('max_age asks for a new proof only after that time', async () => {
  const { it, app, browser, clock } = await openWithApp()
  await using _ = it
  clock.advanceMs(60_000)
  const enough = beginLogin(app, { max_age: '60' })
  expect(
    urlOf(await browser.goTo('/oauth2/authorize', enough.query)).searchParams.has('code'),
  ).toBe(true)
  const silent = beginLogin(app, { max_age: '59', prompt: 'none' })
  const refused = urlOf(await browser.goTo('/oauth2/authorize', silent.query))
  expect(refused.searchParams.get('error')).toBe('login_required')
  const login = beginLogin(app, { max_age: '1' })
  const confirm = pageOf(await browser.goTo('/oauth2/authorize', login.query))
  const arrival = await browser.pressAndFollow(confirm, { current_password: PASSWORD })
  const { id } = readTokens(await exchange(it, app, login, urlOf(arrival)))
  expect(claimsIn(id)['auth_time']).toBe(Math.floor(clock.nowMs() / 1000))
})

test('an essential class that the person cannot reach is an error for the application', async () => {
  const { it, app, browser } = await openWithApp()
  await using _ = it
  const claims = JSON.stringify({ id_token: { acr: { essential: true, values: ['aal2'] } } })
  const url = urlOf(await browser.goTo('/oauth2/authorize', beginLogin(app, { claims }).query))
  expect(url.searchParams.get('error')).toBe('unmet_authentication_requirements')
})

test('a class that the application only would like does not stop a person without a second factor', async () => {
  const { it, app, browser } = await openWithApp()
  await using _ = it
  const login = beginLogin(app, { acr_values: 'aal2' })
  const url = urlOf(await browser.goTo('/oauth2/authorize', login.query))
  const { id } = readTokens(await exchange(it, app, login, url))
  expect(claimsIn(id)).not.toHaveProperty('acr')
  const unknown = beginLogin(app, { acr_values: 'urn:something' })
  expect(
    urlOf(await browser.goTo('/oauth2/authorize', unknown.query)).searchParams.has('code'),
  ).toBe(true)
})

test('a class of two factors is reached with the second factor of the person, and not without', async () => {
  const { it, app, browser, clock } = await openWithApp()
  await using _ = it
  const { secret } = await enrolApp({ authority: it.authority, clock }, await it.login())
  clock.advanceMs(60_000)
  const claims = JSON.stringify({ id_token: { acr: { essential: true, values: ['aal2'] } } })
  const login = beginLogin(app, { claims })
  const confirm = pageOf(await browser.goTo('/oauth2/authorize', login.query))
  expect(confirm.path).toMatch(/^\/auth\/account\/confirm/)
  const wrong = pageOf(await browser.pressAndFollow(confirm, { totp: '000000' }))
  expect(wrong.text).toContain('wrong')
  const totp = totpAt(secret, clock.nowMs())
  const url = urlOf(await browser.pressAndFollow(wrong, { totp }))
  const { id, access } = readTokens(await exchange(it, app, login, url))
  expect(claimsIn(id)).toMatchObject({ acr: 'aal2', amr: expect.arrayContaining(['mfa']) })
  expect(claimsIn(access)['acr']).toBe('aal2')
})

test('a person who is asked for the account continues, or logs in with another one', async () => {
  const { it, app, browser, clock } = await openWithApp()
  await using _ = it
  const bob = { username: 'bob', password: 'staple and no donkey' }
  await it.authority.accounts.create(bob, 'test')
  clock.advanceMs(1_000)
  const login = beginLogin(app, { prompt: 'select_account' })
  const page = pageOf(await browser.goTo('/oauth2/authorize', login.query))
  expect(page.text).toContain('logged in as alice')
  const follow = async (part: RegExp) => {
    const link = page.tags.find(({ attributes: { href } }) => part.test(href ?? ''))
    return browser.goTo(link?.attributes['href'] ?? '', {}, 'same-origin')
  }
  const alice = await exchange(it, app, login, urlOf(await follow(/^\/oauth2\/interaction\//)))
  expect(claimsIn(readTokens(alice).id)['sub']).toMatch(/^acct_/)

  const again = pageOf(await browser.goTo('/oauth2/authorize', login.query))
  const other = again.tags.find(({ attributes: { href } }) => href?.includes('other=1'))
  const form = await browser.open(other?.attributes['href'] ?? '')
  const url = urlOf(await browser.signIn(form, bob.username, bob.password))
  const second = await exchange(it, app, login, url)
  expect(claimsIn(readTokens(second).id)['sub']).not.toBe(claimsIn(readTokens(alice).id)['sub'])
})
