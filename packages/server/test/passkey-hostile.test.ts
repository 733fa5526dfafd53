import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'

import { readAssertion } from '../src/factors/passkeys/responses.ts'
import { verifyAuthentication } from '../src/factors/passkeys/verify-authentication.ts'
import {
  verifyRegistration,
  type NewCredential,
} from '../src/factors/passkeys/verify-registration.ts'
import { createAuthenticator, encodeCbor, type Cbor } from './support/authenticator.ts'
import {
  ORIGIN,
  registered,
  RP_ID,
  startAuthentication,
  startRegistration,
  USER_HANDLE,
} from './support/ceremonies.ts'
import { isLong } from './support/long.ts'

const numRuns = isLong ? 20_000 : 300
const authenticator = createAuthenticator({ rpId: RP_ID, origin: ORIGIN })
let credential: NewCredential
beforeAll(async () => {
  credential = await registered(authenticator)
})

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

/** Verifies a response in both ceremonies. */
async function refuse(response: unknown): Promise<void> {
  const registration = await verifyRegistration({ response, ...startRegistration().expected })
  const { expected } = startAuthentication()
  const account = { credential, userHandle: USER_HANDLE, isDiscoverable: true }
  const authentication = await verifyAuthentication({ response, ...expected, ...account })
  expect([registration.ok, authentication.ok]).toEqual([false, false])
}

/** Puts a value somewhere into a copy of a JSON value: `path` chooses the member at each level. */
function replaceIn(json: unknown, path: readonly number[], value: unknown): unknown {
  const names = typeof json === 'object' && json !== null ? Object.keys(json) : []
  const [first, ...rest] = path
  if (first === undefined || names.length === 0) return value
  const name = names[first % names.length] ?? ''
  // `json` is an object, because it has names.
  const members = json as Record<string, unknown>
  return { ...members, [name]: replaceIn(members[name], rest, value) }
}

const path = fc.array(fc.nat(10), { minLength: 1, maxLength: 2 })
const hostile = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: 'binary' }),
  fc.uint8Array({ maxLength: 200 }).map(base64url),
  fc.constantFrom('', '=', 'A', '__proto__', 'A'.repeat(100_000), null, -1, [], {}),
)

describe('hostile JSON is refused, and throws nothing', () => {
  test('of any form', () => fc.assert(fc.asyncProperty(fc.jsonValue(), refuse), { numRuns }))

  test('in a member of a registration', () =>
    fc.assert(
      fc.asyncProperty(path, hostile, async (where, value) => {
        const { options, expected } = startRegistration()
        const valid = authenticator.register(options)
        const response = replaceIn(valid, where, value)
        const result = await verifyRegistration({ response, ...expected })
        // A member that we do not read may have any value.
        if (result.ok) expect(result.credential.id).toBe(valid.id)
        else expect(result.reason).toMatch(/^[a-z_]+$/)
      }),
      { numRuns },
    ))

  test('in a member of an assertion', () =>
    fc.assert(
      fc.asyncProperty(path, hostile, async (where, value) => {
        const { options, expected } = startAuthentication()
        const valid = authenticator.authenticate(options, { with: credential.id })
        const response = replaceIn(valid, where, value)
        const account = { credential, userHandle: USER_HANDLE, isDiscoverable: true }
        const result = await verifyAuthentication({ response, ...expected, ...account })
        const read = JSON.stringify(readAssertion(response))
        if (result.ok) expect(read).toBe(JSON.stringify(readAssertion(valid)))
        else expect(result.reason).toMatch(/^[a-z_]+$/)
      }),
      { numRuns },
    ))
})

describe('one changed bit', () => {
  test.each(['clientDataJSON', 'authenticatorData', 'signature', 'userHandle'] as const)(
    'of the %s of an assertion is refused',
    (member) =>
      fc.assert(
        fc.asyncProperty(fc.nat(), async (bit) => {
          const { options, expected } = startAuthentication()
          const response = authenticator.authenticate(options, { with: credential.id })
          const bytes = Buffer.from(response.response[member] ?? '', 'base64url')
          // The library also accepts other DER around r and s. That is harmless: a challenge works once, and
          // nothing is keyed by the signature. So this changes only s, which is at the end.
          const size = member === 'signature' ? 30 : bytes.length
          bytes[bytes.length - 1 - ((bit >> 3) % size)]! ^= 1 << (bit & 7)
          response.response[member] = base64url(bytes)
          const account = { credential, userHandle: USER_HANDLE, isDiscoverable: true }
          const result = await verifyAuthentication({ response, ...expected, ...account })
          expect(result.ok).toBe(false)
        }),
        { numRuns },
      ),
  )
})

describe('hostile CBOR is refused', () => {
  const { options, expected } = startRegistration()
  const valid = authenticator.register(options)
  const attest = (attestationObject: Uint8Array) =>
    verifyRegistration({
      response: {
        ...valid,
        response: { ...valid.response, attestationObject: base64url(attestationObject) },
      },
      ...expected,
    })
  const refused = { ok: false, reason: 'malformed' }

  test.each<[string, Buffer]>([
    ['nothing but a number', Buffer.of(0)],
    ['lists in lists', Buffer.alloc(9_000, 0x81)],
    ['maps in maps', Buffer.alloc(9_000, Buffer.of(0xa1, 0x00))],
    ['tags in tags', Buffer.alloc(9_000, 0xc1)],
    ['a list of 4 billion items', Buffer.from('9affffffff00', 'hex')],
    ['bytes of 4 GB', Buffer.from('5affffffff00', 'hex')],
    ['bytes of 16 EB', Buffer.from('5bffffffffffffffff00', 'hex')],
    ['a list without end', Buffer.from('9f00ff', 'hex')],
    ['no authData', encodeCbor(new Map<string, Cbor>([['fmt', 'none']]))],
    ['authData as text', encodeCbor(new Map<string, Cbor>([['authData', 'x'.repeat(200)]]))],
    [
      'authData that are short',
      encodeCbor(new Map<string, Cbor>([['authData', Buffer.alloc(36)]])),
    ],
    ['a second authData', twice()],
    ['a member __proto__', encodeCbor(new Map<string, Cbor>([['__proto__', new Map()]]))],
  ])('%s', async (_, bytes) => {
    expect(await attest(bytes)).toEqual(refused)
  })

  test('any bytes', () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        expect((await attest(bytes)).ok).toBe(false)
      }),
      { numRuns },
    ))

  test('a valid object with changed bytes gives a reason, or a passkey with the same id', () =>
    fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(255), async (at, value) => {
        const bytes = Buffer.from(valid.response.attestationObject, 'base64url')
        bytes[at % bytes.length] = value
        const result = await attest(bytes)
        // Nothing signs the public key and the counter of a registration without attestation.
        if (result.ok) expect(result.credential.id).toBe(valid.id)
        else expect(result.reason).toMatch(/^[a-z_]+$/)
      }),
      { numRuns },
    ))

  function twice(): Buffer {
    const once = encodeCbor(new Map<string, Cbor>([['authData', Buffer.alloc(37)]])).subarray(1)
    return Buffer.concat([Buffer.of(0xa2), once, once])
  }
})
