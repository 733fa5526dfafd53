import { fromBase64url, toBase64url } from './base64url.ts'
import { browser, type Credential, type Members } from './browser.ts'

/**
 * Turns options for `navigator.credentials.get` into what the browser takes (WebAuthn Level 3 §5.1.10). Safari before
 * 18.4, Chrome before 129 and Firefox before 119 cannot do it themselves.
 */
export function parseRequestOptions(options: Members): Members {
  const { PublicKeyCredential: native } = browser()
  if (native?.parseRequestOptionsFromJSON) return native.parseRequestOptionsFromJSON(options)
  const { challenge, allowCredentials } = options
  return {
    ...options,
    challenge: fromBase64url(String(challenge)),
    allowCredentials: parseDescriptors(allowCredentials),
  }
}

/** Turns options for `navigator.credentials.create` into what the browser takes (WebAuthn Level 3 §5.1.9). */
export function parseCreationOptions(options: Members): Members {
  const { PublicKeyCredential: native } = browser()
  if (native?.parseCreationOptionsFromJSON) return native.parseCreationOptionsFromJSON(options)
  const { challenge, user, excludeCredentials } = options
  const { id, ...names } = user as { readonly id: string }
  return {
    ...options,
    challenge: fromBase64url(String(challenge)),
    user: { ...names, id: fromBase64url(id) },
    excludeCredentials: parseDescriptors(excludeCredentials),
  }
}

/** Turns what the browser returned into JSON (WebAuthn Level 3 §5.1.8). */
export function credentialToJson(credential: Credential): unknown {
  if (typeof credential.toJSON === 'function') return credential.toJSON()
  const { id, type, authenticatorAttachment, rawId, response } = credential
  const { clientDataJSON, attestationObject, authenticatorData, signature, userHandle } = response
  // At a registration, the attestation object contains the authenticator data.
  const given = attestationObject
    ? { clientDataJSON, attestationObject }
    : { clientDataJSON, authenticatorData, signature, userHandle }
  const bytes = Object.entries(given).flatMap(([name, value]) =>
    value ? [[name, toBase64url(value)] as const] : [],
  )
  const transports = attestationObject ? { transports: response.getTransports?.() ?? [] } : {}
  return {
    id,
    rawId: toBase64url(rawId),
    type,
    authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: { ...Object.fromEntries(bytes), ...transports },
  }
}

function parseDescriptors(given: unknown): readonly Members[] {
  // The authority's schema for the options of both ceremonies.
  const list = (given ?? []) as readonly { readonly id: string }[]
  return list.map(({ id, ...rest }) => Object.assign(rest, { id: fromBase64url(id) }))
}
