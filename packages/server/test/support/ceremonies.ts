import { randomBytes } from 'node:crypto'

import { authenticationOptions, registrationOptions } from '../../src/factors/passkeys/options.ts'
import {
  verifyAuthentication,
  type AuthenticationResult,
  type StoredCredential,
} from '../../src/factors/passkeys/verify-authentication.ts'
import {
  verifyRegistration,
  type NewCredential,
  type RegistrationResult,
} from '../../src/factors/passkeys/verify-registration.ts'
import {
  createAuthenticator,
  type Authenticator,
  type ForgedAssertion,
  type ForgedRegistration,
} from './authenticator.ts'

/** The site of these ceremonies. */
export const RP_ID = 'example.com'
/** The origin of its sign-in page. */
export const ORIGIN = 'https://login.example.com'

/** The account of these ceremonies, as its passkeys know it. */
export const USER_HANDLE = randomBytes(64)

/** Options of a registration with a fresh challenge, and what verifying needs of them. */
export function startRegistration() {
  const challenge = randomBytes(32)
  const options = registrationOptions({
    rpId: RP_ID,
    rpName: 'Example',
    userHandle: USER_HANDLE,
    username: 'alice',
    displayName: 'Alice',
    exclude: [],
    challenge,
  })
  return { options, expected: { challenge, rpId: RP_ID, origins: [ORIGIN] } }
}

/** Options of an authentication with a fresh challenge, and what verifying needs of them. */
export function startAuthentication(allow: readonly string[] | 'discoverable' = 'discoverable') {
  const challenge = randomBytes(32)
  const options = authenticationOptions({
    rpId: RP_ID,
    allow: allow === 'discoverable' ? allow : allow.map((id) => ({ id, transports: [] })),
    challenge,
    userVerification: 'required',
  })
  return { options, expected: { challenge, rpId: RP_ID, origins: [ORIGIN] } }
}

/** Registers a forged passkey, and returns the decision. */
export function tryRegistration(
  forged: ForgedRegistration = {},
  authenticator: Authenticator = createAuthenticator({ rpId: RP_ID, origin: ORIGIN }),
  algorithms?: readonly number[],
): Promise<RegistrationResult> {
  const { options, expected } = startRegistration()
  const response = authenticator.register(options, forged)
  return verifyRegistration({ response, ...expected, ...(algorithms && { algorithms }) })
}

/** Registers a passkey, and returns it as the store would keep it. */
export async function registered(
  authenticator: Authenticator,
  forged: ForgedRegistration = {},
): Promise<NewCredential> {
  const result = await tryRegistration(forged, authenticator)
  if (!result.ok) throw new Error(`The registration was refused: ${result.reason}`)
  return result.credential
}

/** Uses a passkey with a forged assertion, and returns the decision. */
export function tryAuthentication(
  authenticator: Authenticator,
  credential: StoredCredential,
  forged: ForgedAssertion = {},
  isDiscoverable = true,
): Promise<AuthenticationResult> {
  const { options, expected } = startAuthentication()
  const response = authenticator.authenticate(options, forged)
  return verifyAuthentication({
    response,
    ...expected,
    credential,
    userHandle: USER_HANDLE,
    isDiscoverable,
  })
}
