import { limits } from '../base/limits.ts'
import { beginToLoadPasskeyLibrary } from '../factors/passkeys/library.ts'
import {
  authenticationOptions,
  registrationOptions,
  type AuthenticationOptions,
  type RegistrationOptions,
} from '../factors/passkeys/options.ts'
import { readAssertion } from '../factors/passkeys/responses.ts'
import { verifyAuthentication } from '../factors/passkeys/verify-authentication.ts'
import { verifyRegistration, type NewCredential } from '../factors/passkeys/verify-registration.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from '../sessions/services.ts'
import type { PasskeyFactor } from '../store/factors.ts'
import { takeChallenge, writeChallenge, type Anybody, type Bearer } from './challenges.ts'
import { proven, refuseFactor, type FactorProven } from './factor-proven.ts'
import type { FactorServices, RelyingParty } from './services.ts'

const CHALLENGE_BYTES = 32
const USER_HANDLE_BYTES = 64

/** The challenge of a passkey, as its row keeps it. */
interface PasskeyChallenge {
  /** In base64url. */
  readonly challenge: string
}

/** The options for the browser, and the id with which the answer comes back. */
export interface PasskeyAsked<Options> {
  readonly ok: true
  readonly challenge: string
  readonly options: Options
}

/** Asks for one of the account's passkeys, as a second factor or for a step-up. */
export async function askForPasskey(
  services: FactorServices,
  bearer: Bearer,
  caller: Caller,
): Promise<PasskeyAsked<AuthenticationOptions> | Refusal> {
  const { relyingParty, sessions } = services
  if (relyingParty === undefined) return refuse('passkeys_off')
  const passkeys = await sessions.store.factors.passkeys(bearer.accountId)
  if (passkeys.length === 0) return refuse('factor_unavailable')
  const { id, bytes } = await writePasskeyChallenge(services, 'passkey_second', bearer, caller)
  const options = authenticationOptions({
    rpId: relyingParty.id,
    allow: passkeys.map(describe),
    challenge: bytes,
    userVerification: 'required',
  })
  return { ok: true, challenge: id, options }
}

/** Checks the answer to {@link askForPasskey}. The challenge is used up before the answer is checked. */
export async function provePasskey(
  services: FactorServices,
  bearer: Bearer,
  { challenge: id, response }: { readonly challenge: string; readonly response: unknown },
  caller: Caller,
): Promise<FactorProven | Refusal> {
  const details = await takeChallenge(services, 'passkey_second', id, bearer)
  if (details === undefined) return refuse('challenge_void')
  const credentialId = readAssertion(response)?.credentialId
  const passkeys = await services.sessions.store.factors.passkeys(bearer.accountId)
  const passkey = passkeys.find((each) => each.credentialId === credentialId)
  if (passkey === undefined) return refuseFactor(services, bearer.accountId, 'passkey', caller)
  return checkAssertion(services, { accountId: bearer.accountId, passkey }, details, caller, {
    response,
    isDiscoverable: false,
  })
}

/** Checks an assertion of a known passkey. `details` come from the row of the challenge, which is used up. */
export async function checkAssertion(
  services: FactorServices,
  { accountId, passkey }: { readonly accountId: string; readonly passkey: PasskeyFactor },
  details: unknown,
  caller: Caller,
  given: { readonly response: unknown; readonly isDiscoverable: boolean },
): Promise<FactorProven | Refusal> {
  const { relyingParty, sessions } = services
  if (relyingParty === undefined) return refuse('passkeys_off')
  const userHandle = await readUserHandle(sessions, accountId)
  if (userHandle === undefined) return refuse('passkey_refused')
  const result = await verifyAuthentication({
    ...given,
    ...expectationOf(relyingParty, details),
    credential: { ...passkey, id: passkey.credentialId },
    userHandle,
  })
  if (!result.ok) return refuseFactor(services, accountId, 'passkey', caller)
  const { signCount, isBackedUp, amr } = result
  const use = { kind: 'passkey', factorId: passkey.id, signCount, isBackedUp } as const
  return proven(services, 'passkey', amr, use)
}

/** Asks the browser to make a passkey. */
export async function askForNewPasskey(
  services: FactorServices,
  bearer: Bearer,
  username: string,
  caller: Caller,
): Promise<PasskeyAsked<RegistrationOptions> | Refusal> {
  const { relyingParty, sessions } = services
  if (relyingParty === undefined) return refuse('passkeys_off')
  const passkeys = await sessions.store.factors.passkeys(bearer.accountId)
  if (passkeys.length >= limits.passkeysMax) return refuse('factors_full')
  const userHandle = await readUserHandle(sessions, bearer.accountId)
  if (userHandle === undefined) return refuse('account_disabled')
  const { id, bytes } = await writePasskeyChallenge(services, 'passkey_enrol', bearer, caller)
  beginToLoadPasskeyLibrary()
  const options = registrationOptions({
    rpId: relyingParty.id,
    rpName: relyingParty.name,
    userHandle,
    username,
    displayName: username,
    exclude: passkeys.map(describe),
    challenge: bytes,
  })
  return { ok: true, challenge: id, options }
}

/** Checks the answer to {@link askForNewPasskey}. The challenge is used up before the answer is checked. */
export async function checkNewPasskey(
  services: FactorServices,
  bearer: Bearer,
  { challenge: id, response }: { readonly challenge: string; readonly response: unknown },
  caller: Caller,
): Promise<{ readonly ok: true; readonly credential: NewCredential } | Refusal> {
  const { relyingParty } = services
  if (relyingParty === undefined) return refuse('passkeys_off')
  const details = await takeChallenge(services, 'passkey_enrol', id, bearer)
  if (details === undefined) return refuse('challenge_void')
  const expected = expectationOf(relyingParty, details)
  const result = await verifyRegistration({ response, ...expected })
  return result.ok ? result : refuseFactor(services, bearer.accountId, 'passkey', caller)
}

/** The passkeys of an account, as password managers know them. */
export interface AcceptedPasskeys {
  readonly rpId: string
  /** The user handle, in base64url. */
  readonly userId: string
  /** In base64url. */
  readonly credentialIds: readonly string[]
}

/** Reads the passkeys of an account that has or had some, for its password managers. */
export async function readAcceptedPasskeys(
  { relyingParty, sessions }: FactorServices,
  accountId: string,
): Promise<AcceptedPasskeys | undefined> {
  const userHandle = await readUserHandle(sessions, accountId)
  if (relyingParty === undefined || userHandle === undefined) return undefined
  const passkeys = await sessions.store.factors.passkeys(accountId)
  return {
    rpId: relyingParty.id,
    userId: Buffer.from(userHandle).toString('base64url'),
    credentialIds: passkeys.map(({ credentialId }) => credentialId),
  }
}

/** Reads the user handle of an account. The first call makes it. Undefined if there is no such account. */
export async function readUserHandle(
  { store, random }: SessionServices,
  accountId: string,
): Promise<Uint8Array | undefined> {
  return store.factors.userHandle(accountId, new Uint8Array(random.bytes(USER_HANDLE_BYTES)))
}

/** Makes the challenge of a passkey, and writes it for a bearer or for anybody. */
export async function writePasskeyChallenge(
  services: FactorServices,
  purpose: 'passkey_enrol' | 'passkey_second' | 'passkey_login',
  bearer: Bearer | Anybody,
  { address }: Caller,
): Promise<{ readonly id: string; readonly bytes: Buffer }> {
  const bytes = services.sessions.random.bytes(CHALLENGE_BYTES)
  const details: PasskeyChallenge = { challenge: bytes.toString('base64url') }
  const by = { actor: bearer.accountId ?? 'anonymous', address }
  return { id: await writeChallenge(services, purpose, bearer, details, by), bytes }
}

function expectationOf(
  { id, origins }: RelyingParty,
  details: unknown,
): { challenge: Uint8Array; rpId: string; origins: readonly string[] } {
  // Only `writePasskeyChallenge` writes challenges of passkeys.
  const { challenge } = details as PasskeyChallenge
  return { challenge: Buffer.from(challenge, 'base64url'), rpId: id, origins }
}

function describe({ credentialId, transports }: PasskeyFactor): {
  id: string
  transports: readonly string[]
} {
  return { id: credentialId, transports }
}
