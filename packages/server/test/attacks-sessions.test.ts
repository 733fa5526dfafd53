import { setTimeout as sleep } from 'node:timers/promises'

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { openAttackedAuthority, type AttackedAuthority } from './support/attacked.ts'
import { PASSWORD, USERNAME, type Pair } from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { ask, askJson, type Answer } from './support/contract.ts'
import { query, withDatabase } from './support/database.ts'
import { claimsOf } from './support/forge.ts'

// Group 7.C of docs/attack-catalogue.md: refreshing, sessions and logout, by the contract and by cookies. The
// other attacks of the group are in rotation, slow-races, slow-mixture and csrf.

const NEW_PASSWORD = 'another horse battery'
const DAY_MS = 86_400_000

let it: AttackedAuthority
let browser: TestBrowser
beforeAll(async () => {
  it = await openAttackedAuthority()
})
beforeEach(async () => {
  browser = new TestBrowser(it)
  await browser.login()
  it.mark()
})
afterEach(() => it.expectUnharmed())
afterAll(() => it[Symbol.asyncDispose]())

async function refreshWith(token: string): Promise<Answer> {
  return askJson(it, '/api/token/refresh/', { refresh: token })
}

async function meWith(access: string): Promise<number> {
  const headers = { authorization: `Bearer ${access}` }
  return (await ask(it, '/auth/me', { method: 'GET', type: null, headers })).status
}

function copyOf(from: TestBrowser, at = it): TestBrowser {
  const copy = new TestBrowser(at)
  for (const [name, value] of from.cookies) copy.cookies.set(name, value)
  copy.csrfToken = from.csrfToken
  return copy
}

test('C02 without grace, exactly one of fifty refreshes with one token succeeds', async () => {
  await using strict = await openAttackedAuthority({ rotationGrace: '0s' })
  const pair = await strict.login()
  const answers = await Promise.all(
    Array.from({ length: 50 }, () =>
      askJson(strict, '/api/token/refresh/', { refresh: pair.refresh }),
    ),
  )
  const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b)
  expect(statuses).toEqual([200, ...Array.from({ length: 49 }, () => 401)])
  // The other requests used a copy, so all tokens of the session are refused now.
  const { refresh } = membersOf(answers.find(({ status }) => status === 200)!) as {
    refresh: string
  }
  expect((await askJson(strict, '/api/token/refresh/', { refresh })).status).toBe(401)
  expect(
    query(strict.dataDir, `SELECT event FROM audit WHERE event = 'refresh_reused'`),
  ).toHaveLength(1)
  strict.mark()
  strict.expectUnharmed()
})

describe('C06 every token of a session is refused after', () => {
  interface Held {
    readonly username: string
    /** Another session of the account. */
    readonly owner: TestBrowser
    /** The session that ends. */
    readonly cookies: TestBrowser
    readonly pair: Pair
    readonly sid: string
  }
  let count = 0
  const hold = async (): Promise<Held> => {
    const username = `holder-${(count += 1)}`
    await it.authority.accounts.create({ username, password: PASSWORD }, 'test')
    const [owner, cookies] = [new TestBrowser(it), new TestBrowser(it)]
    await owner.login({ username, password: PASSWORD })
    const { sid } = membersOf(await cookies.login({ username, password: PASSWORD }))
    const pair = {
      access: cookies.cookies.get('cs_access')!,
      refresh: cookies.cookies.get('cs_refresh')!,
    }
    return { username, owner, cookies, pair, sid: String(sid) }
  }

  const endings: readonly (readonly [name: string, end: (held: Held) => Promise<unknown>])[] = [
    ['its logout', ({ cookies }) => copyOf(cookies).visit('/auth/logout')],
    [
      'its logout by the contract',
      ({ pair }) => askJson(it, '/api/token/blacklist/', { refresh: pair.refresh }),
    ],
    ['the end of all', ({ cookies }) => copyOf(cookies).visit('/auth/sessions/end-all')],
    ['the end of all others', ({ owner }) => owner.visit('/auth/sessions/end-others')],
    [
      'its end by another',
      ({ owner, sid }) => owner.visit(`/auth/sessions/${sid}`, { method: 'DELETE' }),
    ],
    [
      'a new password',
      ({ owner }) =>
        owner.visit('/auth/password', {
          body: { old_password: PASSWORD, new_password: NEW_PASSWORD },
        }),
    ],
    [
      'a password that an operator set',
      ({ username }) => it.authority.accounts.setPassword(username, NEW_PASSWORD, 'test'),
    ],
    ['the account was disabled', ({ username }) => it.authority.accounts.disable(username, 'test')],
    [
      'the account was disabled and enabled',
      async ({ username }) => {
        await it.authority.accounts.disable(username, 'test')
        await it.authority.accounts.enable(username, 'test')
      },
    ],
    [
      'the browser logged in anew',
      ({ cookies, username }) => copyOf(cookies).login({ username, password: PASSWORD }),
    ],
  ]

  test.each(endings)('%s', async (_, end) => {
    const held = await hold()
    await end(held)
    it.mark()
    expect((await refreshWith(held.pair.refresh)).status).toBe(401)
    expect(
      (await askJson(it, '/api/token/blacklist/', { refresh: held.pair.refresh })).status,
    ).toBe(401)
    for (const token of Object.values(held.pair)) {
      expect((await askJson(it, '/api/token/verify/', { token })).status).toBeOneOf([400, 401])
    }
    expect(await meWith(held.pair.access)).toBe(401)
    expect((await copyOf(held.cookies).visit('/auth/refresh')).status).toBe(401)
    expect((await copyOf(held.cookies).get('/auth/me')).status).toBe(401)
    expect((await copyOf(held.cookies).get('/auth/sessions')).status).toBe(401)
    for (const path of ['/auth/sessions/end-others', '/auth/sessions/end-all']) {
      expect((await copyOf(held.cookies).visit(path)).status).toBe(401)
    }
    const body = { old_password: NEW_PASSWORD, new_password: 'yet another horse' }
    expect((await copyOf(held.cookies).visit('/auth/password', { body })).status).toBe(401)
  })
})

describe('C14 a cookie that a neighbour planted', () => {
  const secret = 'a-secret-of-many-different-characters-0123456789'
  const publicUrl = 'https://auth.example.com'

  let secure: AttackedAuthority
  let victim: TestBrowser
  let attacker: TestBrowser
  beforeAll(async () => {
    secure = await openAttackedAuthority({ publicUrl, secret })
    await secure.authority.accounts.create({ username: 'mallory', password: PASSWORD }, 'test')
    victim = await logIn(USERNAME)
    attacker = await logIn('mallory')
  })
  beforeEach(() => secure.mark())
  afterAll(() => secure[Symbol.asyncDispose]())

  async function logIn(username: string): Promise<TestBrowser> {
    const one = new TestBrowser(secure)
    await one.get('/auth/csrf')
    const headers = { origin: publicUrl }
    await one.visit('/auth/login', { body: { username, password: PASSWORD }, headers })
    return one
  }

  const visit = (method: string, path: string, cookie: string): Promise<Answer> =>
    victim.visit(path, { method, headers: { cookie, origin: publicUrl } })

  const planted: readonly (readonly [
    name: string,
    cookie: (ours: string, theirs: string, kind: string) => string,
    statuses: readonly number[],
  ])[] = [
    ['before ours', (ours, theirs, kind) => `__Host-cs_${kind}=${theirs}; ${ours}`, [400]],
    ['after ours', (ours, theirs, kind) => `${ours}; __Host-cs_${kind}=${theirs}`, [400]],
    ['without a value', (ours, _, kind) => `__Host-cs_${kind}=; ${ours}`, [400]],
    ['with the very same value', (ours, _, kind) => `${ours}; ${partOf(ours, kind)}`, [400]],
    ['in a tab', (ours, theirs, kind) => `\t__Host-cs_${kind}=${theirs}\t;${ours}`, [400]],
    // These are cookies with other names, and must be ignored.
    ['without the prefix', (ours, theirs, kind) => `cs_${kind}=${theirs}; ${ours}`, [200]],
    ['of a domain', (ours, theirs, kind) => `__Secure-cs_${kind}=${theirs}; ${ours}`, [200]],
    ['in small letters', (ours, theirs, kind) => `__host-cs_${kind}=${theirs}; ${ours}`, [200]],
    ['without a name', (ours, theirs, kind) => `=__Host-cs_${kind}=${theirs}; ${ours}`, [200]],
    ['without a name and "="', (ours, _, kind) => `__Host-cs_${kind}; ${ours}`, [200]],
    ['in quotes', (ours, theirs, kind) => `a="; __Host-cs_${kind}x=${theirs}"; ${ours}`, [200]],
    ['with a space', (ours, theirs, kind) => `__Host-cs_${kind} =${theirs}; ${ours}`, [200]],
    ['escaped', (ours, theirs, kind) => `__Host-cs%5f${kind}=${theirs}; ${ours}`, [200]],
    [
      'after a space of Latin-1',
      (ours, theirs, kind) => `\u00a0__Host-cs_${kind}=${theirs}; ${ours}`,
      [200],
    ],
    [
      'after a version',
      (ours, theirs, kind) => `$Version=1; $Path=/; cs_${kind}=${theirs}; ${ours}`,
      [200],
    ],
  ]

  function partOf(cookies: string, kind: string): string {
    return cookies.split('; ').find((each) => each.startsWith(`__Host-cs_${kind}=`)) ?? ''
  }

  test.each(planted)('%s does not make the victim the attacker', async (_, cookie, statuses) => {
    const ours = victim.cookieHeader()
    const { sub } = membersOf(await visit('GET', '/auth/me', ours))

    const access = attacker.cookies.get('__Host-cs_access')!
    const me = await visit('GET', '/auth/me', cookie(ours, access, 'access'))
    expect(me.status).toBeOneOf(statuses)
    if (me.status === 200) expect(membersOf(me)['sub']).toBe(sub)

    const refresh = attacker.cookies.get('__Host-cs_refresh')!
    const refreshed = await visit('POST', '/auth/refresh', cookie(ours, refresh, 'refresh'))
    expect(refreshed.status).toBeOneOf(statuses)
    // With either answer, the planted cookie must end no session.
    if (refreshed.status === 200) secure.mark()
    expect(membersOf(refreshed)['sub']).toBeOneOf([sub, undefined])
    secure.expectUnharmed()
    expect((await attacker.get('/auth/me')).status).toBe(200)
  })

  test('that replaces ours, without its CSRF token, changes neither session', async () => {
    const cookie = attacker.cookieHeader()
    for (const path of ['/auth/refresh', '/auth/logout', '/auth/sessions/end-all', '/auth/login']) {
      expect((await visit('POST', path, cookie)).status).toBe(403)
    }
    secure.expectUnharmed()
  })
})

describe('C15 one kind of token in place of another', () => {
  test.each([
    ['the refresh token as access cookie', 'cs_access', 'cs_refresh', 'GET', '/auth/me'],
    ['the refresh token as access cookie', 'cs_access', 'cs_refresh', 'GET', '/auth/sessions'],
    ['the CSRF cookie as access cookie', 'cs_access', 'cs_device', 'GET', '/auth/me'],
    ['the access token as refresh cookie', 'cs_refresh', 'cs_access', 'POST', '/auth/refresh'],
    ['the device as refresh cookie', 'cs_refresh', 'cs_device', 'POST', '/auth/refresh'],
  ])('%s at %s', async (_, place, from, method, path) => {
    const other = copyOf(browser)
    other.cookies.set(place, other.cookies.get(from)!)
    expect((await other.visit(path, { method })).status).toBe(401)
    expect((await browser.get('/auth/me')).status).toBe(200)
  })

  test('in the header and in the body', async () => {
    const refresh = browser.cookies.get('cs_refresh')!
    const access = browser.cookies.get('cs_access')!
    expect(await meWith(refresh)).toBe(401)
    expect(await meWith(browser.csrfToken!)).toBe(401)
    expect((await refreshWith(access)).status).toBe(401)
    expect((await askJson(it, '/api/token/blacklist/', { refresh: access })).status).toBe(401)
    expect((await refreshWith(browser.csrfToken!)).status).toBe(401)
  })
})

describe('C17 another page', () => {
  const image = { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'image', origin: undefined }

  test.each([
    ['GET', '/auth/logout', 405],
    ['HEAD', '/auth/logout', 405],
    ['GET', '/auth/sessions/end-all', 405],
    ['GET', '/api/token/blacklist/', 405],
    ['POST', '/auth/logout', 403],
    ['POST', '/auth/sessions/end-all', 403],
    ['POST', '/auth/sessions/end-others', 403],
  ])('logs nobody out by %s %s', async (method, path, status) => {
    const answer = await browser.visit(path, { method, headers: image, withoutToken: true })
    expect(answer.status).toBe(status)
    expect(answer.headers.getSetCookie()).toEqual([])
    expect((await browser.get('/auth/me')).status).toBe(200)
  })

  test('clears no cookie of a browser whose session is over', async () => {
    const other = copyOf(browser)
    await browser.visit('/auth/logout')
    it.mark()
    const answer = await other.visit('/auth/logout', { headers: image, withoutToken: true })
    expect(answer.status).toBe(403)
    expect(answer.headers.getSetCookie()).toEqual([])
  })
})

test('C09 a password change while its tenant is disabled does not save the session', async () => {
  // Hashing takes long enough for an operator to act during the hash.
  await using slow = await openAttackedAuthority({ argon2Passes: 40 })
  const { tenants } = slow.authority
  await tenants.create('acme', 'test')
  await tenants.setMember({ username: USERNAME, tenant: 'acme', roles: [] }, 'test')
  const owner = new TestBrowser(slow)
  await owner.login()
  const body = { old_password: PASSWORD, new_password: NEW_PASSWORD }
  const changing = owner.visit('/auth/password', { body })
  await sleep(5)
  await tenants.disable('acme', 'test')
  expect((await changing).status).toBe(401)
  await tenants.enable('acme', 'test')
  expect((await owner.get('/auth/me')).status).toBe(401)
  expect((await owner.visit('/auth/refresh')).status).toBe(401)
})

test('C20 of ten thousand sessions of one account, a hundred are listed, and all end at once', async () => {
  await using crowded = await openAttackedAuthority()
  const owner = new TestBrowser(crowded)
  await owner.login()
  const { sid } = claimsOf(owner.cookies.get('cs_access')!)
  withDatabase(crowded.dataDir, (db) => {
    const columns = db
      .prepare(
        `SELECT name FROM pragma_table_info('sessions') WHERE name NOT IN ('id', 'created_at')`,
      )
      .all()
      .map((row) => String(row['name']))
    db.exec('BEGIN')
    const insert = db.prepare(
      `INSERT INTO sessions (id, created_at, ${columns.join(', ')})
       SELECT ?, created_at - ?, ${columns.join(', ')} FROM sessions WHERE id = ?`,
    )
    for (let n = 1; n <= 10_000; n += 1) insert.run(`session-${n}`, n, String(sid))
    db.exec('COMMIT')
  })
  crowded.mark()
  const { sessions } = membersOf(await owner.get('/auth/sessions')) as { sessions: object[] }
  expect(sessions).toHaveLength(100)
  expect(sessions[0]).toMatchObject({ id: sid, current: true })
  crowded.expectUnharmed()

  expect((await owner.visit('/auth/sessions/end-others')).status).toBe(204)
  crowded.mark()
  const left = membersOf(await owner.get('/auth/sessions')) as { sessions: object[] }
  expect(left.sessions).toEqual([expect.objectContaining({ id: sid, current: true })])
})

describe('C21 the id of a session', () => {
  test('is 128 random bits, new each time, even for a browser that sends one', async () => {
    const ids = new Set<unknown>()
    for (let n = 0; n < 20; n += 1) {
      const { sid } = membersOf(await browser.login()) as { sid: string }
      expect(sid).toMatch(/^[\w-]{22}$/)
      ids.add(sid)
    }
    expect(ids.size).toBe(20)
    it.mark()
  })

  test.each([
    'unknown',
    'A'.repeat(22),
    '1',
    '0',
    '-1',
    "' OR 1=1--",
    '%',
    '_',
    '*',
    '%00',
    '..',
    'a'.repeat(10_000),
    'undefined',
    '%F0%9F%92%A9',
    'END-ALL',
  ])('guessed as %s gets the answer of any session of another account', async (id) => {
    const path = `/auth/sessions/${encodeURIComponent(id).replaceAll('.', '%2e')}`
    const unknown = await browser.visit('/auth/sessions/unknown', { method: 'DELETE' })
    const answer = await browser.visit(path, { method: 'DELETE' })
    expect(answer).toMatchObject({ status: 404, text: unknown.text })
  })

  test('is not a secret: the id alone neither refreshes nor ends a session', async () => {
    const { sid } = claimsOf(browser.cookies.get('cs_access')!)
    expect((await refreshWith(String(sid))).status).toBe(401)
    const stranger = new TestBrowser(it)
    const headers = { 'x-csrf-token': browser.csrfToken }
    const path = `/auth/sessions/${String(sid)}`
    expect((await stranger.visit(path, { method: 'DELETE', headers })).status).toBe(401)
  })
})

test('C12 a clock that is set back revives no ended or expired session', async () => {
  await using later = await openAttackedAuthority()
  const owner = new TestBrowser(later)
  await owner.login()
  const old = copyOf(owner, later)
  later.clock.advanceMs(15 * DAY_MS)
  expect((await old.visit('/auth/refresh')).status).toBe(401)
  await owner.login()
  const ended = copyOf(owner, later)
  await owner.visit('/auth/logout')
  later.mark()
  later.clock.advanceMs(-30_000)
  expect((await ended.visit('/auth/refresh')).status).toBe(401)
  expect((await ended.get('/auth/me')).status).toBe(401)
  later.expectUnharmed()
})
