import { hash, X509Certificate, type KeyObject } from 'node:crypto'
import { parsePemBlock } from './pem.ts'

/** The key of a certificate, and the JWK members that show the certificate. */
export interface CertifiedKey {
  readonly keyObject: KeyObject
  readonly members: CertificateMembers
}

/** The certificate in base64 (RFC 7517 §4.7), and its SHA-256 thumbprint in base64url (RFC 7517 §4.9). */
export interface CertificateMembers {
  readonly x5c: string[]
  readonly 'x5t#S256': string
}

// An ML-DSA-87 key and signature take 7.2 kB.
const CERTIFICATE_BYTES_MAX = 16_384

/**
 * Reads the public key of one X.509 certificate (RFC 5280), given as one PEM block `CERTIFICATE` or as DER.
 * It reads nothing else. The caller must check dates, chain, names, key usage and revocation. Throws a
 * `TypeError` for anything that is not exactly one certificate.
 */
export function readCertificate(source: string | Uint8Array): CertifiedKey {
  const der = typeof source === 'string' ? parsePemBlock(source, 'CERTIFICATE') : source
  if (!(der instanceof Uint8Array) || der.length > CERTIFICATE_BYTES_MAX) throw invalid()
  const { keyObject, raw } = parseCertificate(der)
  // Node also accepts PEM text as bytes, and ignores what follows the certificate.
  if (!raw.equals(der)) throw invalid()
  return {
    keyObject,
    members: { x5c: [raw.toString('base64')], 'x5t#S256': hash('sha256', raw, 'base64url') },
  }
}

function parseCertificate(der: Uint8Array): { keyObject: KeyObject; raw: Buffer } {
  try {
    const { publicKey: keyObject, raw } = new X509Certificate(der)
    return { keyObject, raw }
  } catch {
    // It is not a certificate, or its key is of a kind that this OpenSSL does not support.
    throw invalid()
  }
}

function invalid(): TypeError {
  return new TypeError('The certificate must be one X.509 certificate, as PEM text or DER bytes.')
}
