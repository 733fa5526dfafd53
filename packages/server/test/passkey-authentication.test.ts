import { randomBytes } from 'node:crypto'

import { describe, expect, test } from 'vitest'

import { authenticationOptions } from '../src/factors/passkeys/options.ts'
import { readAssertion } from '../src/factors/passkeys/responses.ts'
import { verifyAuthentication } from '../src/factors/passkeys/verify-authentication.ts'
import { createAuthenticator, type ForgedAssertion } from './support/authenticator.ts'
import {
  ORIGIN,
  registered,
  RP_ID,
  startAuthentication,
  tryAuthentication,
  USER_HANDLE,
} from './support/ceremonies.ts'

const make = (options: { alg?: number; isSynced?: boolean } = {}) =>
  createAuthenticator({ rpId: RP_ID, origin: ORIGIN, ...options })

describe('the options of an authentication', () => {
  const given = {
    rpId: RP_ID,
    challenge: new Uint8Array(32).fill(2),
    userVerification: 'required',
  } as const
  const common = {
    rpId: RP_ID,
    challenge: `${'AgIC'.repeat(10)}AgI`,
    timeout: 300_000,
    userVerification: 'required',
  }

  test('name the passkeys of an account, or none', () => {
    const allow = [{ id: 'AQID', transports: ['internal', 'hybrid'] }]
    expect(authenticationOptions({ ...given, allow })).toEqual({
      ...common,
      allowCredentials: [{ type: 'public-key', ...allow[0] }],
    })
    expect(authenticationOptions({ ...given, allow: 'discoverable' })).toEqual({
      ...common,
      allowCredentials: [],
    })
  })

  test('are not made for an account without passkeys', () => {
    expect(() => authenticationOptions({ ...given, allow: [] })).toThrow('not be an empty list')
  })
})

describe('an authentication', () => {
  test.each([-7, -8, -257])('with the algorithm %i', async (alg) => {
    const authenticator = make({ alg })
    const credential = await registered(authenticator)
    expect(await tryAuthentication(authenticator, credential)).toEqual({
      ok: true,
      signCount: 2,
      isBackedUp: false,
      amr: ['hwk', 'user', 'mfa'],
    })
  })

  test('with a synced passkey, which has no counter and may lose its backup', async () => {
    const authenticator = make({ isSynced: true })
    const credential = await registered(authenticator)
    const amr = ['swk', 'user', 'mfa']
    for (const isBackedUp of [true, false]) {
      expect(await tryAuthentication(authenticator, credential, { isBackedUp })).toEqual({
        ok: true,
        signCount: 0,
        isBackedUp,
        amr,
      })
    }
  })

  test('among several passkeys uses the one that the options allow', async () => {
    const authenticator = make()
    const first = await registered(authenticator)
    await registered(authenticator)
    const { options, expected } = startAuthentication([first.id])
    const response = authenticator.authenticate(options)
    expect(readAssertion(response)).toEqual({ credentialId: first.id, userHandle: USER_HANDLE })
    expect(
      await verifyAuthentication({
        response,
        ...expected,
        credential: first,
        userHandle: USER_HANDLE,
        isDiscoverable: false,
      }),
    ).toMatchObject({ ok: true })
  })

  test('without a user handle, for an account that is known', async () => {
    const authenticator = make()
    const credential = await registered(authenticator)
    const result = await tryAuthentication(authenticator, credential, { userHandle: null }, false)
    expect(result).toMatchObject({ ok: true })
  })

  test('with the first counter after zero, and the highest one', async () => {
    const authenticator = make()
    const credential = await registered(authenticator, { signCount: 0 })
    for (const signCount of [0, 1, 2 ** 32 - 1]) {
      const result = await tryAuthentication(authenticator, credential, { signCount })
      expect(result).toMatchObject({ ok: true, signCount })
    }
  })
})

const others = randomBytes(64).toString('base64url')

describe('an authentication is refused', () => {
  test.each<[string, string, ForgedAssertion]>([
    ['the type of the other ceremony', 'wrong_type', { type: 'webauthn.create' }],
    ['a type for payments', 'wrong_type', { type: 'payment.get' }],
    ['another challenge', 'wrong_challenge', { challenge: randomBytes(32).toString('base64url') }],
    ['an empty challenge', 'wrong_challenge', { challenge: '' }],
    ['another origin', 'wrong_origin', { origin: 'https://evil.example' }],
    ['another subdomain', 'wrong_origin', { origin: 'https://blog.example.com' }],
    ['plain http', 'wrong_origin', { origin: 'http://login.example.com' }],
    ['a frame of another origin', 'cross_origin', { crossOrigin: true }],
    ['a top origin', 'cross_origin', { topOrigin: ORIGIN }],
    [
      'a frame with a top origin',
      'cross_origin',
      { crossOrigin: true, topOrigin: 'https://evil.example' },
    ],
    ['the RP ID of another site', 'wrong_rp_id', { rpId: 'evil.example' }],
    ['an RP ID below ours', 'wrong_rp_id', { rpId: 'login.example.com' }],
    ['nobody present', 'user_not_present', { isUserPresent: false }],
    ['nobody verified', 'user_not_verified', { isUserVerified: false }],
    ['a backup of what has none', 'backup_flags_invalid', { isBackedUp: true }],
    [
      'a passkey that can suddenly be backed up',
      'backup_eligibility_changed',
      { isBackupEligible: true },
    ],
    ['the id of another passkey', 'wrong_credential', { id: 'AAAA' }],
    ['no user handle', 'user_handle_missing', { userHandle: null }],
    ['an empty user handle', 'user_handle_missing', { userHandle: '' }],
    ["another account's user handle", 'wrong_user_handle', { userHandle: others }],
    ['a changed signature', 'signature_invalid', { tamperSignature: true }],
    ['a signature that is none', 'signature_invalid', { signature: 'AAAA' }],
    ['bytes after the data', 'signature_invalid', { trailing: Buffer.of(0) }],
    ['an id with padding', 'malformed', { id: 'AAA=' }],
    ['an id in another spelling of its bytes', 'malformed', { id: 'AB' }],
    ['a user handle of 65 bytes', 'malformed', { userHandle: 'A'.repeat(87) }],
  ])('for %s: %s', async (_, reason, forged) => {
    const authenticator = make()
    const credential = await registered(authenticator)
    const result = await tryAuthentication(authenticator, credential, forged)
    expect(result).toEqual({ ok: false, reason })
  })

  test("for another account's user handle, also where the account is known", async () => {
    const authenticator = make()
    const credential = await registered(authenticator)
    const forged = { userHandle: others }
    const result = await tryAuthentication(authenticator, credential, forged, false)
    expect(result).toEqual({ ok: false, reason: 'wrong_user_handle' })
  })

  test('for a replay: its challenge is that of another ceremony', async () => {
    const authenticator = make()
    const credential = await registered(authenticator)
    const first = startAuthentication()
    const response = authenticator.authenticate(first.options)
    const fixed = { response, credential, userHandle: USER_HANDLE, isDiscoverable: true }
    expect(await verifyAuthentication({ ...fixed, ...first.expected })).toMatchObject({ ok: true })
    const second = startAuthentication()
    expect(await verifyAuthentication({ ...fixed, ...second.expected })).toEqual({
      ok: false,
      reason: 'wrong_challenge',
    })
  })

  test('for a signature by the key of another passkey', async () => {
    const victim = await registered(make())
    const attacker = make()
    await registered(attacker)
    const result = await tryAuthentication(attacker, victim, { id: victim.id })
    expect(result).toEqual({ ok: false, reason: 'signature_invalid' })
  })

  test('for a synced passkey that suddenly cannot be backed up', async () => {
    const authenticator = make({ isSynced: true })
    const credential = await registered(authenticator)
    const forged = { isBackupEligible: false, isBackedUp: false }
    const result = await tryAuthentication(authenticator, credential, forged)
    expect(result).toEqual({ ok: false, reason: 'backup_eligibility_changed' })
  })
})

describe('a sign counter', () => {
  test.each([
    ['that stays', 7, 7],
    ['that goes backwards', 7, 6],
    ['that goes back to zero', 7, 0],
  ])('%s is refused', async (_, stored, signCount) => {
    const authenticator = make()
    const credential = { ...(await registered(authenticator)), signCount: stored }
    const result = await tryAuthentication(authenticator, credential, { signCount })
    expect(result).toEqual({ ok: false, reason: 'counter_regressed' })
  })

  test('raises no alarm without a valid signature', async () => {
    const authenticator = make()
    const credential = { ...(await registered(authenticator)), signCount: 7 }
    for (const forged of [{ signCount: 6 }, { isBackupEligible: true }]) {
      const result = await tryAuthentication(authenticator, credential, {
        ...forged,
        tamperSignature: true,
      })
      expect(result).toEqual({ ok: false, reason: 'signature_invalid' })
    }
  })
})
