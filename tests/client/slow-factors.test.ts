import { join } from 'node:path'

import type { Browser, CDPSession, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { totpAt } from '../../packages/server/test/support/factors.ts'
import { expectNoTokenIn, launchChromium, type Visitor } from '../browser/chromium.ts'
import { bundle } from '../support/bundle.ts'
import { describeWith } from '../support/requirements.ts'
import { ALICE, startClientWorld, type ClientWorld } from './world.ts'

const PAGE = `<!doctype html><title>App</title>
<input autocomplete="username webauthn">
<div id="root"></div>
<script type="module">
import { createClient, createFactors, hasPasskeyAutofill, renderStepUp } from '/client.js'
globalThis.signals = []
for (const name of ['signalUnknownCredential', 'signalAllAcceptedCredentials']) {
  PublicKeyCredential[name] = async (options) => void signals.push([name, options])
}
globalThis.requests = []
Object.assign(globalThis, { hasPasskeyAutofill, renderStepUp })
globalThis.client = createClient()
globalThis.factors = createFactors(client)
client.onStepUp((request) => void requests.push(request))
globalThis.failure = (promise) => promise.then(() => 'none', ({ code }) => code)
globalThis.call = (path) => client.fetch(path, { method: 'POST', body: 'x' }).then(({ status }) => status)
</script>`

/** Takes the browser's own conversions away, as in browsers before 2024. */
const WITHOUT_JSON = `
  delete PublicKeyCredential.parseRequestOptionsFromJSON
  delete PublicKeyCredential.parseCreationOptionsFromJSON
  delete PublicKeyCredential.prototype.toJSON`

describeWith('chromium', 'second factors and passkeys of the client in Chromium', () => {
  let browser: Browser
  let count = 0
  let username: string
  let world: ClientWorld
  let visitor: Visitor
  let tab: Page
  beforeAll(async () => {
    const code = await bundle(join(import.meta.dirname, 'factors-page.ts'))
    const pageOf = (path: string): string => (path === '/client.js' ? code : PAGE)
    const config = { rememberDevice: '30d' }
    ;[browser, world] = await Promise.all([launchChromium(), startClientWorld(pageOf, config)])
  })
  afterAll(async () => {
    await browser?.close()
    await world?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    username = `person-${(count += 1)}`
    await world.it.authority.accounts.create({ username, password: ALICE.password }, 'test')
    visitor = await world.visit(browser)
    tab = await world.openTab(visitor)
  })
  afterEach(async () => {
    await visitor.expectNothingReadable()
    expectNoTokenIn(world.front.arrivals)
    await visitor[Symbol.asyncDispose]()
  })

  const login = (page: Page = tab): Promise<unknown> =>
    page.evaluate(`(globalThis.step = undefined, client.login(${JSON.stringify({ ...ALICE, username })}))
      .then((step) => (globalThis.step = step).next)`)
  const authTime = (page: Page): Promise<unknown> => page.evaluate('client.peek()?.auth_time')

  /** Gives a tab an authenticator that answers at once. */
  async function addAuthenticator(page: Page = tab): Promise<CDPSession> {
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('WebAuthn.enable')
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        ctap2Version: 'ctap2_1',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    })
    return devtools
  }

  /** Logs in, sets a passkey up, and logs out. */
  async function enrolPasskey(): Promise<void> {
    await addAuthenticator()
    await login()
    const { recoveryCodes } = await tab.evaluate<{ recoveryCodes: string[] }>(
      "factors.addPasskey('Laptop')",
    )
    expect(recoveryCodes).toHaveLength(10)
    await tab.evaluate('client.logout()')
    world.it.clock.advanceMs(1000)
  }

  test.each([
    ['with the browser that converts JSON itself', ''],
    ['with a browser that does not', WITHOUT_JSON],
  ])('a passkey is the second factor, and logs in alone, %s', async (_, script) => {
    await tab.evaluate(`(() => { ${script} })()`)
    const isNative = await tab.evaluate("'parseRequestOptionsFromJSON' in PublicKeyCredential")
    expect(isNative).toBe(script === '')
    await enrolPasskey()
    expect(await login()).toBe('second-factor')
    expect(await tab.evaluate('step.methods')).toEqual(['passkey', 'recovery_code'])
    expect(await tab.evaluate('client.session()')).toBeNull()
    const done = await tab.evaluate('step.passkey()')
    expect(done).toMatchObject({
      next: 'signed-in',
      session: { acr: 'aal2', amr: ['pwd', 'hwk', 'user', 'mfa'] },
    })
    await tab.evaluate('client.logout()')

    const alone = await tab.evaluate('client.loginWithPasskey()')
    expect(alone).toMatchObject({ session: { username, amr: ['hwk', 'user', 'mfa'] } })
    expect(await tab.evaluate("failure(factors.addPasskey('Again'))")).toBe('passkey_taken')
    expect(await tab.evaluate("call('/api/safe')")).toBe(200)
  })

  test('autofill logs in, also if the page was open for longer than its challenge lives', async () => {
    await enrolPasskey()
    expect(await tab.evaluate('hasPasskeyAutofill()')).toBe(true)
    const filled = await tab.evaluate('client.loginWithPasskey({ autofill: true })')
    expect(filled).toMatchObject({ next: 'signed-in', session: { username } })
    await tab.evaluate('client.logout()')

    await tab.exposeFunction('waitLong', () => world.it.clock.advanceMs(3_600_000))
    const late = await tab.evaluate(`(async () => {
      globalThis.mediations = []
      const get = navigator.credentials.get.bind(navigator.credentials)
      navigator.credentials.get = async (options) => {
        mediations.push(options.mediation ?? 'modal')
        if (options.mediation) await waitLong()
        return get(options)
      }
      return client.loginWithPasskey({ autofill: true })
    })()`)
    expect(late).toMatchObject({ next: 'signed-in', session: { username } })
    expect(await tab.evaluate('mediations')).toEqual(['conditional', 'modal'])
  })

  test('a request for a passkey can be aborted, and a newer one ends it', async () => {
    await login()
    await tab.evaluate('client.logout()')
    // Without an authenticator, a dialog would wait for the person.
    const codes = await tab.evaluate(`(async () => {
      const abort = new AbortController()
      const first = failure(client.loginWithPasskey({ autofill: true }))
      const asked = new Promise((resolve) => {
        const { get } = navigator.credentials
        navigator.credentials.get = (options) => {
          const answer = get.call(navigator.credentials, options)
          resolve()
          return answer
        }
      })
      await asked
      const second = failure(client.loginWithPasskey({ autofill: true, signal: abort.signal }))
      const codes = [await first]
      abort.abort()
      return [...codes, await second]
    })()`)
    expect(codes).toEqual(['passkey_cancelled', 'passkey_cancelled'])
  })

  test('password managers hear which passkeys are left, and that a refused one is unknown', async () => {
    await enrolPasskey()
    await tab.evaluate('client.loginWithPasskey()')
    const [{ id, credential_id: credentialId }] = await tab.evaluate<
      [{ id: string; credential_id: string }]
    >('factors.list().then(({ factors }) => factors)')
    await tab.evaluate(`factors.remove(${JSON.stringify(id)})`)
    await tab.evaluate('client.logout()')
    expect(await tab.evaluate('failure(client.loginWithPasskey())')).toBe('passkey_unknown')
    expect(await tab.evaluate('signals')).toEqual([
      [
        'signalAllAcceptedCredentials',
        { rpId: 'localhost', userId: expect.any(String), allAcceptedCredentialIds: [] },
      ],
      ['signalUnknownCredential', { rpId: 'localhost', credentialId }],
    ])
  })

  test('a remembered browser is not asked again', async () => {
    await login()
    const secret = await tab.evaluate<string>(
      'factors.beginTotp().then((begun) => (globalThis.begun = begun).secret)',
    )
    const codeNow = (): string => totpAt(secret, world.it.clock.nowMs())
    await tab.evaluate(`begun.submit('${codeNow()}')`)
    await tab.evaluate('client.logout()')
    world.it.clock.advanceMs(30_000)
    expect(await login()).toBe('second-factor')
    await tab.evaluate(`step.totp('${codeNow()}', { remember: true })`)
    await tab.evaluate('client.logout()')
    expect(await login()).toBe('signed-in')
    expect(await tab.evaluate('factors.devices()')).toMatchObject([
      { device: expect.stringContaining('Chrom') },
    ])
  })

  test('the hook of React shows that a call waits, until the person has confirmed', async () => {
    await enrolPasskey()
    await tab.evaluate('client.loginWithPasskey()')
    await tab.evaluate("renderStepUp(document.querySelector('#root'), client)")
    world.it.clock.advanceMs(61_000)
    await tab.evaluate("(globalThis.answer = call('/api/recent')) && 0")
    await tab.getByRole('button', { name: 'Confirm with passkey or recovery_code' }).click()
    expect(await tab.evaluate('answer')).toBe(200)
    await expect.poll(() => tab.getByRole('button').count()).toBe(0)
    expect(await tab.evaluate('requests')).toEqual([])
  })

  test('a step-up in one tab repeats the refused calls of all tabs', async () => {
    await enrolPasskey()
    await tab.evaluate('client.loginWithPasskey()')
    const other = await world.openTab(visitor)
    expect(await other.evaluate('client.session()')).toMatchObject({ username })
    const before = await authTime(other)
    world.it.clock.advanceMs(61_000)

    for (const each of [tab, other]) {
      await each.evaluate(
        "(globalThis.answers = Promise.all([call('/api/recent'), call('/api/recent')])) && 0",
      )
      await expect.poll(() => each.evaluate('requests.length')).toBe(1)
    }
    expect(await tab.evaluate('[requests[0].methods, requests[0].maxAgeSec]')).toEqual([
      ['passkey', 'recovery_code'],
      60,
    ])
    await tab.evaluate('requests[0].passkey()')
    for (const each of [tab, other]) {
      expect(await each.evaluate('answers')).toEqual([200, 200])
      expect(await each.evaluate('requests[0].settled')).toBe(true)
      expect(await each.evaluate('requests.length')).toBe(1)
    }
    expect(await authTime(other)).toBe((before as number) + 61)
  })
})
