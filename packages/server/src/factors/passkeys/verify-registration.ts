import { PASSKEY_ALGORITHMS } from './algorithms.ts'
import {
  checkAuthenticatorData,
  readAuthenticatorData,
  type AuthenticatorDataReason,
} from './authenticator-data.ts'
import { checkClientData, type ClientDataReason, type Expected } from './client-data.ts'
import { checkCredentialKey, type CredentialKeyReason } from './credential-key.ts'
import { loadPasskeyLibrary, type PasskeyLibrary } from './library.ts'
import {
  CREDENTIAL_ID_BYTES_MAX,
  parseRegistration,
  type RegistrationResponse,
} from './responses.ts'

/** Why a registration was refused. For the audit; the person gets one answer for all of them. */
export type RegistrationReason =
  | ClientDataReason
  | AuthenticatorDataReason
  | CredentialKeyReason
  | 'credential_id_too_long'
  | 'credential_id_mismatch'

/** A passkey that was just created, as the store keeps it. */
export interface NewCredential {
  /** In base64url. It must be unique among all accounts (WA-04); the store checks that. */
  readonly id: string
  /** A COSE key. */
  readonly publicKey: Uint8Array
  readonly signCount: number
  /** Hints of the browser for later options. Unknown values are kept, as §5.8.4 asks. */
  readonly transports: readonly string[]
  readonly isBackupEligible: boolean
  readonly isBackedUp: boolean
  /** The model of the authenticator, as a UUID. Without attestation it is only a hint, for a name of the passkey. */
  readonly aaguid: string
}

/** The result of `verifyRegistration`. */
export type RegistrationResult =
  | { readonly ok: true; readonly credential: NewCredential }
  | { readonly ok: false; readonly reason: RegistrationReason }

/**
 * Verifies the answer to `registrationOptions` (WebAuthn Level 3 §7.1). The caller has used up the challenge before,
 * and keeps the credential only if no account has its id.
 *
 * `response` is untrusted JSON. Every refusal is a reason; nothing in the response makes this throw. `algorithms` are
 * those that the options offered.
 */
export async function verifyRegistration({
  response,
  algorithms = PASSKEY_ALGORITHMS,
  ...expected
}: Expected & {
  readonly response: unknown
  readonly algorithms?: readonly number[]
}): Promise<RegistrationResult> {
  const given = parseRegistration(response)
  if (given === undefined) return { ok: false, reason: 'malformed' }
  const reason = checkClientData(given.clientDataJSON, 'webauthn.create', expected)
  if (reason !== undefined) return { ok: false, reason }

  const { server, helpers } = await loadPasskeyLibrary()
  try {
    const authData = readAuthData(given, helpers)
    const wrong = checkNewCredential(given, authData, helpers, { ...expected, algorithms })
    if (wrong !== undefined) return { ok: false, reason: wrong }

    const verified = await server.verifyRegistrationResponse({
      response: withoutStatement(given, authData, helpers),
      expectedChallenge: Buffer.from(expected.challenge).toString('base64url'),
      expectedOrigin: [...expected.origins],
      expectedRPID: expected.rpId,
      supportedAlgorithmIDs: [...algorithms],
    })
    if (!verified.verified) return { ok: false, reason: 'malformed' }
    return { ok: true, credential: toCredential(given, verified.registrationInfo) }
  } catch {
    // The library throws for CBOR that it cannot read, in about thirty ways without a code.
    return { ok: false, reason: 'malformed' }
  }
}

type Helpers = PasskeyLibrary['helpers']
type Server = PasskeyLibrary['server']
type Verified = Extract<
  Awaited<ReturnType<Server['verifyRegistrationResponse']>>,
  { verified: true }
>
type LibraryResponse = Parameters<Server['verifyRegistrationResponse']>[0]['response']

function readAuthData(given: RegistrationResponse, helpers: Helpers): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Buffer.from(given.attestationObject, 'base64url'))
  const authData: unknown = helpers.decodeAttestationObject(bytes).get('authData')
  if (!(authData instanceof Uint8Array)) throw new TypeError('authData must be bytes')
  return new Uint8Array(authData)
}

/** Throws if the library cannot read the authenticator data. */
function checkNewCredential(
  given: RegistrationResponse,
  authData: Uint8Array<ArrayBuffer>,
  helpers: Helpers,
  { rpId, algorithms }: { readonly rpId: string; readonly algorithms: readonly number[] },
): RegistrationReason | undefined {
  const head = readAuthenticatorData(authData)
  if (head === undefined) return 'malformed'
  const reason = checkAuthenticatorData(head, rpId)
  if (reason !== undefined) return reason

  const { credentialID, credentialPublicKey } = helpers.parseAuthenticatorData(authData)
  if (credentialID === undefined || credentialPublicKey === undefined) return 'malformed'
  if (credentialID.byteLength > CREDENTIAL_ID_BYTES_MAX) return 'credential_id_too_long'
  // The library does not compare them. The next login would look for the id that the browser names.
  if (Buffer.from(credentialID).toString('base64url') !== given.id) return 'credential_id_mismatch'
  return checkCredentialKey(helpers.decodeCredentialPublicKey(credentialPublicKey), algorithms)
}

/**
 * Returns the response with the attestation statement `none`. We ask for no attestation and would believe none. With a
 * statement of the formats of Apple and Android, the library would parse certificates that a stranger chose, and fetch
 * the revocation lists that they name, from inside the operator's network.
 */
function withoutStatement(
  given: RegistrationResponse,
  authData: Uint8Array<ArrayBuffer>,
  { isoCBOR, isoBase64URL }: Helpers,
): LibraryResponse {
  const object = isoCBOR.encode(
    new Map<string, string | Map<string, string> | Uint8Array>([
      ['fmt', 'none'],
      ['attStmt', new Map<string, string>()],
      ['authData', authData],
    ]),
  )
  return {
    id: given.id,
    rawId: given.id,
    type: 'public-key',
    clientExtensionResults: {},
    response: {
      clientDataJSON: given.clientDataJSON,
      attestationObject: isoBase64URL.fromBuffer(object),
    },
  }
}

function toCredential(
  { transports }: RegistrationResponse,
  { credential, credentialDeviceType, credentialBackedUp, aaguid }: Verified['registrationInfo'],
): NewCredential {
  return {
    id: credential.id,
    publicKey: credential.publicKey,
    signCount: credential.counter,
    transports,
    isBackupEligible: credentialDeviceType === 'multiDevice',
    isBackedUp: credentialBackedUp,
    aaguid,
  }
}
