import { expect, test } from 'vitest'

import { ISSUER, PASSWORD, TestClock, USERNAME } from './support/authority.ts'
import {
  claimsIn,
  openSsoAuthority,
  readTokens,
  refreshWith,
  registerApp,
  sendForm,
  SsoBrowser,
  tokensOf,
} from './support/sso.ts'

const REFUSED = { status: 400, body: { error: 'invalid_grant' } }
const GRACE_MS = 11_000

test('a refresh rotates the token, and the store keeps one row', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const first = await tokensOf(it, app)
  const answer = await refreshWith(it, app, first.refresh)
  expect(answer.status).toBe(200)
  const second = readTokens(answer)
  const [chain] = first.refresh.split('.')
  expect(second.refresh.startsWith(`${chain}.1.`)).toBe(true)
  expect(claimsIn(second.access)['sid']).toBe(claimsIn(first.access)['sid'])
  expect(it.authority.verify(second.access).ok).toBe(true)
})

test('a repeat within the grace gets the newest token again, from any address', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const first = await tokensOf(it, app)
  const one = readTokens(await refreshWith(it, app, first.refresh, { address: '198.51.100.1' }))
  const two = readTokens(await refreshWith(it, app, first.refresh, { address: '203.0.113.99' }))
  expect(two.refresh).toBe(one.refresh)
  expect(it.authority.verify(two.access).ok).toBe(true)
})

test('of 50 requests with one token, all get the same next token', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const { refresh } = await tokensOf(it, app)
  const answers = await Promise.all(Array.from({ length: 50 }, () => refreshWith(it, app, refresh)))
  expect(answers.every(({ status }) => status === 200)).toBe(true)
  const next = new Set(answers.map((answer) => readTokens(answer).refresh))
  expect(next.size).toBe(1)
  expect([...next][0]).toContain('.1.')
})

test('a copy that is used after the grace ends the grant and its access tokens', async () => {
  const clock = new TestClock()
  await using it = await openSsoAuthority({ clock })
  const app = await registerApp(it)
  const first = await tokensOf(it, app)
  clock.advanceMs(GRACE_MS)
  const second = readTokens(await refreshWith(it, app, first.refresh))
  clock.advanceMs(GRACE_MS)
  expect(await refreshWith(it, app, first.refresh)).toMatchObject(REFUSED)
  expect(await refreshWith(it, app, second.refresh)).toMatchObject(REFUSED)
  expect(it.authority.verify(second.access)).toMatchObject({ ok: false, code: 'token_stale' })
  const audit = await it.authority.audit.list({ limit: 20 })
  expect(JSON.stringify(audit)).toContain('refresh_reused')
})

test('the session of the person lives on after that', async () => {
  const clock = new TestClock()
  await using it = await openSsoAuthority({ clock })
  const app = await registerApp(it)
  const browser = new SsoBrowser(it)
  const first = await tokensOf(it, app, browser)
  clock.advanceMs(GRACE_MS)
  await refreshWith(it, app, first.refresh)
  clock.advanceMs(GRACE_MS)
  await refreshWith(it, app, first.refresh)
  expect((await browser.open('/auth/account')).title).toBe('Your account')
})

test('C08 a token that another application presents is refused and does no harm', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const other = await registerApp(it, { name: 'other' })
  const { refresh } = await tokensOf(it, app)
  expect(await refreshWith(it, other, refresh)).toMatchObject(REFUSED)
  expect((await refreshWith(it, app, refresh)).status).toBe(200)
})

test('a changed token is refused and does no harm', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const { refresh } = await tokensOf(it, app)
  const [chain = '', , mac = ''] = refresh.split('.')
  const changed = [
    `${chain}.1.${mac}`,
    `${chain}.0.${'A'.repeat(43)}`,
    `${'A'.repeat(22)}.0.${mac}`,
    `${chain}.00.${mac}`,
    `${refresh}.`,
    refresh.slice(0, -1),
    '',
  ]
  for (const token of changed) {
    const answer = await refreshWith(it, app, token)
    expect(answer.status).toBe(400)
  }
  expect((await refreshWith(it, app, refresh)).status).toBe(200)
})

test('R13 scopes can only become fewer', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const { refresh } = await tokensOf(it, app, undefined, 'openid profile offline_access')
  const ask = (scope: string, token: string) =>
    sendForm(it, '/oauth2/token', app, {
      grant_type: 'refresh_token',
      refresh_token: token,
      scope,
    })
  expect((await ask('openid email', refresh)).body).toMatchObject({ error: 'invalid_scope' })
  const fewer = await ask('openid', refresh)
  expect(fewer.body).toMatchObject({ scope: 'openid' })
  const all = await refreshWith(it, app, readTokens(fewer).refresh)
  expect(all.body['scope']).toContain('profile')
})

interface Ending {
  readonly name: string
  readonly end: (
    it: Awaited<ReturnType<typeof openSsoAuthority>>,
    browser: SsoBrowser,
  ) => Promise<unknown>
}

const ENDINGS: readonly Ending[] = [
  {
    name: 'a logout',
    end: async (_, browser) =>
      browser.press(await browser.open('/auth/account'), {}, { form: 'sign-out' }),
  },
  {
    name: 'a new password',
    end: (it) => it.authority.accounts.setPassword(USERNAME, 'an entirely new one', 'test'),
  },
  {
    name: 'an operator who ends the session',
    end: async ({ authority: { sessions } }) => {
      for (const { id } of (await sessions.list()).sessions) await sessions.end(id, 'test')
    },
  },
  {
    name: 'an operator who disables the account',
    end: (it) => it.authority.accounts.disable(USERNAME, 'test'),
  },
  {
    name: 'an operator who disables the application',
    end: (it) => it.authority.applications.disable('shop', 'test'),
  },
  {
    name: 'an operator who deletes the application',
    end: (it) => it.authority.applications.delete('shop', 'test'),
  },
]

test.each(ENDINGS)('$name ends what an application has', async ({ end }) => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const browser = new SsoBrowser(it)
  const { access, refresh } = await tokensOf(it, app, browser)
  expect(it.authority.verify(access).ok).toBe(true)
  await end(it, browser)
  expect(it.authority.verify(access).ok).toBe(false)
  const answer = await refreshWith(it, app, refresh)
  expect([400, 401]).toContain(answer.status)
  expect(['invalid_grant', 'invalid_client']).toContain(answer.body['error'])
})

test('a refresh token ends with its session, and idle before that', async () => {
  const clock = new TestClock()
  await using it = await openSsoAuthority({ clock, refreshLifetime: '2d', sessionLifetime: '3d' })
  const app = await registerApp(it)
  const first = await tokensOf(it, app)
  const day = 86_400_000
  clock.advanceMs(1.5 * day)
  const second = readTokens(await refreshWith(it, app, first.refresh))
  expect(second.refresh).not.toBe('')
  clock.advanceMs(1.6 * day)
  expect(await refreshWith(it, app, second.refresh)).toMatchObject(REFUSED)

  const idle = await tokensOf(it, app)
  clock.advanceMs(2 * day + 1)
  expect(await refreshWith(it, app, idle.refresh)).toMatchObject(REFUSED)
})

test('removing the access on the account page ends the refresh tokens', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const browser = new SsoBrowser(it)
  const { access, refresh } = await tokensOf(it, app, browser)
  const page = await browser.open('/auth/account/applications')
  await browser.press(page, {}, { button: 'Remove access: Shop' })
  expect(await refreshWith(it, app, refresh)).toMatchObject(REFUSED)
  expect(it.authority.verify(access).ok).toBe(false)
})

test('an application revokes its refresh token, and with it the access tokens of the grant', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const other = await registerApp(it, { name: 'other' })
  const { access, refresh } = await tokensOf(it, app)
  expect((await sendForm(it, '/oauth2/revoke', other, { token: refresh })).status).toBe(200)
  expect(it.authority.verify(access).ok).toBe(true)
  expect(
    (await sendForm(it, '/oauth2/revoke', { ...app, secret: 'x' }, { token: refresh })).status,
  ).toBe(401)
  expect((await sendForm(it, '/oauth2/revoke', app, { token: refresh })).status).toBe(200)
  expect(it.authority.verify(access)).toMatchObject({ ok: false, code: 'token_stale' })
  expect(await refreshWith(it, app, refresh)).toMatchObject(REFUSED)
})

test('an application revokes one access token', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const { access, refresh } = await tokensOf(it, app)
  expect((await sendForm(it, '/oauth2/revoke', app, { token: access })).status).toBe(200)
  expect(it.authority.verify(access).ok).toBe(false)
  const next = readTokens(await refreshWith(it, app, refresh))
  expect(it.authority.verify(next.access).ok).toBe(true)
})

test('R19 an application introspects its own tokens only', async () => {
  await using it = await openSsoAuthority()
  const app = await registerApp(it)
  const other = await registerApp(it, { name: 'other' })
  const { access, refresh } = await tokensOf(it, app)
  const ask = async (who: typeof app, token: string) =>
    (await sendForm(it, '/oauth2/introspect', who, { token })).body
  expect(await ask(app, access)).toMatchObject({
    active: true,
    client_id: app.id,
    iss: ISSUER,
    username: USERNAME,
  })
  expect(await ask(app, refresh)).toMatchObject({ active: true, client_id: app.id })
  expect(await ask(other, access)).toEqual({ active: false })
  expect(await ask(other, refresh)).toEqual({ active: false })
  const { access: direct } = await it.login()
  expect(await ask(app, direct)).toEqual({ active: false })
  await it.authority.accounts.setPassword(USERNAME, `${PASSWORD} 2`, 'test')
  expect(await ask(app, access)).toEqual({ active: false })
  expect(await ask(app, refresh)).toEqual({ active: false })
})
