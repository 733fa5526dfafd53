import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { PASSWORD, USERNAME } from './support/authority.ts'
import { membersOf } from './support/browser.ts'
import { enrolApp, totpAt } from './support/factors.ts'
import { expectSafe } from './support/page-safety.ts'
import { PageBrowser, type SeenPage } from './support/pages.ts'
import { IssuerBrowser, startIssuer } from './support/upstream.ts'
import {
  entryOf,
  logInAs,
  openUpstreamWorld,
  toCallback,
  whoIs,
  writeProviders,
  type UpstreamWorld,
} from './support/upstream-people.ts'

const CAROL = {
  name: 'Carol Example',
  preferred_username: 'carol',
  email: 'carol@example.com',
  email_verified: true,
}

let it: UpstreamWorld
let browser: PageBrowser
beforeEach(async () => {
  await start()
})
afterEach(() => it[Symbol.asyncDispose]())

async function start(...options: Parameters<typeof openUpstreamWorld>): Promise<void> {
  it = await openUpstreamWorld(...options)
  it.issuer.people.set('u-1', CAROL)
  browser = new PageBrowser(it)
}

/** Opens the authority of the test again, with other settings. */
async function startWith(...options: Parameters<typeof openUpstreamWorld>): Promise<void> {
  await it[Symbol.asyncDispose]()
  await start(...options)
}

function expectFailure(page: SeenPage, status: number, words: RegExp): void {
  expect([page.status, page.text]).toEqual([status, expect.stringMatching(words)])
  expectSafe(page)
  expect(page.headers.getSetCookie().filter((line) => /access|refresh/.test(line))).toEqual([])
}

async function eventsOf(username: string): Promise<readonly string[]> {
  const account = await it.authority.accounts.find(username)
  const { entries } = await it.authority.audit.list({ accountId: account?.id })
  return entries.map(({ event, detail }) => `${event}${detail === undefined ? '' : ` ${detail}`}`)
}

async function identitiesOf(username: string): Promise<readonly string[]> {
  const listed = await it.authority.identities.list(username)
  return listed.ok ? listed.value.map(({ label }) => label) : []
}

test('a person logs in with an identity, and gets an account with the first log-in', async () => {
  const done = await logInAs(browser, 'u-1')
  expect([done.status, done.headers.get('location')]).toEqual([303, '/'])
  expect([...browser.jar.cookies.keys()].toSorted()).toEqual([
    'cs_access',
    'cs_device',
    'cs_refresh',
  ])
  expect(await whoIs(browser)).toMatchObject({
    username: 'carol',
    email: 'carol@example.com',
    email_verified: true,
    amr: ['fed'],
    roles: [],
  })
  expect(await eventsOf('carol')).toEqual(['login work', 'identity_linked work', 'account_created'])
  expect(await it.authority.identities.list('carol')).toMatchObject({
    ok: true,
    value: [
      { issuer: it.issuer.url, subject: 'u-1', provider: 'work', label: 'carol@example.com' },
    ],
  })
  // The password of an account without a password is never right.
  const tried = await it.post('/api/token/', { username: 'carol', password: PASSWORD })
  expect(tried.status).toBe(401)
})

test('the identity stays that of its account, whatever the provider calls the person', async () => {
  await logInAs(browser, 'u-1')
  const first = await whoIs(browser)
  it.issuer.people.set('u-1', { name: 'X', preferred_username: USERNAME, email: 'new@example.com' })
  const other = new PageBrowser(it)
  await logInAs(other, 'u-1')
  expect(await whoIs(other)).toMatchObject({ sub: first['sub'], email: 'carol@example.com' })
  expect(await identitiesOf('carol')).toEqual(['new@example.com'])
  // Somebody else gets the name that the first person had.
  it.issuer.people.set('u-2', { ...CAROL, email: 'other@example.com' })
  const third = new PageBrowser(it)
  await logInAs(third, 'u-2')
  const { sub, username } = await whoIs(third)
  expect(sub).not.toBe(first['sub'])
  expect(username).toMatch(/^carol-\d{4}$/)
})

test.each([
  ['a look-alike in other letters', 'саrоl', /^user$|^r-l$|^[a-z-]+$/],
  ['an address', 'someone@example.org', /^someone$/],
  ['nothing usable', '\u200b', /^user$/],
])('a username is made from %s', async (_what, preferred, expected) => {
  it.issuer.people.set('u-3', { preferred_username: preferred })
  await logInAs(browser, 'u-3')
  const { username } = await whoIs(browser)
  expect(username).toMatch(expected)
})

describe('addresses', () => {
  test('an address that the provider has not verified matches nothing, and is not stored', async () => {
    await it.authority.accounts.setEmail(
      USERNAME,
      { address: CAROL.email, verified: false },
      'test',
    )
    it.issuer.people.set('u-1', { ...CAROL, email_verified: false })
    await logInAs(browser, 'u-1')
    expect(await whoIs(browser)).toMatchObject({ username: 'carol', email: null })
    expect(await identitiesOf(USERNAME)).toEqual([])
    expect((await it.login()).access).not.toBe('')
  })

  test('a verified address of an account links nothing', async () => {
    await it.authority.accounts.setEmail(USERNAME, { address: CAROL.email, verified: true }, 'test')
    const page = await logInAs(browser, 'u-1')
    expectFailure(page, 409, /An account has the address of this identity already/)
    expect(
      page.tags.find(({ name, text }) => name === 'a' && text === 'Try again')?.attributes['href'],
    ).toBe('/sign-in')
    expect(await identitiesOf(USERNAME)).toEqual([])
  })

  test('a username that is the address links nothing either', async () => {
    await it.authority.accounts.create({ username: CAROL.email, password: PASSWORD }, 'test')
    expectFailure(await logInAs(browser, 'u-1'), 409, /has the address of this identity/)
  })

  test('an account that somebody has prepared with the address goes to its owner', async () => {
    await it.authority.accounts.setEmail(
      USERNAME,
      { address: CAROL.email, verified: false },
      'test',
    )
    const squatter = await it.login()
    const app = await enrolApp(it, squatter)
    const before = await it.authority.accounts.find(USERNAME)
    const done = await logInAs(browser, 'u-1')
    expect([done.status, done.headers.get('location')]).toEqual([303, '/'])
    expect(await whoIs(browser)).toMatchObject({
      sub: before?.id,
      email: CAROL.email,
      email_verified: true,
      amr: ['fed'],
    })
    // Neither the password nor the session nor the app of the squatter works any more.
    expect(it.authority.verify(app.access)).toEqual({ ok: false, code: 'session_ended' })
    expect((await it.post('/api/token/refresh/', { refresh: squatter.refresh })).status).toBe(401)
    const tried = await it.post('/api/token/', { username: USERNAME, password: PASSWORD })
    expect(tried.status).toBe(401)
    expect(await it.authority.factors.list(USERNAME)).toMatchObject({ value: { factors: [] } })
    expect(await eventsOf(USERNAME)).toContain('account_reclaimed')
    expect((await it.nextMail()).kind).toBe('factor_changed')
  })

  test('a disabled account goes to nobody', async () => {
    await it.authority.accounts.setEmail(
      USERNAME,
      { address: CAROL.email, verified: false },
      'test',
    )
    await it.authority.accounts.disable(USERNAME, 'test')
    expectFailure(await logInAs(browser, 'u-1'), 409, /has the address of this identity/)
  })

  test('with trustEmail off, no address counts as verified', async () => {
    await startWith({}, { trustEmail: false })
    await it.authority.accounts.setEmail(
      USERNAME,
      { address: CAROL.email, verified: false },
      'test',
    )
    await logInAs(browser, 'u-1')
    expect(await whoIs(browser)).toMatchObject({ username: 'carol', email: null })
  })
})

describe('without sign-up', () => {
  beforeEach(() => startWith({ upstreamSignUp: false }))

  test('an unknown identity logs in to nothing', async () => {
    expectFailure(await logInAs(browser, 'u-1'), 403, /No account has this identity/)
    expect(await it.authority.accounts.find('carol')).toBeUndefined()
  })

  test('an account that was prepared with the address still goes to its owner', async () => {
    await it.authority.accounts.setEmail(
      USERNAME,
      { address: CAROL.email, verified: false },
      'test',
    )
    expect((await logInAs(browser, 'u-1')).status).toBe(303)
  })
})

describe('the browser', () => {
  test('a callback works once', async () => {
    const path = await toCallback(browser, 'u-1')
    const cookies = new Map(browser.jar.cookies)
    expect((await browser.ask(path, {})).status).toBe(303)
    expectFailure(await new PageBrowser(it).ask(path, {}), 400, /finished, has expired/)
    // Not even with the cookie of the log-in.
    const again = new PageBrowser(it)
    for (const [name, value] of cookies) again.jar.cookies.set(name, value)
    expectFailure(await again.ask(path, {}), 400, /finished, has expired/)
  })

  test('a callback does not work in another browser', async () => {
    const path = await toCallback(browser, 'u-1')
    const other = new PageBrowser(it)
    await other.open('/auth/upstream/work')
    expectFailure(await other.ask(path, {}), 400, /begun in another browser/)
    expect((await browser.ask(path, {})).status).toBe(303)
  })

  test('a callback is too late after ten minutes', async () => {
    const path = await toCallback(browser, 'u-1')
    it.clock.advanceMs(10 * 60_000)
    expectFailure(await browser.ask(path, {}), 400, /has expired/)
  })

  test.each([
    ['without parameters', ''],
    ['with a state that nobody made', '?code=1&state=t5hx2k-8Lr0jlbXlTn3vN0xkKqYIw'],
    ['with a state that is no name of a cookie', '?code=1&state=%0d%0aSet-Cookie:x=y;'],
    ['with only an error', '?error=access_denied'],
  ])('a callback %s gets a page', async (_what, query) => {
    expectFailure(await browser.ask(`/auth/upstream/work/callback${query}`, {}), 400, /Begin again/)
  })

  test('several tabs log in at once', async () => {
    const paths = [await toCallback(browser, 'u-1'), await toCallback(browser, 'u-1')]
    expect(
      await Promise.all(paths.map(async (path) => (await browser.ask(path, {})).status)),
    ).toEqual([303, 303])
  })

  test('a browser keeps the cookies of eight log-ins at most', async () => {
    const first = await toCallback(browser, 'u-1')
    for (let tab = 0; tab < 8; tab += 1) {
      it.clock.advanceMs(1_000)
      await browser.open('/auth/upstream/work')
    }
    expect(
      [...browser.jar.cookies.keys()].filter((name) => name.includes('upstream')),
    ).toHaveLength(8)
    expectFailure(await browser.ask(first, {}), 400, /Begin again/)
  })

  test('a person who says no at the provider is not logged in', async () => {
    expectFailure(await logInAs(browser, ''), 401, /did not confirm who you are/)
  })

  test('the previous session of the browser ends', async () => {
    await browser.press(
      await browser.open('/sign-in'),
      { username: USERNAME, current_password: PASSWORD },
      { form: '/sign-in' },
    )
    const alice = await it.authority.accounts.find(USERNAME)
    await logInAs(browser, 'u-1')
    const { sessions } = await it.authority.sessions.list({ accountId: alice?.id, live: true })
    expect(sessions).toEqual([])
  })

  test.each([
    ['/auth/account', '/auth/account'],
    ['https://evil.example/', '/'],
    ['//evil.example', '/'],
    ['/\\evil.example', '/'],
  ])('after return_to=%s it goes to %s', async (returnTo, expected) => {
    const query = `?return_to=${encodeURIComponent(returnTo)}`
    const done = await logInAs(browser, 'u-1', { query })
    expect(done.headers.get('location')).toBe(expected)
  })

  test('an unknown provider is not found', async () => {
    const pages = await Promise.all([
      browser.open('/auth/upstream/nobody'),
      browser.open('/auth/upstream/nobody/callback?state=1'),
    ])
    expect(pages.map(({ status }) => status)).toEqual([404, 404])
  })

  test('a page that the provider cannot be reached for says so', async () => {
    const dead = await startIssuer()
    await dead[Symbol.asyncDispose]()
    using file = writeProviders([entryOf(dead.url)])
    await it.restart({ upstreamsFile: file.path })
    const page = await browser.open('/auth/upstream/work')
    expectFailure(page, 503, /cannot be reached/)
    expect(page.headers.get('retry-after')).toBe('1')
  })

  test('the pages speak the language of the person before and after the provider', async () => {
    const german = new PageBrowser(it, { language: 'en' })
    const page = await logInAs(german, '', { query: '?lang=de' })
    expect(page.text).toMatch(/Der andere Dienst hat nicht bestätigt, wer Sie sind/)
  })
})

test('the answer of one provider never finishes a log-in at another one', async () => {
  await using second = await startIssuer({ names: ['other', 'work'] })
  second.people.set('u-1', CAROL)
  using file = writeProviders([
    entryOf(it.issuer.url),
    entryOf(second.url, { name: 'other', title: 'Other' }),
  ])
  await it.restart({ upstreamsFile: file.path })
  const path = await toCallback(browser, 'u-1')
  const mixed = path.replace('/work/', '/other/')
  expectFailure(await browser.ask(mixed, {}), 400, /Begin again/)
  // The same subject at another issuer is another person.
  await logInAs(browser, 'u-1', { name: 'work' })
  const first = await whoIs(browser)
  second.people.set('u-1', { preferred_username: 'mallory' })
  const other = new PageBrowser(it)
  await logInAs(other, 'u-1', { name: 'other' })
  expect((await whoIs(other))['sub']).not.toBe(first['sub'])
})

describe('the account', () => {
  test('a second factor is asked for after the provider', async () => {
    await logInAs(browser, 'u-1')
    const access = browser.jar.cookies.get('cs_access') ?? ''
    const { csrf_token: token } = membersOf(await browser.jar.get('/auth/csrf'))
    const headers = { 'x-csrf-token': String(token) }
    const begun = await browser.jar.visit('/auth/factors/totp/challenge', { headers })
    const { challenge, secret } = membersOf(begun) as { challenge: string; secret: string }
    const code = totpAt(secret, it.clock.nowMs())
    await browser.jar.visit('/auth/factors/totp', {
      headers,
      body: { challenge, code, name: 'App' },
    })
    expect(access).not.toBe('')
    it.clock.advanceMs(30_000)

    const other = new PageBrowser(it)
    const done = await logInAs(other, 'u-1', { query: '?return_to=/auth/account' })
    expect(done.headers.get('location')).toBe('/sign-in/second-factor?return_to=%2Fauth%2Faccount')
    expect([...other.jar.cookies.keys()]).toEqual(['cs_pending'])
    const page = await other.open(done.headers.get('location') ?? '')
    const next = await other.press(page, { totp: totpAt(secret, it.clock.nowMs()) })
    expect(next.path).toBe('/auth/account')
    expect(await whoIs(other)).toMatchObject({ amr: ['fed', 'otp', 'mfa'] })
  })

  test('a disabled account cannot log in with its identity', async () => {
    await logInAs(browser, 'u-1')
    await it.authority.accounts.disable('carol', 'test')
    expectFailure(await logInAs(new PageBrowser(it), 'u-1'), 401, /This account cannot log in/)
  })

  test('a revocation while the person is at the provider counts', async () => {
    await logInAs(browser, 'u-1')
    const other = new PageBrowser(it)
    const path = await toCallback(other, 'u-1')
    await it.authority.accounts.setPassword('carol', 'staple and no donkey', 'test')
    expectFailure(await other.ask(path, {}), 401, /This account cannot log in/)
  })

  test('an identity that was removed while the person was at the provider logs in to nothing', async () => {
    await startWith({ upstreamSignUp: false })
    it.issuer.people.set('u-1', CAROL)
    await it.authority.accounts.setEmail(
      USERNAME,
      { address: CAROL.email, verified: false },
      'test',
    )
    await logInAs(browser, 'u-1')
    await it.authority.accounts.setPassword(USERNAME, 'staple and no donkey', 'test')
    const path = await toCallback(browser, 'u-1')
    const listed = await it.authority.identities.list(USERNAME)
    const [identity] = listed.ok ? listed.value : []
    expect(await it.authority.identities.unlink(USERNAME, identity?.id ?? '', 'test')).toEqual({
      ok: true,
      value: 'changed',
    })
    expectFailure(await browser.ask(path, {}), 409, /has the address of this identity/)
  })

  test('ten browsers with a new identity at once get one account', async () => {
    const paths = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const each = new PageBrowser(it)
        return { each, path: await toCallback(each, 'u-1') }
      }),
    )
    const answers = await Promise.all(
      paths.map(async ({ each, path }) => (await each.ask(path, {})).status),
    )
    expect(answers).toEqual(Array.from({ length: 10 }, () => 303))
    const subjects = await Promise.all(paths.map(async ({ each }) => (await whoIs(each))['sub']))
    expect(new Set(subjects).size).toBe(1)
    expect(await it.authority.accounts.count()).toBe(2)
  })
})

describe('roles from groups', () => {
  const roles = { claim: 'groups', map: { staff: ['editor'], boss: ['editor', 'admin'] } }
  beforeEach(() => startWith({}, { roles, scopes: ['openid', 'email', 'profile'] }))

  test('each log-in sets the roles of the map, and no others', async () => {
    it.issuer.people.set('u-1', { ...CAROL, groups: ['boss', 'constructor'] })
    await logInAs(browser, 'u-1')
    expect(await whoIs(browser)).toMatchObject({ roles: ['admin', 'editor'] })
    await it.authority.accounts.addRole('carol', 'auditor', 'test')

    it.issuer.people.set('u-1', { ...CAROL, groups: ['staff'] })
    const other = new PageBrowser(it)
    await logInAs(other, 'u-1')
    expect(await whoIs(other)).toMatchObject({ roles: ['auditor', 'editor'] })
    // The token of the first session is stale.
    const old = browser.jar.cookies.get('cs_access') ?? ''
    expect(it.authority.verify(old)).toEqual({ ok: false, code: 'token_stale' })
    const { entries } = await it.authority.audit.list({})
    expect(entries.find(({ event }) => event === 'role_removed')).toMatchObject({
      actor: 'upstream:work',
      detail: 'admin',
    })
  })

  test('without the claim, the roles of the map go', async () => {
    it.issuer.people.set('u-1', { ...CAROL, groups: 'staff' })
    await logInAs(browser, 'u-1')
    expect(await whoIs(browser)).toMatchObject({ roles: ['editor'] })
    it.issuer.people.set('u-1', CAROL)
    await logInAs(browser, 'u-1')
    expect(await whoIs(browser)).toMatchObject({ roles: [] })
  })
})

test('a provider learns nothing but what it needs', async () => {
  const started = await browser.open('/auth/upstream/work?return_to=/auth/account')
  const url = new URL(started.headers.get('location') ?? '')
  expect([...url.searchParams.keys()].toSorted()).toEqual([
    'client_id',
    'code_challenge',
    'code_challenge_method',
    'nonce',
    'redirect_uri',
    'response_type',
    'scope',
    'state',
  ])
  expect(url.searchParams.get('code_challenge_method')).toBe('S256')
  const [cookie = ''] = started.headers.getSetCookie()
  expect(cookie).toMatch(/HttpOnly/)
  expect(cookie).toMatch(/SameSite=Lax/)
  expect(cookie).toMatch(/Max-Age=600/)
  expect(await new IssuerBrowser().goAs('u-1', url.href)).toMatch(
    /^\/auth\/upstream\/work\/callback/,
  )
})
