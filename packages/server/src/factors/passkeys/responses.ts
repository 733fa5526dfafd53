import { z } from 'zod'

/**
 * The answers of browsers, read at the edge: `RegistrationResponseJSON` and `AuthenticationResponseJSON` of WebAuthn
 * Level 3 §5.1.6. Everything in them is hostile until it is checked. Unknown members are dropped.
 */

/** A credential id may have at most 1,023 bytes (§4, "Credential ID"). */
export const CREDENTIAL_ID_BYTES_MAX = 1023

// Each limit is at least twice the largest valid value, so a longer value costs nothing but this check.
const CREDENTIAL_ID_CHARS_MAX = 4_096
const CLIENT_DATA_CHARS_MAX = 4_096
const ATTESTATION_CHARS_MAX = 12_288
const AUTHENTICATOR_DATA_CHARS_MAX = 4_096
const SIGNATURE_CHARS_MAX = 2_048
const USER_HANDLE_CHARS_MAX = 86
const TRANSPORTS_MAX = 16

/** Text in base64url without padding, in the only spelling of its bytes. */
function base64url(charsMax: number): z.ZodType<string, string> {
  return z
    .string()
    .min(1)
    .max(charsMax)
    .regex(/^[\w-]+$/)
    .refine((text) => Buffer.from(text, 'base64url').toString('base64url') === text)
}

const registration = z.object({
  id: base64url(CREDENTIAL_ID_CHARS_MAX),
  rawId: base64url(CREDENTIAL_ID_CHARS_MAX),
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: base64url(CLIENT_DATA_CHARS_MAX),
    attestationObject: base64url(ATTESTATION_CHARS_MAX),
    transports: z
      .array(z.string().regex(/^[a-z0-9-]{1,32}$/))
      .max(TRANSPORTS_MAX)
      .nullish(),
  }),
})

const assertion = z.object({
  id: base64url(CREDENTIAL_ID_CHARS_MAX),
  rawId: base64url(CREDENTIAL_ID_CHARS_MAX),
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: base64url(CLIENT_DATA_CHARS_MAX),
    authenticatorData: base64url(AUTHENTICATOR_DATA_CHARS_MAX),
    signature: base64url(SIGNATURE_CHARS_MAX),
    // Browsers send null or an empty text for an authenticator that returned none.
    userHandle: base64url(USER_HANDLE_CHARS_MAX).or(z.literal('')).nullish(),
  }),
})

/** The answer to `navigator.credentials.create`, with members of the right kind and size. */
export interface RegistrationResponse {
  readonly id: string
  readonly clientDataJSON: string
  readonly attestationObject: string
  /** Each value once. */
  readonly transports: readonly string[]
}

/** The answer to `navigator.credentials.get`, with members of the right kind and size. */
export interface AssertionResponse {
  readonly id: string
  readonly clientDataJSON: string
  readonly authenticatorData: string
  readonly signature: string
  readonly userHandle: string | undefined
}

/** Reads the answer to a registration. Returns undefined for any other value. */
export function parseRegistration(response: unknown): RegistrationResponse | undefined {
  const { success, data } = registration.safeParse(response)
  if (!success || data.id !== data.rawId) return undefined
  const { clientDataJSON, attestationObject, transports } = data.response
  return {
    id: data.id,
    clientDataJSON,
    attestationObject,
    transports: [...new Set(transports)],
  }
}

/** Reads the answer to an authentication. Returns undefined for any other value. */
export function parseAssertion(response: unknown): AssertionResponse | undefined {
  const { success, data } = assertion.safeParse(response)
  if (!success || data.id !== data.rawId) return undefined
  const { clientDataJSON, authenticatorData, signature, userHandle } = data.response
  return {
    id: data.id,
    clientDataJSON,
    authenticatorData,
    signature,
    userHandle: userHandle === null || userHandle === '' ? undefined : userHandle,
  }
}

/**
 * Returns what an assertion says about itself, to find the credential and the account in the store. Nothing of it is
 * proven before `verifyAuthentication`. Returns undefined if the response is not an assertion.
 */
export function readAssertion(
  response: unknown,
): { readonly credentialId: string; readonly userHandle: Uint8Array | undefined } | undefined {
  const parsed = parseAssertion(response)
  if (parsed === undefined) return undefined
  const { id, userHandle } = parsed
  return {
    credentialId: id,
    userHandle: userHandle === undefined ? undefined : Buffer.from(userHandle, 'base64url'),
  }
}
