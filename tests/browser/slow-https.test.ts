import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { ADMIN } from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import {
  call,
  callBare,
  expectNoTokenIn,
  launchChromium,
  login,
  logout,
  Visitor,
} from './chromium.ts'
import { makeCertificate, type Certificate } from '../support/certificate.ts'
import { startSecurePlanter, startSecureWorld, type SecureWorld } from './secure-world.ts'

const PLANTED = 'planted'
const DOMAIN = 'team.localhost'

describeWith('chromium', 'cookies over https, in Chromium', () => {
  let browser: Browser
  let tls: Certificate
  let planter: Awaited<ReturnType<typeof startSecurePlanter>>
  beforeAll(async () => {
    browser = await launchChromium()
    tls = makeCertificate()
    planter = await startSecurePlanter(tls)
  })
  afterAll(() => Promise.all([browser?.close(), planter?.[Symbol.asyncDispose]()]))

  /** Opens the application in a new browser and logs in. */
  async function logIn(world: SecureWorld): Promise<{ visitor: Visitor; page: Page }> {
    const visitor = await Visitor.open(browser, { tls: true })
    const page = await visitor.openApp(`${world.origin}/app/`)
    expect(await login(page, ADMIN)).toMatchObject({ sub: expect.any(String) })
    return { visitor, page }
  }

  /** Makes another host of the domain set cookies. */
  async function plant(page: Page, lines: readonly string[]): Promise<void> {
    const query = new URLSearchParams(lines.map((line): [string, string] => ['line', line]))
    await page.goto(`https://evil.${DOMAIN}:${planter.port}/?${query.toString()}`)
  }

  describe('on one host', () => {
    let world: SecureWorld
    beforeAll(async () => {
      world = await startSecureWorld({ host: 'localhost', tls })
    })
    afterAll(() => world?.[Symbol.asyncDispose]())

    test('have the __Host- prefix, are Secure, and Chromium accepts them', async () => {
      const { visitor, page } = await logIn(world)
      await using _ = visitor
      const host = { domain: 'localhost', path: '/', httpOnly: true, secure: true }
      expect(await visitor.jar()).toMatchObject([
        { name: '__Host-cs_access', sameSite: 'Lax', ...host },
        { name: '__Host-cs_device', sameSite: 'Lax', ...host },
        { name: '__Host-cs_refresh', sameSite: 'Strict', ...host },
      ])

      expect((await call(page, '/api/me')).status).toBe(200)
      expect((await callBare(page, '/api/notes', { method: 'POST', body: 'x' })).status).toBe(403)
      expect((await call(page, '/api/notes', { method: 'POST', body: 'x' })).status).toBe(201)
      await call(page, '/api/unguarded')
      expect(world.service.unguarded.at(-1)?.cookie).toMatch(/^(?!.*refresh).*__Host-cs_access=/)

      await visitor.context.clearCookies({ name: '__Host-cs_access' })
      expect((await call(page, '/api/me')).status).toBe(200)
      await visitor.expectNothingReadable()
      expect(await logout(page)).toBe(true)
      expect(await visitor.names()).toEqual(['__Host-cs_device'])
      expect((await call(page, '/auth/me')).status).toBe(401)
      expectNoTokenIn(world.front.arrivals)
    })

    test('cannot be overwritten by a script of the page', async () => {
      const { visitor, page } = await logIn(world)
      await using _ = visitor
      const before = await visitor.jar()
      const attributes = [
        'Path=/; Secure; Domain=localhost',
        'Path=/; Secure',
        'Path=/auth; Secure',
        'Path=/app; Secure',
        'Path=/',
      ]
      for (const each of attributes) {
        const lines = before.flatMap(({ name }) =>
          [name, `=${name}`, ` ${name}`, name.toUpperCase()].map((it) => `${it}=x; ${each}`),
        )
        await page.evaluate(
          `for (const line of ${JSON.stringify(lines)}) { document.cookie = line }`,
        )
        // A name in capitals is a different cookie, which no server reads.
        const after = await visitor.jar()
        expect(
          after.filter(({ name }) => !name.startsWith('__HOST')),
          each,
        ).toEqual(before)
      }
      expect((await call(page, '/auth/me')).status).toBe(200)
    })
  })

  describe('for a host of a domain', () => {
    test('cannot be set by another host of the domain', async () => {
      await using world = await startSecureWorld({ host: DOMAIN, tls })
      const { visitor, page } = await logIn(world)
      await using _ = visitor
      const before = await visitor.jar()
      const neighbour = await visitor.context.newPage()
      await plant(neighbour, [
        ...before.map(({ name }) => `${name}=${PLANTED}; Domain=${DOMAIN}; Path=/; Secure`),
        ...before.map(({ name }) => `${name}=${PLANTED}; Domain=${DOMAIN}; Path=/auth; Secure`),
        `unprotected=${PLANTED}; Domain=${DOMAIN}; Path=/; Secure`,
      ])
      const after = await visitor.jar()
      expect(after.filter(({ name }) => name !== 'unprotected')).toEqual(before)
      // The other host can set cookies for the domain if their names have no prefix.
      expect(after).toContainEqual(expect.objectContaining({ name: 'unprotected' }))
      expect((await call(page, '/auth/me')).status).toBe(200)
    })
  })

  describe('with COUNTERSIGN_COOKIE_DOMAIN', () => {
    let world: SecureWorld
    beforeAll(async () => {
      world = await startSecureWorld({ host: `auth.${DOMAIN}`, tls, cookieDomain: DOMAIN })
    })
    afterAll(() => world?.[Symbol.asyncDispose]())

    test('can be planted a second time by another host of the domain, which locks the visitor out', async () => {
      const { visitor, page } = await logIn(world)
      await using _ = visitor
      expect(await visitor.jar()).toMatchObject(
        ['access', 'device', 'refresh'].map((kind) => ({
          name: `__Secure-cs_${kind}`,
          domain: `.${DOMAIN}`,
          secure: true,
          httpOnly: true,
        })),
      )
      expect((await call(page, '/api/me')).status).toBe(200)

      const neighbour = await visitor.context.newPage()
      const lines = ['access', 'refresh'].flatMap((kind) =>
        ['/auth', '/api'].map(
          (path) => `__Secure-cs_${kind}=${PLANTED}; Domain=${DOMAIN}; Path=${path}; Secure`,
        ),
      )
      await plant(neighbour, lines)
      for (const [path, code] of [
        ['/auth/me', 'request_malformed'],
        ['/auth/csrf', 'cookie_repeated'],
        ['/api/me', 'request_malformed'],
      ] as const) {
        const answer = await callBare(page, path)
        expect(answer.status).toBe(400)
        expect(JSON.parse(answer.text)).toMatchObject({ code })
      }
      await plant(
        neighbour,
        lines.map((line) => `${line}; Max-Age=0`),
      )
      expect((await call(page, '/auth/me')).status).toBe(200)
    })

    test('can carry a session that another host of the domain planted, until the visitor logs in', async () => {
      const attacker = await logIn(world)
      await using _ = attacker.visitor
      const cookies = await attacker.visitor.jar()
      const { sid } = JSON.parse((await call(attacker.page, '/auth/me')).text) as { sid: string }

      await using visitor = await Visitor.open(browser, { tls: true })
      await plant(
        await visitor.context.newPage(),
        cookies.map(({ name, value }) => `${name}=${value}; Domain=${DOMAIN}; Path=/; Secure`),
      )
      const page = await visitor.openApp(`${world.origin}/app/`)
      expect(JSON.parse((await call(page, '/auth/me')).text)).toMatchObject({ sid })
      expect(await login(page, ADMIN)).toMatchObject({ sub: expect.any(String) })
      const own = JSON.parse((await call(page, '/auth/me')).text) as { sid: string }
      expect(own.sid).not.toBe(sid)
      expect((await call(attacker.page, '/auth/me')).status).toBe(401)
    })
  })
})
