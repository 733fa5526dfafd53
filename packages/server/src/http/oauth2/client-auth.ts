import { isUtf8 } from 'node:buffer'

import type { ClientCredentials } from '../../sessions/client-credentials.ts'

/** The credentials in a request of a service account. */
export type ClientAuth =
  | { readonly ok: true; readonly credentials: ClientCredentials }
  | { readonly ok: false; readonly code: 'client_invalid' | 'client_auth_repeated' }

/**
 * Reads the client's credentials from the Authorization header or from the form (RFC 6749 §2.3.1), never from
 * both. Pure. The form may repeat the `client_id` of the header: many clients send it, and it is not a second
 * authentication.
 */
export function readClientAuth(
  authorization: string | null,
  form: { readonly clientId: string | undefined; readonly secret: string | undefined },
): ClientAuth {
  const { clientId, secret } = form
  if (authorization === null) {
    return clientId === undefined || secret === undefined
      ? { ok: false, code: 'client_invalid' }
      : { ok: true, credentials: { clientId, secret } }
  }
  if (secret !== undefined) return { ok: false, code: 'client_auth_repeated' }
  const credentials = readBasic(authorization)
  if (credentials === undefined) return { ok: false, code: 'client_invalid' }
  if (clientId !== undefined && clientId !== credentials.clientId) {
    return { ok: false, code: 'client_auth_repeated' }
  }
  return { ok: true, credentials }
}

/** Returns the id and secret of a Basic header. Returns undefined for another scheme or a malformed value. */
function readBasic(authorization: string): ClientCredentials | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1]
  if (encoded === undefined) return undefined
  const bytes = Buffer.from(encoded, 'base64')
  if (!isUtf8(bytes)) return undefined
  const text = bytes.toString('utf8')
  const colon = text.indexOf(':')
  if (colon === -1) return undefined
  const clientId = formDecode(text.slice(0, colon))
  const secret = formDecode(text.slice(colon + 1))
  return clientId === undefined || secret === undefined ? undefined : { clientId, secret }
}

/** Decodes the form encoding of the id or the secret (RFC 6749 appendix B). */
function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
