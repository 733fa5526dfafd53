import { Writable } from 'node:stream'

import { createLocalJWKSet, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { AuthorityConfig } from '../src/authority.ts'
import type { Store } from '../src/store/store.ts'
import { openSecondStore, registerApplication } from './support/applications.ts'
import {
  ISSUER,
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type TestAuthority,
} from './support/authority.ts'
import { claimsOf } from './support/forge.ts'
import { openLogoutReceiver, type LogoutReceiver } from './support/logout-receiver.ts'

const WAIT = { timeout: 20_000, interval: 10 }
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

let it: TestAuthority
let store: Store
let shop: LogoutReceiver
let lines: Record<string, unknown>[]

async function open(config: AuthorityConfig = {}): Promise<void> {
  lines = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>)
      done()
    },
  })
  it = await openTestAuthority({ sso: true, logger: pino({ level: 'info' }, stream), ...config })
  store = await openSecondStore(it)
}

beforeEach(async () => {
  shop = await openLogoutReceiver()
  await open()
})
afterEach(async () => {
  await store.close()
  await it[Symbol.asyncDispose]()
  await shop[Symbol.asyncDispose]()
})

interface SignedIn {
  readonly sid: string
  readonly sub: string
  readonly access: string
  readonly refresh: string
}

/** Logs in, and signs in at applications with that session, as the OpenID provider does. */
async function signIn(...applications: readonly string[]): Promise<SignedIn> {
  const pair = await it.login()
  const { sid, sub } = claimsOf(pair.access) as { sid: string; sub: string }
  for (const applicationId of applications) await signInAt(applicationId, { sid, sub })
  return { sid, sub, ...pair }
}

async function signInAt(
  applicationId: string,
  { sid, sub }: Pick<SignedIn, 'sid' | 'sub'>,
): Promise<void> {
  await store.sso.logouts.noteLogin({
    sessionId: sid,
    applicationId,
    accountId: sub,
    sid,
    createdAt: it.clock.nowMs(),
    expiresAt: it.clock.nowMs() + 86_400_000,
  })
}

async function register(name: string, url: string = shop.url): Promise<string> {
  const { application } = await registerApplication(it, { name, backchannelLogoutUri: url })
  return application.id
}

async function logOut({ refresh }: Pick<SignedIn, 'refresh'>): Promise<void> {
  expect((await it.post('/api/token/blacklist/', { refresh })).status).toBe(200)
}

/** The worker looks into the outbox after each revocation, and every few seconds. */
async function lookAgain(): Promise<void> {
  await logOut(await signIn())
}

function sidsAt({ received }: LogoutReceiver): readonly string[] {
  return received.map(({ token }) => String(claimsOf(token)['sid']))
}

function linesOf(event: string): readonly Record<string, unknown>[] {
  return lines.filter((line) => line['event'] === event)
}

async function verified(
  token: string,
  audience: string,
): Promise<{ claims: JWTPayload; typ: unknown }> {
  const answer = await it.authority.fetch(new Request(`${ISSUER}/.well-known/jwks.json`))
  const keys = createLocalJWKSet((await answer.json()) as JSONWebKeySet)
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer: ISSUER,
    audience,
    currentDate: new Date(it.clock.nowMs()),
  })
  return { claims: payload, typ: protectedHeader.typ }
}

test('a logout is told to the application with a signed token', async () => {
  const id = await register('shop')
  const session = await signIn(id)
  await logOut(session)
  await expect.poll(() => shop.received, WAIT).toHaveLength(1)
  const [{ type, token } = { type: '', token: '' }] = shop.received
  expect(type).toBe('application/x-www-form-urlencoded')
  const { claims, typ } = await verified(token, id)
  const iat = Math.floor(it.clock.nowMs() / 1000)
  expect(typ).toBe('logout+jwt')
  expect(claims).toEqual({
    iss: ISSUER,
    aud: id,
    sub: session.sub,
    sid: session.sid,
    iat,
    exp: iat + 120,
    jti: expect.stringMatching(/^[\w-]{22}$/) as string,
    events: { [EVENT]: {} },
  })
  await expect.poll(() => linesOf('logout_sent'), WAIT).toHaveLength(1)
  expect(linesOf('logout_sent')).toMatchObject([{ application: id, attempt: 1 }])
  expect(JSON.stringify(lines)).not.toContain(token)
})

test('a logout token is no access token, and no refresh token', async () => {
  const id = await register('shop')
  const session = await signIn(id)
  await logOut(session)
  await expect.poll(() => shop.received, WAIT).toHaveLength(1)
  const [{ token } = { token: '' }] = shop.received
  expect(it.authority.verify(token)).toMatchObject({ ok: false })
  expect((await it.post('/api/token/verify/', { token })).status).toBe(401)
  expect((await it.post('/api/token/refresh/', { refresh: token })).status).toBe(401)
})

describe('exactly the sessions that ended are told', () => {
  test('of one logout, at each application where that session signed in', async () => {
    await using blog = await openLogoutReceiver()
    const [shopId, blogId] = [await register('shop'), await register('blog', blog.url)]
    const first = await signIn(shopId, blogId)
    const second = await signIn(shopId)
    await signIn() // It signed in nowhere.
    await logOut(first)
    await expect.poll(() => sidsAt(shop), WAIT).toEqual([first.sid])
    await expect.poll(() => sidsAt(blog), WAIT).toEqual([first.sid])
    await logOut(second)
    await expect.poll(() => sidsAt(shop), WAIT).toEqual([first.sid, second.sid])
    expect(sidsAt(blog)).toEqual([first.sid])
    const audiences = [...shop.received, ...blog.received].map(
      ({ token }) => claimsOf(token)['aud'],
    )
    expect(audiences).toEqual([shopId, shopId, blogId])
  })

  test('of a changed password: all others', async () => {
    const id = await register('shop')
    const others = [await signIn(id), await signIn(id)]
    const own = await signIn(id)
    const changed = await it.authority.fetch(
      new Request(`${ISSUER}/auth/password`, {
        method: 'POST',
        headers: { authorization: `Bearer ${own.access}`, 'content-type': 'application/json' },
        body: JSON.stringify({ old_password: PASSWORD, new_password: 'staple and no donkey' }),
      }),
    )
    expect(changed.status).toBe(200)
    await expect
      .poll(() => sidsAt(shop).toSorted(), WAIT)
      .toEqual(others.map(({ sid }) => sid).toSorted())
    await logOut(own)
    await expect.poll(() => sidsAt(shop), WAIT).toHaveLength(3)
    expect(sidsAt(shop)[2]).toBe(own.sid)
  })

  test.each([
    ['a disabled account', () => it.authority.accounts.disable(USERNAME, 'test')],
    ['a deleted account', () => it.authority.accounts.delete(USERNAME, 'test')],
  ])('of %s: all of it, and nothing of others', async (_, act) => {
    const id = await register('shop')
    const sids = [(await signIn(id)).sid, (await signIn(id)).sid]
    const bob = { username: 'bob', password: PASSWORD }
    await it.authority.accounts.create(bob, 'test')
    const pair = (await (await it.post('/api/token/', bob)).json()) as { access: string }
    const { sid, sub } = claimsOf(pair.access) as { sid: string; sub: string }
    await signInAt(id, { sid, sub })
    expect((await act()).ok).toBe(true)
    await expect.poll(() => sidsAt(shop).toSorted(), WAIT).toEqual(sids.toSorted())
    await it.authority.accounts.disable('bob', 'test')
    await expect.poll(() => sidsAt(shop), WAIT).toHaveLength(3)
    expect(sidsAt(shop)[2]).toBe(sid)
  })

  test('that signed in at a session that has just ended', async () => {
    const id = await register('shop')
    const session = await signIn()
    await logOut(session)
    await signInAt(id, session)
    await lookAgain()
    await expect.poll(() => sidsAt(shop), WAIT).toEqual([session.sid])
  })

  test('and a change of roles ends no session', async () => {
    const id = await register('shop')
    const session = await signIn(id)
    await it.authority.accounts.addRole(USERNAME, 'editor', 'test')
    await logOut(session)
    await expect.poll(() => sidsAt(shop), WAIT).toEqual([session.sid])
  })
})

describe('an attempt that fails', () => {
  test.each([
    ['500', (status: number) => status],
    ['400', () => 400],
    ['302', () => 302],
  ])('with %s is repeated later, with another token', async (name, statusOf) => {
    const id = await register('shop')
    shop.answer = (response) =>
      response.writeHead(statusOf(500), { location: `${shop.url}/elsewhere` }).end()
    const session = await signIn(id)
    await logOut(session)
    await expect.poll(() => linesOf('logout_retried'), WAIT).toHaveLength(1)
    const [line] = linesOf('logout_retried')
    expect(line).toMatchObject({
      application: id,
      attempt: 1,
      reason: name === '302' ? 'redirected' : `status_${name}`,
    })
    const retryMs = Date.parse(String(line?.['retry_at'])) - it.clock.nowMs()
    expect(retryMs).toBeGreaterThanOrEqual(5_000)
    expect(retryMs).toBeLessThanOrEqual(10_000)
    shop.answer = undefined
    it.clock.advanceMs(retryMs)
    await lookAgain()
    await expect.poll(() => linesOf('logout_sent'), WAIT).toMatchObject([{ attempt: 2 }])
    expect(sidsAt(shop)).toEqual([session.sid, session.sid])
    expect(new Set(shop.received.map(({ token }) => claimsOf(token)['jti'])).size).toBe(2)
  })

  test('does not delay another application', async () => {
    await using slow = await openLogoutReceiver()
    slow.answer = () => {} // It never answers.
    const [slowId, shopId] = [await register('slow', slow.url), await register('shop')]
    for (let n = 0; n < 6; n += 1) await signIn(slowId)
    const own = await signIn(slowId, shopId)
    await it.authority.accounts.disable(USERNAME, 'test')
    await expect.poll(() => sidsAt(shop), WAIT).toEqual([own.sid])
    // At most four at once, and none of them has ended.
    expect(slow.received.length).toBeLessThanOrEqual(4)
    expect(linesOf('logout_retried')).toEqual([])
  })

  test('for a day is given up, logged and audited', async () => {
    const id = await register('shop')
    shop.answer = (response) => response.writeHead(500).end()
    const session = await signIn(id)
    await logOut(session)
    await expect.poll(() => linesOf('logout_retried'), WAIT).toHaveLength(1)
    it.clock.advanceMs(86_400_000)
    await lookAgain()
    await expect.poll(() => linesOf('logout_not_delivered'), WAIT).toHaveLength(1)
    expect(linesOf('logout_not_delivered')).toMatchObject([
      { application: id, attempt: 2, reason: 'status_500' },
    ])
    const audited = async (): Promise<readonly unknown[]> => {
      const { entries } = await it.authority.audit.list({ limit: 20 })
      return entries.filter(({ event }) => event === 'logout_not_delivered')
    }
    await expect.poll(audited, WAIT).toMatchObject([
      {
        actor: 'system',
        outcome: 'refused',
        accountId: session.sub,
        detail: `${id} status_500`,
      },
    ])
    it.clock.advanceMs(86_400_000)
    expect(await store.sso.logouts.take(10, 0)).toEqual([])
  })
})

test('after a crash in the middle of an attempt, the logout is sent when its lease has ended', async () => {
  const id = await register('shop')
  await it.authority.close()
  const { sub, sid } = { sub: 'acct_AAAAAAAAAAAAAAAAAAAAAA', sid: 'AAAAAAAAAAAAAAAAAAAAAA' }
  // There is no such session, so it counts as ended. A worker takes the logout, and dies.
  await signInAt(id, { sub, sid })
  expect(await store.sso.logouts.take(10, 60_000)).toHaveLength(1)
  await it.restart()
  const session = await signIn(id)
  await logOut(session)
  await expect.poll(() => sidsAt(shop), WAIT).toEqual([session.sid])
  it.clock.advanceMs(60_000)
  await lookAgain()
  await expect.poll(() => sidsAt(shop), WAIT).toEqual([session.sid, sid])
})

test('sessions that end while no server runs are told after the next start', async () => {
  const id = await register('shop')
  const session = await signIn(id)
  await it.authority.close()
  const context = { at: it.clock.nowMs(), actor: 'test' }
  await store.sessions.end(session.sid, { event: 'session_ended' }, context)
  await it.restart()
  await expect.poll(() => sidsAt(shop), WAIT).toEqual([session.sid])
})

test('an application without a logout URI, and one that is gone, are told nothing', async () => {
  const { application } = await registerApplication(it, { name: 'quiet' })
  const gone = await register('gone')
  const kept = await register('kept')
  const session = await signIn(application.id, gone, kept)
  await it.authority.applications.delete('gone', 'test')
  await logOut(session)
  await expect.poll(() => shop.received, WAIT).toHaveLength(1)
  expect(claimsOf(shop.received[0]?.token ?? '')['aud']).toBe(kept)
  it.clock.advanceMs(86_400_000)
  await expect.poll(() => store.sso.logouts.take(10, 0), WAIT).toEqual([])
})

test('without private networks, no connection to this machine is made', async () => {
  const id = await register('shop')
  await it.restart({ outboundPrivate: false })
  await logOut(await signIn(id))
  await expect
    .poll(() => linesOf('logout_retried'), WAIT)
    .toMatchObject([{ application: id, reason: 'address_forbidden' }])
  expect(shop.connections()).toBe(0)
})

test('without single sign-on, nothing is collected', async () => {
  const id = await register('shop')
  await it.restart({ sso: false })
  const session = await signIn(id)
  await logOut(session)
  expect(await store.sso.logouts.loginsOf(session.sid)).toHaveLength(1)
  await it.restart({ sso: true })
  await expect.poll(() => sidsAt(shop), WAIT).toEqual([session.sid])
})
