import { createHash, randomBytes } from 'node:crypto'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ISSUER } from './support/authority.ts'
import { callWith, enrolApp, totpAt } from './support/factors.ts'
import { PageBrowser, type SeenPage } from './support/pages.ts'
import { IssuerBrowser } from './support/upstream.ts'
import { openUpstreamWorld, type UpstreamWorld } from './support/upstream-people.ts'

const APP = 'com.example.app:/log-in'
const PAGE = 'https://app.example.com'

let it: UpstreamWorld
beforeEach(async () => {
  it = await openUpstreamWorld({ upstreamRedirects: APP, origins: PAGE })
  it.issuer.people.set('u-1', { preferred_username: 'carol' })
})
afterEach(() => it[Symbol.asyncDispose]())

/** A mobile application, with its verifier. */
class Application {
  readonly verifier = randomBytes(32).toString('base64url')
  readonly browser = new PageBrowser(it)

  start(more: Readonly<Record<string, string>> = {}): Promise<SeenPage> {
    const query = new URLSearchParams({
      redirect_uri: APP,
      code_challenge: createHash('sha256').update(this.verifier).digest('base64url'),
      code_challenge_method: 'S256',
      state: 'the state of the application',
      ...more,
    })
    return this.browser.open(`/auth/upstream/work?${query.toString()}`)
  }

  /** Goes through the provider, and returns the URL that the application gets. */
  async logIn(who = 'u-1', more: Readonly<Record<string, string>> = {}): Promise<URL> {
    const started = await this.start(more)
    const path = await new IssuerBrowser().goAs(who, started.headers.get('location'))
    const answer = await this.browser.ask(path, {})
    expect(answer.status).toBe(303)
    return new URL(answer.headers.get('location') ?? '')
  }

  async exchange(code: string | null, verifier = this.verifier): Promise<Response> {
    return it.post('/auth/upstream/exchange', { code, code_verifier: verifier })
  }
}

async function codeOf(response: Response): Promise<unknown> {
  const { code } = (await response.json()) as { code?: unknown }
  return code
}

test('an application gets tokens for a code and its verifier', async () => {
  const application = new Application()
  const url = await application.logIn()
  expect(url.href.split('?')[0]).toBe(APP)
  expect(url.searchParams.get('state')).toBe('the state of the application')
  // The browser itself is not logged in.
  expect([...application.browser.jar.cookies.keys()]).toEqual([])
  const answer = await application.exchange(url.searchParams.get('code'))
  expect(answer.status).toBe(200)
  const { access } = (await answer.json()) as { access: string; refresh: string }
  const me = await callWith(it, access, 'GET', '/auth/me')
  expect(JSON.parse(me.text)).toMatchObject({ username: 'carol', amr: ['fed'] })
})

test('a page of a known origin gets its code at any path', async () => {
  const url = await new Application().logIn('u-1', { redirect_uri: `${PAGE}/done?a=1` })
  expect(url.href).toMatch(/^https:\/\/app\.example\.com\/done\?a=1&code=/)
})

test('a code works once, also if ten exchange it at once', async () => {
  const application = new Application()
  const code = (await application.logIn()).searchParams.get('code')
  const answers = await Promise.all(Array.from({ length: 10 }, () => application.exchange(code)))
  const statuses = answers.map(({ status }) => status)
  expect(statuses.toSorted((a, b) => a - b)).toEqual([200, ...Array.from({ length: 9 }, () => 400)])
})

test('a code without its verifier is worth nothing, and stays for its application', async () => {
  const application = new Application()
  const code = (await application.logIn()).searchParams.get('code')
  const stolen = await application.exchange(code, randomBytes(32).toString('base64url'))
  expect([stolen.status, await codeOf(stolen)]).toEqual([400, 'upstream_void'])
  expect((await application.exchange(code)).status).toBe(200)
})

test.each([
  ['after a minute', (code: string) => (it.clock.advanceMs(60_000), code)],
  ['that was changed', (code: string) => `${code.slice(0, -2)}AA`],
  ['that nobody made', () => 'abc'],
  ['that is empty', () => ''],
])('a code %s is void', async (_what, change) => {
  const application = new Application()
  const code = (await application.logIn()).searchParams.get('code') ?? ''
  const answer = await application.exchange(change(code))
  expect(answer.status).toBe(400)
})

test.each([
  ['a foreign origin', { redirect_uri: 'https://evil.example/' }],
  ['the origin with a user', { redirect_uri: 'https://app.example.com@evil.example/' }],
  ['a longer origin', { redirect_uri: 'https://app.example.com.evil.example/' }],
  ['a backslash', { redirect_uri: 'https://app.example.com\\@evil.example/' }],
  ['another port', { redirect_uri: 'https://app.example.com:8443/' }],
  ['plain http', { redirect_uri: 'http://app.example.com/' }],
  ['a fragment', { redirect_uri: 'https://app.example.com/#x' }],
  ['a longer registered URL', { redirect_uri: `${APP}/more` }],
  ['a script', { redirect_uri: 'javascript:alert(1)' }],
  ['the server itself', { redirect_uri: `${ISSUER}/` }],
  ['no challenge', { code_challenge: '' }],
  ['a short challenge', { code_challenge: 'abc' }],
  ['the method plain', { code_challenge_method: 'plain' }],
  ['a long state', { state: 'x'.repeat(600) }],
])('with %s, no log-in begins', async (_what, wrong) => {
  const page = await new Application().start(wrong)
  expect([page.status, page.headers.get('location')]).toEqual([400, null])
  expect(page.text).toMatch(/not set up at this server/)
})

test('what the server refuses goes to the application as a code', async () => {
  const denied = await new Application().logIn('')
  expect(denied.searchParams.get('error')).toBe('upstream_refused')
  expect(denied.searchParams.get('state')).toBe('the state of the application')
  expect(denied.searchParams.has('code')).toBe(false)
})

describe('the account', () => {
  test('a second factor is asked for at the exchange', async () => {
    const first = new Application()
    const answer = await first.exchange((await first.logIn()).searchParams.get('code'))
    const pair = (await answer.json()) as { access: string; refresh: string }
    const app = await enrolApp(it, pair)
    it.clock.advanceMs(30_000)
    const second = new Application()
    const asked = await second.exchange((await second.logIn()).searchParams.get('code'))
    expect(asked.status).toBe(401)
    const { code, ticket, methods } = (await asked.json()) as Record<string, unknown>
    expect([code, methods]).toEqual(['second_factor_required', ['totp', 'recovery_code']])
    const done = await it.post('/api/token/second-factor/', {
      ticket,
      method: 'totp',
      code: totpAt(app.secret, it.clock.nowMs()),
    })
    expect(done.status).toBe(200)
  })

  test('a revocation between the log-in and the exchange counts', async () => {
    const first = new Application()
    await first.exchange((await first.logIn()).searchParams.get('code'))
    const second = new Application()
    const code = (await second.logIn()).searchParams.get('code')
    await it.authority.accounts.disable('carol', 'test')
    const answer = await second.exchange(code)
    expect([answer.status, await codeOf(answer)]).toEqual([401, 'credentials_invalid'])
  })
})

describe('linking', () => {
  test('a person links an identity with the code of their application', async () => {
    const { access } = await it.login()
    const application = new Application()
    const code = (await application.logIn('u-1', { link: '1' })).searchParams.get('code')
    // It is no log-in.
    expect((await application.exchange(code)).status).toBe(400)
    const again = (await application.logIn('u-1', { link: '1' })).searchParams.get('code')
    const body = { code: again, code_verifier: application.verifier }
    const linked = await callWith(it, access, 'POST', '/auth/identities', body)
    expect(linked.status).toBe(204)
    const listed = await callWith(it, access, 'GET', '/auth/identities')
    expect(JSON.parse(listed.text)).toMatchObject({
      identities: [{ provider: 'work', title: 'Work', label: 'carol', last_used_at: null }],
    })
    expect(await it.authority.accounts.count()).toBe(1)
  })

  test('a code for a log-in links nothing', async () => {
    const { access } = await it.login()
    const application = new Application()
    const code = (await application.logIn()).searchParams.get('code')
    const body = { code, code_verifier: application.verifier }
    const answer = await callWith(it, access, 'POST', '/auth/identities', body)
    expect(JSON.parse(answer.text)).toMatchObject({ status: 400, code: 'upstream_void' })
  })

  test('an old session links nothing', async () => {
    const pair = await it.login()
    it.clock.advanceMs(10 * 60_000 + 1)
    const renewed = (await (
      await it.post('/api/token/refresh/', { refresh: pair.refresh })
    ).json()) as { access: string }
    const application = new Application()
    const code = (await application.logIn('u-1', { link: '1' })).searchParams.get('code')
    const body = { code, code_verifier: application.verifier }
    const answer = await callWith(it, renewed.access, 'POST', '/auth/identities', body)
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'insufficient_user_authentication' })
    expect(await it.authority.identities.list('alice')).toEqual({ ok: true, value: [] })
  })
})
