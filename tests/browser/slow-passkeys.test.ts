import { randomBytes } from 'node:crypto'

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import {
  authenticationOptions,
  registrationOptions,
} from '../../packages/server/src/factors/passkeys/options.ts'
import { readAssertion } from '../../packages/server/src/factors/passkeys/responses.ts'
import { verifyAuthentication } from '../../packages/server/src/factors/passkeys/verify-authentication.ts'
import {
  verifyRegistration,
  type NewCredential,
} from '../../packages/server/src/factors/passkeys/verify-registration.ts'
import { describeWith } from '../support/requirements.ts'
import { launchChromium } from './chromium.ts'
import { startPages, type Site } from './sites.ts'

const REGISTER = `async (options) => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options)
  return (await navigator.credentials.create({ publicKey })).toJSON()
}`
const AUTHENTICATE = `async (options) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options)
  return (await navigator.credentials.get({ publicKey })).toJSON()
}`

const userHandle = randomBytes(64)

describeWith('chromium', 'passkeys that Chromium makes', () => {
  let site: Site
  let browser: Browser
  beforeAll(async () => {
    site = await startPages(() => '<!doctype html><title>Passkeys</title>')
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await site?.[Symbol.asyncDispose]()
  })

  /** Opens the page with a virtual authenticator. Synced passkeys can be backed up, and are. */
  async function openPage(isSynced: boolean): Promise<Page> {
    const page = await browser.newPage()
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
        defaultBackupEligibility: isSynced,
        defaultBackupState: isSynced,
      },
    })
    await page.goto(`http://localhost:${site.port}/`)
    return page
  }

  function startCeremony() {
    const origins = [`http://localhost:${site.port}`]
    return { challenge: randomBytes(32), rpId: 'localhost', origins }
  }

  async function register(page: Page): Promise<NewCredential> {
    const expected = startCeremony()
    const { challenge, rpId } = expected
    const names = { rpName: 'Example', username: 'alice', displayName: 'Alice' }
    const options = registrationOptions({ rpId, ...names, userHandle, exclude: [], challenge })
    const response: unknown = await page.evaluate(`(${REGISTER})(${JSON.stringify(options)})`)
    const result = await verifyRegistration({ response, ...expected })
    if (!result.ok) throw new Error(`The registration was refused: ${result.reason}`)
    return result.credential
  }

  test.each([
    ['on one device', false, 'hwk'],
    ['that are synced', true, 'swk'],
  ] as const)(
    '%s are registered, and log in with and without a username',
    async (_, isSynced, kind) => {
      const page = await openPage(isSynced)
      const credential = await register(page)
      expect(credential).toMatchObject({
        isBackupEligible: isSynced,
        isBackedUp: isSynced,
        transports: ['internal'],
      })

      let { signCount } = credential
      for (const isDiscoverable of [true, false]) {
        const expected = startCeremony()
        const { challenge, rpId } = expected
        const allow = isDiscoverable ? 'discoverable' : [credential]
        const userVerification = 'required'
        const options = authenticationOptions({ rpId, allow, challenge, userVerification })
        const response: unknown = await page.evaluate(
          `(${AUTHENTICATE})(${JSON.stringify(options)})`,
        )
        expect(readAssertion(response)?.credentialId).toBe(credential.id)

        const given = { response, ...expected, userHandle, isDiscoverable }
        const result = await verifyAuthentication({
          ...given,
          credential: { ...credential, signCount },
        })
        expect(result).toMatchObject({
          ok: true,
          isBackedUp: isSynced,
          amr: [kind, 'user', 'mfa'],
        })
        const tampered = { ...given, origins: ['http://localhost'] }
        expect(await verifyAuthentication({ ...tampered, credential })).toEqual({
          ok: false,
          reason: 'wrong_origin',
        })
        if (result.ok) signCount = result.signCount
      }
      await page.close()
    },
  )

  test('are not made twice on one authenticator', async () => {
    const page = await openPage(false)
    const credential = await register(page)
    const { challenge, rpId } = startCeremony()
    const names = { rpName: 'Example', username: 'alice', displayName: 'Alice' }
    const given = { rpId, ...names, userHandle, exclude: [credential], challenge }
    const options = JSON.stringify(registrationOptions(given))
    await expect(page.evaluate(`(${REGISTER})(${options})`)).rejects.toThrow('InvalidStateError')
    await page.close()
  })
})
