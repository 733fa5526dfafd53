import { passkeyAmr } from './amr.ts'
import {
  checkAuthenticatorData,
  readAuthenticatorData,
  type AuthenticatorData,
  type AuthenticatorDataReason,
} from './authenticator-data.ts'
import { checkClientData, type ClientDataReason, type Expected } from './client-data.ts'
import { loadPasskeyLibrary } from './library.ts'
import { parseAssertion, type AssertionResponse } from './responses.ts'

/** Why an assertion was refused. For the audit; the person gets one answer for all of them. */
export type AuthenticationReason =
  | ClientDataReason
  | AuthenticatorDataReason
  | 'wrong_credential'
  | 'user_handle_missing'
  | 'wrong_user_handle'
  | 'signature_invalid'
  | 'backup_eligibility_changed'
  | 'counter_regressed'

/** The passkey that an assertion names, as the store has it. */
export interface StoredCredential {
  readonly id: string
  readonly publicKey: Uint8Array
  readonly signCount: number
  readonly isBackupEligible: boolean
}

/** The result of `verifyAuthentication`. The store keeps the new count and whether the passkey is backed up. */
export type AuthenticationResult =
  | {
      readonly ok: true
      readonly signCount: number
      readonly isBackedUp: boolean
      readonly amr: readonly string[]
    }
  | { readonly ok: false; readonly reason: AuthenticationReason }

/**
 * Verifies the answer to `authenticationOptions` (WebAuthn Level 3 §7.2). The caller has used up the challenge before,
 * and has found `credential` by the id of `readAssertion`, among the passkeys of the account that is logging in. With
 * `isDiscoverable`, the account is the owner of that credential.
 *
 * `userHandle` belongs to the account of `credential`. The response must repeat it if the person chose the account
 * (`isDiscoverable`), and may otherwise leave it out. `response` is untrusted JSON. Every refusal is a reason; nothing
 * in the response makes this throw.
 */
export async function verifyAuthentication({
  response,
  credential,
  userHandle,
  isDiscoverable,
  ...expected
}: Expected & {
  readonly response: unknown
  readonly credential: StoredCredential
  readonly userHandle: Uint8Array
  readonly isDiscoverable: boolean
}): Promise<AuthenticationResult> {
  const given = parseAssertion(response)
  const data = given && readAuthenticatorData(Buffer.from(given.authenticatorData, 'base64url'))
  if (data === undefined || given === undefined) return { ok: false, reason: 'malformed' }
  const reason =
    checkOwner(given, { credential, userHandle, isDiscoverable }) ??
    checkClientData(given.clientDataJSON, 'webauthn.get', expected) ??
    checkAuthenticatorData(data, expected.rpId) ??
    (await checkSignature(given, credential, expected)) ??
    checkHistory(data, credential)
  if (reason !== undefined) return { ok: false, reason }
  const { signCount, isBackedUp } = data
  return { ok: true, signCount, isBackedUp, amr: passkeyAmr(credential) }
}

function checkOwner(
  given: AssertionResponse,
  expected: {
    readonly credential: StoredCredential
    readonly userHandle: Uint8Array
    readonly isDiscoverable: boolean
  },
): AuthenticationReason | undefined {
  // The library does not compare them.
  if (given.id !== expected.credential.id) return 'wrong_credential'
  if (given.userHandle === undefined) {
    return expected.isDiscoverable ? 'user_handle_missing' : undefined
  }
  const isEqual = given.userHandle === Buffer.from(expected.userHandle).toString('base64url')
  return isEqual ? undefined : 'wrong_user_handle'
}

/** Lets the library verify the signature. It repeats our other checks. */
async function checkSignature(
  { id, clientDataJSON, authenticatorData, signature }: AssertionResponse,
  { publicKey }: StoredCredential,
  { challenge, origins, rpId }: Expected,
): Promise<AuthenticationReason | undefined> {
  const { server } = await loadPasskeyLibrary()
  try {
    const { verified } = await server.verifyAuthenticationResponse({
      response: {
        id,
        rawId: id,
        type: 'public-key',
        clientExtensionResults: {},
        response: { clientDataJSON, authenticatorData, signature },
      },
      expectedChallenge: Buffer.from(challenge).toString('base64url'),
      expectedOrigin: [...origins],
      expectedRPID: rpId,
      // `checkHistory` compares the counter, after the signature. The library would do it before.
      credential: { id, publicKey: new Uint8Array(publicKey), counter: 0 },
    })
    return verified ? undefined : 'signature_invalid'
  } catch {
    // The library throws for signatures and extensions that it cannot read. Nobody signed those.
    return 'signature_invalid'
  }
}

/**
 * Compares what the authenticator signed with what the store knows. Both differences say that the key may have been
 * copied, so they are decided only after the signature: otherwise anybody could raise the alarm for any passkey.
 *
 * A counter that does not grow is refused unless both are zero, which is the value of authenticators without a counter
 * (§7.2 step 22). Zero after another value is refused too, or else a copied key would only have to send zero.
 */
function checkHistory(
  { isBackupEligible, signCount }: AuthenticatorData,
  stored: StoredCredential,
): AuthenticationReason | undefined {
  if (isBackupEligible !== stored.isBackupEligible) return 'backup_eligibility_changed'
  const isCounting = signCount !== 0 || stored.signCount !== 0
  return isCounting && signCount <= stored.signCount ? 'counter_regressed' : undefined
}
