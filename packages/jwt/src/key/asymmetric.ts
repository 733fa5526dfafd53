import { sign, verify, type KeyObject } from 'node:crypto'
import { encodedLength, isCanonicalSpelling } from '../base64url.ts'
import { asciiBytes, signingInput } from '../scratch.ts'
import type { SignText, VerifyToken } from './key.ts'

/** How a family of algorithms writes its signatures. The conversions change nothing except for ECDSA. */
export interface SignatureFormat {
  readonly bytes: number
  /** Converts from the form of JOSE to the form of OpenSSL. */
  toOpenssl(signature: Buffer): Uint8Array
  /** Converts from the form of OpenSSL to the form of JOSE. */
  fromOpenssl(signature: Buffer): Buffer
}

/** The format of RSA, Ed25519 and ML-DSA signatures: `bytes` bytes, the same in JOSE and OpenSSL. */
export function plainFormat(bytes: number): SignatureFormat {
  return { bytes, toOpenssl: (signature) => signature, fromOpenssl: (signature) => signature }
}

// crypto.sign and crypto.verify receive a bare KeyObject. On Node 24, an options object around it costs 13 to
// 29 µs a call. So padding, salt and encoding are fixed at import.

/**
 * Makes the function that signs with a private key. `hash` is `null` for Ed25519 and ML-DSA, which include a
 * hash.
 */
export function createAsymmetricSign(
  privateKey: KeyObject,
  hash: string | null,
  format: SignatureFormat,
): SignText {
  return (header, payload) => {
    const bytes = signingInput(header, payload)
    return format.fromOpenssl(sign(hash, bytes, privateKey)).toString('base64url')
  }
}

/** Makes the function that verifies tokens with a public key. */
export function createAsymmetricVerify(
  publicKey: KeyObject,
  hash: string | null,
  format: SignatureFormat,
): VerifyToken {
  const signature = Buffer.alloc(format.bytes)
  const encodedMax = encodedLength(format.bytes)

  return (token, payloadEnd) => {
    if (token.length - payloadEnd - 1 !== encodedMax) return false
    const bytes = asciiBytes(token, payloadEnd)
    if (bytes === undefined) return false

    const encoded = token.slice(payloadEnd + 1)
    if (!isCanonicalSpelling(encoded, signature.write(encoded, 'base64url'))) return false
    return verify(hash, bytes, publicKey, format.toOpenssl(signature))
  }
}
