import { randomBytes } from 'node:crypto'

import { afterEach, describe, expect, test, vi } from 'vitest'

import { registrationOptions } from '../src/factors/passkeys/options.ts'
import { verifyRegistration } from '../src/factors/passkeys/verify-registration.ts'
import { createAuthenticator, type Cbor, type ForgedRegistration } from './support/authenticator.ts'
import {
  ORIGIN,
  registered,
  RP_ID,
  startRegistration,
  tryRegistration,
} from './support/ceremonies.ts'

const make = (options: { alg?: number; isSynced?: boolean } = {}) =>
  createAuthenticator({ rpId: RP_ID, origin: ORIGIN, ...options })

describe('the options of a registration', () => {
  test('ask for a discoverable passkey that verifies the person, without attestation', () => {
    const given = {
      rpId: 'example.com',
      rpName: 'Example',
      userHandle: new Uint8Array(64).fill(1),
      username: 'alice',
      displayName: 'Alice',
      exclude: [{ id: 'AQID', transports: ['usb'] }],
      challenge: new Uint8Array(32).fill(2),
    }
    expect(registrationOptions(given)).toEqual({
      rp: { id: 'example.com', name: 'Example' },
      user: { id: `${'AQEB'.repeat(21)}AQ`, name: 'alice', displayName: 'Alice' },
      challenge: `${'AgIC'.repeat(10)}AgI`,
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: 'public-key', alg })),
      timeout: 300_000,
      excludeCredentials: [{ type: 'public-key', id: 'AQID', transports: ['usb'] }],
      authenticatorSelection: {
        residentKey: 'required',
        requireResidentKey: true,
        userVerification: 'required',
      },
      attestation: 'none',
    })
    expect(() => registrationOptions({ ...given, challenge: new Uint8Array(15) })).toThrow(
      'at least 16 bytes',
    )
    expect(() => registrationOptions({ ...given, userHandle: new Uint8Array(16) })).toThrow(
      '64 bytes',
    )
  })
})

describe('a registration', () => {
  test('gives a passkey of one device', async () => {
    const authenticator = make()
    const credential = await registered(authenticator)
    expect(credential).toEqual({
      id: authenticator.passkeys[0]?.id,
      publicKey: expect.any(Uint8Array),
      signCount: 1,
      transports: ['internal'],
      isBackupEligible: false,
      isBackedUp: false,
      aaguid: '00000000-0000-0000-0000-000000000000',
    })
  })

  test('gives a passkey that is backed up, and one that will be', async () => {
    expect(await registered(make({ isSynced: true }))).toMatchObject({
      signCount: 0,
      isBackupEligible: true,
      isBackedUp: true,
    })
    expect(await registered(make(), { isBackupEligible: true })).toMatchObject({
      isBackupEligible: true,
      isBackedUp: false,
    })
  })

  test.each([-7, -8, -257])('with the algorithm %i', async (alg) => {
    expect((await registered(make({ alg }))).publicKey.length).toBeGreaterThan(40)
  })

  test('keeps transports that are new to us, each once, and does without', async () => {
    const transports = ['usb', 'usb', 'smart-card', 'telepathy-2']
    expect((await registered(make(), { transports })).transports).toEqual([
      'usb',
      'smart-card',
      'telepathy-2',
    ])
    expect((await registered(make(), { transports: undefined })).transports).toEqual([])
  })

  test('with ids from 1 to 1,023 bytes', async () => {
    for (const size of [1, 1023]) {
      const { id } = await registered(make(), { credentialId: randomBytes(size) })
      expect(Buffer.from(id, 'base64url').length).toBe(size)
    }
  })

  test('accepts members of the client data that a later browser adds', async () => {
    expect((await registered(make(), { clientData: { other_keys: 'x' } })).signCount).toBe(1)
    expect((await registered(make(), { crossOrigin: undefined })).signCount).toBe(1)
  })
})

const rsaWithHugeExponent = new Map<number, Cbor>([[-2, Buffer.alloc(256, 3)]])
const longModulus = new Map<number, Cbor>([[-1, Buffer.alloc(513, 0xff)]])
const offCurve = new Map<number, Cbor>([[-3, Buffer.alloc(32, 7)]])

describe('a registration is refused', () => {
  test.each<[string, string, ForgedRegistration]>([
    ['the type of the other ceremony', 'wrong_type', { type: 'webauthn.get' }],
    ['another challenge', 'wrong_challenge', { challenge: randomBytes(32).toString('base64url') }],
    ['the challenge with padding', 'wrong_challenge', { challenge: 'AAAA==' }],
    ['another origin', 'wrong_origin', { origin: 'https://evil.example' }],
    ['another subdomain', 'wrong_origin', { origin: 'https://blog.example.com' }],
    ['plain http', 'wrong_origin', { origin: 'http://login.example.com' }],
    ['another port', 'wrong_origin', { origin: `${ORIGIN}:8443` }],
    ['an origin that begins with ours', 'wrong_origin', { origin: `${ORIGIN}.evil.example` }],
    ['an origin with a slash', 'wrong_origin', { origin: `${ORIGIN}/` }],
    ['an origin in upper case', 'wrong_origin', { origin: ORIGIN.toUpperCase() }],
    ['a frame of another origin', 'cross_origin', { crossOrigin: true }],
    ['a top origin', 'cross_origin', { topOrigin: 'https://evil.example' }],
    ['a top origin that is ours', 'cross_origin', { crossOrigin: false, topOrigin: ORIGIN }],
    ['a top origin of null', 'cross_origin', { topOrigin: null }],
    ['crossOrigin as text', 'malformed', { crossOrigin: 'true' }],
    ['the RP ID of another site', 'wrong_rp_id', { rpId: 'evil.example' }],
    ['an RP ID below ours', 'wrong_rp_id', { rpId: 'login.example.com' }],
    ['an RP ID above ours', 'wrong_rp_id', { rpId: 'com' }],
    ['nobody present', 'user_not_present', { isUserPresent: false }],
    ['nobody verified', 'user_not_verified', { isUserVerified: false }],
    ['a backup of what has none', 'backup_flags_invalid', { isBackedUp: true }],
    ['an id of 1,024 bytes', 'credential_id_too_long', { credentialId: randomBytes(1024) }],
    ['the id of another passkey', 'credential_id_mismatch', { id: 'AAAA' }],
    ['an algorithm not offered', 'algorithm_not_offered', { alg: -35 }],
    ['no algorithm', 'algorithm_not_offered', { coseKey: new Map([[3, 'ES256']]) }],
    ['SHA-1', 'algorithm_not_offered', { alg: -257, coseKey: new Map([[3, -65535]]) }],
    ['an Ed25519 key as ES256', 'key_invalid', { alg: -8, coseKey: new Map([[3, -7]]) }],
    ['an RSA key as ES256', 'key_invalid', { alg: -257, coseKey: new Map([[3, -7]]) }],
    ['a P-384 key as ES256', 'key_invalid', { alg: -35, coseKey: new Map([[3, -7]]) }],
    ['a P-256 key as EdDSA', 'key_invalid', { coseKey: new Map([[3, -8]]) }],
    ['P-256 named P-384', 'key_invalid', { coseKey: new Map([[-1, 2]]) }],
    ['a P-256 key of the type RSA', 'key_invalid', { coseKey: new Map([[1, 3]]) }],
    ['a point outside the curve', 'key_invalid', { coseKey: offCurve }],
    ['RSA with 1,024 bits', 'key_invalid', { alg: -257, modulusBits: 1024 }],
    ['RSA with 4,104 bits', 'key_invalid', { alg: -257, coseKey: longModulus }],
    ['RSA with a long exponent', 'key_invalid', { alg: -257, coseKey: rsaWithHugeExponent }],
    ['bytes after the data', 'malformed', { trailing: Buffer.of(0) }],
    ['transports that are no list', 'malformed', { transports: 'usb' }],
    ['transports with markup', 'malformed', { transports: ['<b>'] }],
    ['17 transports', 'malformed', { transports: Array.from({ length: 17 }, () => 'usb') }],
  ])('for %s: %s', async (_, reason, forged) => {
    expect(await tryRegistration(forged)).toEqual({ ok: false, reason })
  })

  test('for RS256 where only others were offered', async () => {
    const result = await tryRegistration({ alg: -257 }, make(), [-7, -8])
    expect(result).toEqual({ ok: false, reason: 'algorithm_not_offered' })
  })

  test('for the answer to an authentication', async () => {
    const authenticator = make()
    await registered(authenticator)
    const { options, expected } = startRegistration()
    const response = authenticator.authenticate(options)
    expect(await verifyRegistration({ response, ...expected })).toEqual({
      ok: false,
      reason: 'malformed',
    })
  })
})

describe('an attestation', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  test.each(['packed', 'apple', 'android-key', 'android-safetynet', 'tpm', 'fido-u2f', 'new'])(
    'of the format %s is not read, so nothing in it is parsed or fetched',
    async (fmt) => {
      const fetched = vi.spyOn(globalThis, 'fetch')
      const attStmt = new Map<string, Cbor>([['x5c', [randomBytes(500)]]])
      expect((await registered(make(), { fmt, attStmt })).signCount).toBe(1)
      expect(fetched).not.toHaveBeenCalled()
    },
  )
})
