import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { PASSWORD, USERNAME } from './support/authority.ts'
import { membersOf } from './support/browser.ts'
import { callWith } from './support/factors.ts'
import { expectSafe } from './support/page-safety.ts'
import { PageBrowser, type SeenPage } from './support/pages.ts'
import { IssuerBrowser } from './support/upstream.ts'
import { logInAs, openUpstreamWorld, whoIs, type UpstreamWorld } from './support/upstream-people.ts'

const EMAIL = 'alice@example.com'
const PAGE = '/auth/account/identities'

let it: UpstreamWorld
let browser: PageBrowser
beforeEach(async () => {
  it = await openUpstreamWorld()
  await it.authority.accounts.setEmail(USERNAME, { address: EMAIL, verified: true }, 'test')
  it.issuer.people.set('u-1', { email: 'alice@work.example', email_verified: true })
  browser = await signedIn()
})
afterEach(() => it[Symbol.asyncDispose]())

async function signedIn(): Promise<PageBrowser> {
  const own = new PageBrowser(it)
  const page = await own.open('/sign-in')
  await own.press(page, { username: USERNAME, current_password: PASSWORD }, { form: '/sign-in' })
  return own
}

/** Presses the button that links an identity, and returns the page that leads to the provider. */
async function pressLink(by = browser): Promise<SeenPage> {
  return by.press(await by.open(PAGE), {}, { button: 'Link Work' })
}

function targetOf(page: SeenPage): string | null {
  return (
    page.tags.find(({ name, text }) => name === 'a' && text === 'Continue')?.attributes['href'] ??
    null
  )
}

/** Links the identity of a person to the account of a browser. */
async function link(who = 'u-1', by = browser): Promise<SeenPage> {
  const leaving = await pressLink(by)
  const path = await new IssuerBrowser().goAs(who, targetOf(leaving))
  return by.ask(path, {})
}

async function labels(): Promise<readonly string[]> {
  const listed = await it.authority.identities.list(USERNAME)
  return listed.ok ? listed.value.map(({ label }) => label) : []
}

test('a person links an identity on the account page, and logs in with it', async () => {
  const page = await browser.open(PAGE)
  expectSafe(page)
  expect(page.text).toMatch(/Nothing is linked to your account/)
  const leaving = await pressLink()
  expect([leaving.status, leaving.title]).toEqual([200, 'Going to Work'])
  const done = await browser.ask(await new IssuerBrowser().goAs('u-1', targetOf(leaving)), {})
  expect([done.status, done.headers.get('location')]).toEqual([303, `${PAGE}?done=identity-added`])
  const listed = await browser.open(PAGE)
  expectSafe(listed)
  expect(listed.text).toMatch(/Work alice@work\.example Linked/)
  const other = new PageBrowser(it)
  await logInAs(other, 'u-1')
  expect(await whoIs(other)).toMatchObject({ username: USERNAME, amr: ['fed'] })
  expect((await it.nextMail()).kind).toBe('factor_changed')
})

test('the overview leads to the page, in both languages', async () => {
  expect((await browser.open('/auth/account')).text).toMatch(/Other identities/)
  expect((await browser.open('/auth/account?lang=de')).text).toMatch(/Andere Identitäten/)
  expectSafe(await browser.open(`${PAGE}?lang=de`))
})

describe('linking', () => {
  test('an old session confirms who the person is first', async () => {
    it.clock.advanceMs(10 * 60_000 + 1)
    const page = await pressLink()
    expect(page.path).toBe('/auth/account/confirm?return_to=%2Fauth%2Faccount%2Fidentities')
    expect([...browser.jar.cookies.keys()].filter((name) => name.includes('upstream'))).toEqual([])
  })

  test('a form of another site links nothing', async () => {
    const page = await browser.post(
      PAGE,
      { add: 'work' },
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    )
    expect(page.status).toBe(403)
  })

  test('an identity of another account is not taken from it', async () => {
    await logInAs(new PageBrowser(it), 'u-1')
    const page = await link()
    expect([page.status, page.text]).toEqual([
      409,
      expect.stringMatching(/has this identity already/),
    ])
    expect(await labels()).toEqual([])
  })

  test('it needs the session in which it began', async () => {
    const leaving = await pressLink()
    const path = await new IssuerBrowser().goAs('u-1', targetOf(leaving))
    await it.authority.accounts.setPassword(USERNAME, 'staple and no donkey', 'test')
    const page = await browser.ask(path, {})
    expect([page.status, await labels()]).toEqual([401, []])
  })

  test('another browser cannot finish it', async () => {
    const leaving = await pressLink()
    const path = await new IssuerBrowser().goAs('u-1', targetOf(leaving))
    expect((await (await signedIn()).ask(path, {})).status).toBe(400)
    expect(await labels()).toEqual([])
  })

  test('a page with cookies begins it by the API', async () => {
    const { csrf_token: token } = membersOf(await browser.jar.get('/auth/csrf'))
    const begun = await browser.jar.visit('/auth/identities/link', {
      headers: { 'x-csrf-token': String(token) },
      body: { provider: 'work', return_to: '/auth/account/sessions' },
    })
    expect(begun.status).toBe(200)
    const path = await new IssuerBrowser().goAs('u-1', String(membersOf(begun)['url']))
    const done = await browser.ask(path, {})
    expect(done.headers.get('location')).toBe('/auth/account/sessions')
    expect(await labels()).toEqual(['alice@work.example'])
  })

  test.each([
    ['without the CSRF token', undefined, 'work', 403],
    ['with an unknown provider', 'right', 'nobody', 404],
  ])('the API refuses to begin %s', async (_what, has, provider, status) => {
    const { csrf_token: token } = membersOf(await browser.jar.get('/auth/csrf'))
    const answer = await browser.jar.visit('/auth/identities/link', {
      withoutToken: true,
      headers: has === undefined ? {} : { 'x-csrf-token': String(token) },
      body: { provider },
    })
    expect(answer.status).toBe(status)
  })

  test('a session with a token in the header has no browser that could come back', async () => {
    const { access } = await it.login()
    const answer = await callWith(it, access, 'POST', '/auth/identities/link', { provider: 'work' })
    expect(JSON.parse(answer.text)).toMatchObject({ status: 401, code: 'cookie_missing' })
  })
})

describe('unlinking', () => {
  test('a person removes an identity, which then logs in to another account', async () => {
    await link()
    const listed = await browser.open(PAGE)
    const removed = await browser.press(listed, {}, { button: 'Remove Work (alice@work.example)' })
    expect(removed.text).toMatch(/The identity is removed from your account/)
    expect(await labels()).toEqual([])
    const other = new PageBrowser(it)
    await logInAs(other, 'u-1')
    expect((await whoIs(other))['username']).not.toBe(USERNAME)
    const { entries } = await it.authority.audit.list({})
    expect(entries.map(({ event }) => event)).toContain('identity_unlinked')
  })

  test('the last way to log in stays', async () => {
    const carol = new PageBrowser(it)
    await logInAs(carol, 'u-1')
    const page = await carol.open(PAGE)
    const refused = await carol.press(page, {}, { button: 'Remove Work (alice@work.example)' })
    expect([refused.status, refused.text]).toEqual([
      409,
      expect.stringMatching(/could not log in without this identity/),
    ])
    const { username } = await whoIs(carol)
    const listed = await it.authority.identities.list(String(username))
    const [identity] = listed.ok ? listed.value : []
    expect(
      await it.authority.identities.unlink(String(username), identity?.id ?? '', 'test'),
    ).toEqual(expect.objectContaining({ ok: false, code: 'identity_last' }))
    // A second identity is another way.
    it.issuer.people.set('u-2', { email: 'alice@home.example', email_verified: true })
    await link('u-2', carol)
    const both = await carol.open(PAGE)
    const done = await carol.press(both, {}, { button: 'Remove Work (alice@work.example)' })
    expect(done.text).toMatch(/The identity is removed/)
  })

  test('the API removes an identity, once', async () => {
    await link()
    const { access } = await it.login()
    const listed = await callWith(it, access, 'GET', '/auth/identities')
    const { identities } = JSON.parse(listed.text) as { identities: readonly { id: string }[] }
    const path = `/auth/identities/${identities[0]?.id}`
    expect((await callWith(it, access, 'DELETE', path)).status).toBe(200)
    const again = await callWith(it, (await it.login()).access, 'DELETE', path)
    expect(again.status).toBe(404)
  })

  test("nobody removes another account's identity", async () => {
    await link()
    const carol = await it.authority.accounts.create(
      { username: 'carol', password: PASSWORD },
      'test',
    )
    expect(carol.ok).toBe(true)
    const listed = await it.authority.identities.list(USERNAME)
    const [identity] = listed.ok ? listed.value : []
    const pair = (await (
      await it.post('/api/token/', { username: 'carol', password: PASSWORD })
    ).json()) as { access: string }
    const answer = await callWith(it, pair.access, 'DELETE', `/auth/identities/${identity?.id}`)
    expect(answer.status).toBe(404)
    expect(await labels()).toEqual(['alice@work.example'])
  })

  test('an old session removes nothing', async () => {
    await link()
    const pair = await it.login()
    const listed = await callWith(it, pair.access, 'GET', '/auth/identities')
    const { identities } = JSON.parse(listed.text) as { identities: readonly { id: string }[] }
    it.clock.advanceMs(10 * 60_000 + 1)
    const renewed = (await (
      await it.post('/api/token/refresh/', { refresh: pair.refresh })
    ).json()) as { access: string }
    const path = `/auth/identities/${identities[0]?.id}`
    const answer = await callWith(it, renewed.access, 'DELETE', path)
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'insufficient_user_authentication' })
  })
})

test('the export of the account has the identities', async () => {
  await link()
  const data = await it.authority.accounts.export(USERNAME)
  expect(data).toMatchObject({
    value: { identities: [{ issuer: it.issuer.url, subject: 'u-1', label: 'alice@work.example' }] },
  })
})
