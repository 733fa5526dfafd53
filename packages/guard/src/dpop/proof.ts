import { hash } from 'node:crypto'

import { decodeUnverified, verifyJws } from '@countersign/jwt'

import type { ProofKeys } from './proof-keys.ts'
import { comparableUrl } from './url.ts'

/** The request that a proof must be about. */
export interface ProvenRequest {
  /** The method of the request, such as `GET`. */
  readonly method: string
  /** The public URLs that the request may have, as `comparableUrl` writes them. */
  readonly urls: readonly string[]
  /** The access token of the request. Undefined at a token endpoint, because the request has no token yet. */
  readonly token?: string | undefined
  /** The thumbprint of the key that the access token, code or refresh token is bound to. */
  readonly jkt?: string | undefined
  /** Whether the proof may be used again. It is then not remembered. */
  readonly mayRepeat?: boolean
}

/** A proof of possession whose signature and contents are right. Its age was not checked. */
export interface Proof {
  readonly ok: true
  /** The thumbprint of the key that signed it. */
  readonly jkt: string
  /** Identifies the proof among those of all keys: 22 characters of base64url. */
  readonly id: string
  /** When the client made it, by the client's clock, in milliseconds since 1970. */
  readonly issuedAtMs: number
  readonly nonce: unknown
}

/** A proof, or the precise reason why it is refused. */
export type ProofReading = Proof | { readonly ok: false; readonly reason: string }

/** The longest proof that is read, in bytes. One with a key of RSA and 4096 bits has 2,300. */
const PROOF_BYTES_MAX = 4096
/** The longest `jti`, in characters. */
const JTI_CHARS_MAX = 256

/**
 * Reads the proof in the values of all DPoP headers of one request, and checks everything but its age and its
 * repetition (RFC 9449 §4.3). It reads no clock and stores nothing except the keys of accepted proofs.
 */
export function readProof(
  values: readonly string[],
  request: ProvenRequest,
  keys: ProofKeys,
): ProofReading {
  const [proof, second] = values
  if (proof === undefined) return no('dpop_absent')
  // Web-standard headers join two values with a comma, which no proof contains.
  if (second !== undefined || proof.includes(',')) return no('dpop_repeated')
  if (proof.length > PROOF_BYTES_MAX) return no('dpop_too_large')

  const decoded = decodeUnverified(proof)
  if (!decoded.ok) return no(`dpop_${decoded.code}`)
  const encoded = proof.slice(0, proof.indexOf('.'))
  const found = keys.find(encoded, decoded.header)
  if (!found.ok) return found
  const { key, jkt } = found
  // Compared before the signature is checked, because somebody with a stolen token has only other keys.
  if (request.jkt !== undefined && request.jkt !== jkt) return no(KEY_MISMATCH)

  const verified = verifyJws(proof, key, { typ: 'dpop+jwt' })
  if (!verified.ok) return no(`dpop_${verified.code}`)
  const reason = whyNotAbout(request, decoded.claims)
  if (reason !== undefined) return no(reason)
  keys.keep(encoded, found)
  // whyNotAbout has checked both types.
  const { jti, iat, nonce } = decoded.claims as { jti: string; iat: number; nonce?: unknown }
  const id = hash('sha256', `${jkt}.${jti}`, 'base64url').slice(0, 22)
  return { ok: true, jkt, id, issuedAtMs: iat * 1000, nonce }
}

/** The reason for a proof of another key than the one that the token is bound to. */
export const KEY_MISMATCH = 'dpop_key_mismatch'

function whyNotAbout(
  { method, urls, token }: ProvenRequest,
  { jti, htm, htu, iat, ath }: Readonly<Record<string, unknown>>,
): string | undefined {
  if (typeof jti !== 'string' || jti === '' || jti.length > JTI_CHARS_MAX) return 'dpop_jti'
  if (typeof iat !== 'number' || !Number.isFinite(iat) || iat < 0) return 'dpop_iat'
  if (htm !== method) return 'dpop_htm'
  const url = comparableUrl(htu)
  if (url === undefined || !urls.includes(url)) return 'dpop_htu'
  if (token !== undefined && ath !== hash('sha256', token, 'base64url')) return 'dpop_ath'
  return undefined
}

function no(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason }
}
