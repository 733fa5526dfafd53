import { PASSKEY_ALGORITHMS } from './algorithms.ts'

/**
 * The options of both ceremonies, as JSON for `PublicKeyCredential.parseCreationOptionsFromJSON` and
 * `parseRequestOptionsFromJSON` in the browser (WebAuthn Level 3 §5.1.8 to §5.1.9). Plain data, made without the
 * library, so that showing a sign-in page does not load it.
 */

/** How long the browser waits for the person. The challenge on the server must not live longer (WA-01). */
export const CEREMONY_TIMEOUT_MS = 300_000

const CHALLENGE_BYTES_MIN = 16
const USER_HANDLE_BYTES = 64

/** A credential that the account has: its id in base64url, and how the browser reaches its authenticator. */
export interface KnownCredential {
  readonly id: string
  readonly transports: readonly string[]
}

/** A credential in the options of a ceremony. */
export interface CredentialDescriptor {
  readonly type: 'public-key'
  readonly id: string
  readonly transports: readonly string[]
}

/** The options of `navigator.credentials.create`. */
export interface RegistrationOptions {
  readonly rp: { readonly id: string; readonly name: string }
  readonly user: { readonly id: string; readonly name: string; readonly displayName: string }
  readonly challenge: string
  readonly pubKeyCredParams: readonly { readonly type: 'public-key'; readonly alg: number }[]
  readonly timeout: number
  readonly excludeCredentials: readonly CredentialDescriptor[]
  readonly authenticatorSelection: {
    readonly residentKey: 'required'
    readonly requireResidentKey: true
    readonly userVerification: 'required'
  }
  readonly attestation: 'none'
}

/** The options of `navigator.credentials.get`. */
export interface AuthenticationOptions {
  readonly rpId: string
  readonly challenge: string
  readonly timeout: number
  readonly allowCredentials: readonly CredentialDescriptor[]
  readonly userVerification: 'required'
}

/**
 * Returns the options to create a passkey. It is discoverable, so that it also works without a username, and it
 * verifies the person, so that it counts as two factors.
 *
 * `userHandle` is 64 random bytes of the account that say nothing about it (§14.6.1). `exclude` lists the passkeys
 * that the account has: their authenticators then refuse to make a second one. `challenge` has at least 16 random
 * bytes. Throws a `TypeError` for other lengths, because only our own code chooses them.
 */
export function registrationOptions(given: {
  readonly rpId: string
  readonly rpName: string
  readonly userHandle: Uint8Array
  readonly username: string
  readonly displayName: string
  readonly exclude: readonly KnownCredential[]
  readonly challenge: Uint8Array
}): RegistrationOptions {
  if (given.userHandle.byteLength !== USER_HANDLE_BYTES) {
    throw new TypeError(`userHandle must have ${USER_HANDLE_BYTES} bytes`)
  }
  return {
    rp: { id: given.rpId, name: given.rpName },
    user: {
      id: toBase64Url(given.userHandle),
      name: given.username,
      displayName: given.displayName,
    },
    challenge: encodeChallenge(given.challenge),
    pubKeyCredParams: PASSKEY_ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
    timeout: CEREMONY_TIMEOUT_MS,
    excludeCredentials: given.exclude.map(describeCredential),
    authenticatorSelection: {
      residentKey: 'required',
      requireResidentKey: true,
      userVerification: 'required',
    },
    attestation: 'none',
  }
}

/**
 * Returns the options to use a passkey. `allow` lists the passkeys of the account that already proved its password.
 * `discoverable` lets the person choose an account. Throws a `TypeError` for an empty list: browsers would read it as
 * `discoverable`, and an account without passkeys must never get there (WA-03).
 */
export function authenticationOptions(given: {
  readonly rpId: string
  readonly allow: readonly KnownCredential[] | 'discoverable'
  readonly challenge: Uint8Array
  readonly userVerification: 'required'
}): AuthenticationOptions {
  if (given.allow.length === 0) throw new TypeError('allow must not be an empty list')
  return {
    rpId: given.rpId,
    challenge: encodeChallenge(given.challenge),
    timeout: CEREMONY_TIMEOUT_MS,
    allowCredentials: given.allow === 'discoverable' ? [] : given.allow.map(describeCredential),
    userVerification: given.userVerification,
  }
}

function describeCredential({ id, transports }: KnownCredential): CredentialDescriptor {
  return { type: 'public-key', id, transports }
}

function encodeChallenge(challenge: Uint8Array): string {
  if (challenge.byteLength < CHALLENGE_BYTES_MIN) {
    throw new TypeError(`challenge must have at least ${CHALLENGE_BYTES_MIN} bytes`)
  }
  return toBase64Url(challenge)
}

function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}
