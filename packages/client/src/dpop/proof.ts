import { toBase64url } from '../factors/base64url.ts'
import type { DpopKey } from './key.ts'

/** The request that a proof is about. */
export interface ProvenRequest {
  readonly method: string
  readonly url: URL
  /** The access token of the request, whose hash is in the proof. Undefined where there is none yet. */
  readonly token: string | undefined
  readonly nonce: string | undefined
}

/** Makes the proof for one request (RFC 9449 §4.2). `now` is in milliseconds since 1970. */
export async function makeProof(
  { jwk, sign }: DpopKey,
  { method, url, token, nonce }: ProvenRequest,
  now: number,
): Promise<string> {
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk }
  const claims = {
    // `randomUUID` is missing on pages without https, which may be served from this machine's network.
    jti: toBase64url(crypto.getRandomValues(new Uint8Array(16)).buffer),
    htm: method,
    htu: url.origin + url.pathname,
    iat: Math.floor(now / 1000),
    // JSON leaves out what is undefined.
    ath: token && toBase64url(await crypto.subtle.digest('SHA-256', bytesOf(token))),
    nonce,
  }
  const text = `${encode(header)}.${encode(claims)}`
  return `${text}.${toBase64url(await sign(bytesOf(text)))}`
}

function encode(value: object): string {
  return toBase64url(bytesOf(JSON.stringify(value)).buffer)
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}
