import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { ADMIN } from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { attack, attacksOn, spy, type Attack, type Target } from './attacks.ts'
import { call, callBare, expectNoTokenIn, launchChromium, login, Visitor } from './chromium.ts'
import type { Arrival } from './proxy.ts'
import { startHostile, type Site } from './sites.ts'
import { dumpDatabase, startWorld, type World } from './world.ts'

const MALLORY = { username: 'mallory', password: 'the password of mallory' } as const
const SOON = { interval: 5, timeout: 60_000 } as const
const LOOKS_AT_ORIGIN_FIRST = new Set([
  '/auth/login',
  '/auth/refresh',
  '/auth/logout',
  '/auth/signup',
])
const PASSWORDS = { old_password: ADMIN.password, new_password: 'what mallory wants' } as const

describeWith('chromium', 'hostile pages, in Chromium', () => {
  let browser: Browser
  let world: World
  let site: Site
  beforeAll(async () => {
    ;[browser, world, site] = await Promise.all([
      launchChromium(),
      startWorld({ COUNTERSIGN_SIGN_UP: 'true' }),
      startHostile(),
    ])
    const signUp = await fetch(`${world.authority}/auth/signup`, {
      method: 'POST',
      body: new URLSearchParams(MALLORY),
    })
    expect(signUp.status).toBe(201)
  })
  afterAll(async () => {
    await Promise.all([browser, world, site].map((each) => each?.[Symbol.asyncDispose]()))
  })

  /** Every endpoint that changes something, and the effect it would have if the attack succeeded. */
  const targets: readonly (readonly [
    method: Target['method'],
    path: string,
    fields: Target['fields'],
  ])[] = [
    ['POST', '/auth/login', MALLORY],
    ['POST', '/auth/refresh', {}],
    ['POST', '/auth/logout', {}],
    ['POST', '/auth/password', PASSWORDS],
    ['POST', '/auth/sessions/end-others', {}],
    ['POST', '/auth/sessions/end-all', {}],
    ['DELETE', '/auth/sessions/ID', {}],
    ['POST', '/auth/signup', { username: 'planted', password: 'a planted password' }],
    ['POST', '/api/notes', { note: 'planted' }],
  ]

  /** Returns the requests to a URL since a moment, without preflights. */
  function since({ front, api }: { front: number; api: number }, url: string): Arrival[] {
    const { pathname } = new URL(url)
    const all = [...world.front.arrivals.slice(front), ...world.apiFront.arrivals.slice(api)]
    return all.filter(({ method, path }) => method !== 'OPTIONS' && path === pathname)
  }
  const moment = (): { front: number; api: number } => ({
    front: world.front.arrivals.length,
    api: world.apiFront.arrivals.length,
  })
  const urlOf = (path: string): string =>
    `${path.startsWith('/api/') ? world.api : world.authority}${path}`

  describe.each([
    ['another port of the same host', 'same-site', () => `http://localhost:${site.port}`],
    ['another site', 'cross-site', () => `http://evil.localhost:${site.port}`],
  ] as const)('on %s', (_name, relation, originOf) => {
    let victim: Visitor
    let app: Page
    let hostile: Page
    let sid: string
    beforeAll(async () => {
      victim = await Visitor.open(browser)
      app = await victim.openApp(world.app)
      sid = String((await login(app, ADMIN))['sid'])
      // Creates another session of the victim, which end-others would end.
      await fetch(`${world.authority}/api/token/`, {
        method: 'POST',
        body: new URLSearchParams(ADMIN),
      })
      hostile = await victim.context.newPage()
      await hostile.goto(originOf())
    })
    afterAll(() => victim?.[Symbol.asyncDispose]())

    const everything = async (): Promise<object> => ({
      database: dumpDatabase(world.dataDir),
      notes: world.service.notes.length,
      cookies: await victim.jar(),
    })

    async function isLoggedIn(): Promise<boolean> {
      const cookie = (await victim.jar()).map(({ name, value }) => `${name}=${value}`).join('; ')
      return (await fetch(`${world.authority}/auth/me`, { headers: { cookie } })).ok
    }

    /** The refusal of an attack. A missing cookie is detected first. */
    function statusOf(method: Target['method'], path: string, { by }: Attack): number {
      const hasCookie = relation === 'same-site' && by !== 'sandbox'
      // Without a token, the guard does not reveal which routes exist. An image is a GET. With the cookie it
      // passes the guard.
      if (path === '/api/notes' && by === 'image') return hasCookie ? 404 : 401
      if (method === 'DELETE' || by === 'image') return 405
      return hasCookie || LOOKS_AT_ORIGIN_FIRST.has(path) ? 403 : 401
    }

    test.each(targets)('cannot use %s %s', async (method, path, fields) => {
      const url = urlOf(path.replace('ID', sid))
      const before = await everything()
      for (const each of attacksOn({ method, url, fields })) {
        const start = moment()
        const read = await attack(hostile, originOf(), url, each)
        // The page cannot notice when a beacon or a frame has arrived.
        if (each.arrives[method]) {
          await expect.poll(() => since(start, url).length, SOON).toBeGreaterThan(0)
        }
        const arrived = since(start, url)

        expect(arrived.length, each.name).toBe(each.arrives[method] ? 1 : 0)
        for (const { status, secFetchSite } of arrived) {
          expect({ attack: each.name, status }).toEqual({
            attack: each.name,
            status: statusOf(method, path, each),
          })
          expect(secFetchSite).toBe(each.by === 'sandbox' ? 'cross-site' : relation)
        }
        expect(read, each.name).toMatch(/^(?:blocked: \w+|opaque|sent|navigated|error)$/)
        expect(await everything(), each.name).toEqual(before)
        expect(await isLoggedIn(), each.name).toBe(true)
      }
      expect((await callBare(app, `${world.authority}/auth/me`)).status).toBe(200)
      await victim.expectNothingReadable()
    })

    test.each(['/auth/csrf', '/auth/me', '/auth/sessions', '/api/me'])(
      'cannot read GET %s',
      async (path) => {
        const url = urlOf(path)
        const start = moment()
        expect(await spy(hostile, url)).toEqual([
          'blocked: TypeError',
          // The authority limits its answers to its own origin (CORP). The service does not.
          path === '/api/me' ? 'opaque' : 'blocked: TypeError',
          'error',
          'error',
          'blocked: SecurityError',
        ])
        expect(since(start, url)).toHaveLength(5)
        await hostile.goto(originOf())
      },
    )

    test('the same attempts reach a service that has no guard, with the cookies that SameSite allows', async () => {
      const url = urlOf('/api/unguarded')
      const target: Target = { method: 'POST', url, fields: { note: 'planted' } }
      for (const each of attacksOn(target)) {
        const count = world.service.unguarded.length
        await attack(hostile, originOf(), url, each)
        if (!each.arrives.POST) continue
        await expect.poll(() => world.service.unguarded.length, SOON).toBeGreaterThan(count)
        const { cookie = '' } = world.service.unguarded.at(-1) ?? {}
        // Browsers treat a sandboxed frame of the same site as another site.
        const isSent = relation === 'same-site' && each.by !== 'sandbox'
        expect({ attack: each.name, isSent: /cs_access=.*cs_refresh=/.test(cookie) }).toEqual({
          attack: each.name,
          isSent,
        })
      }
    })

    test('leave the session, the password and the account of the victim unchanged', async () => {
      expect((await call(app, urlOf('/api/notes'), { method: 'POST', body: 'own' })).status).toBe(
        201,
      )
      const me = await call(app, `${world.authority}/auth/me`)
      expect(JSON.parse(me.text)).toMatchObject({ username: ADMIN.username, sid })
      expect(await login(app, ADMIN)).toMatchObject({ sub: expect.any(String) })
      expectNoTokenIn([...world.front.arrivals, ...world.apiFront.arrivals])
    })
  })

  describe.each([
    ['another port of the same host', () => `http://localhost:${site.port}`],
    ['another site', () => `http://evil.localhost:${site.port}`],
  ] as const)('on %s', (_name, originOf) => {
    let visitor: Visitor
    beforeEach(async () => {
      visitor = await Visitor.open(browser)
    })
    afterEach(() => visitor[Symbol.asyncDispose]())

    test('cannot log a visitor in to the account of the attacker', async () => {
      const hostile = await visitor.context.newPage()
      await hostile.goto(originOf())
      // If the browser accepts cookies from such a page, it then has the cookie from before a login.
      await spy(hostile, urlOf('/auth/csrf'))
      const url = urlOf('/auth/login')
      const database = dumpDatabase(world.dataDir)
      await hostile.goto(originOf())
      for (const each of attacksOn({ method: 'POST', url, fields: MALLORY })) {
        await attack(hostile, originOf(), url, each)
        expect(
          (await visitor.names()).filter((name) => name !== 'cs_csrf'),
          each.name,
        ).toEqual([])
      }
      expect(dumpDatabase(world.dataDir)).toBe(database)
      const app = await visitor.openApp(world.app)
      expect((await call(app, `${world.authority}/auth/me`)).status).toBe(401)
      expect(await login(app, ADMIN)).toMatchObject({ sub: expect.any(String) })
      expect(await visitor.names()).toEqual(['cs_access', 'cs_device', 'cs_refresh'])
    })
  })
})
