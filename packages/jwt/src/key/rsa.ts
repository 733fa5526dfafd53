import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { HashName, RsaSpec } from '../algorithms.ts'
import { decodeBase64url } from '../base64url.ts'
import { decodeElements, encodeElement, tags } from './der.ts'

// RFC 7518 §3.3 requires 2048 bits. Above 8192 bits one verification takes milliseconds, and an attacker
// could make us spend them.
const RSA_BITS_MIN = 2048
const RSA_BITS_MAX = 8192

const EXPONENT_MIN = 65_537n
const EXPONENT_MAX = 2n ** 64n

/**
 * Throws a `TypeError` unless this is an RSA key of a safe size. With an exponent of 1 each signature would
 * equal its message. Small odd exponents have a history of forgeries.
 */
export function assertRsaKey(key: KeyObject): void {
  if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'rsa-pss') {
    throw new TypeError('This algorithm needs an RSA key.')
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) {
    throw new TypeError(`An RSA key needs ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits.`)
  }
  const exponent = key.asymmetricKeyDetails?.publicExponent ?? 0n
  if (exponent < EXPONENT_MIN || exponent >= EXPONENT_MAX || exponent % 2n === 0n) {
    throw new TypeError('The public exponent of an RSA key must be odd and at least 65537.')
  }
}

/** Throws a `TypeError` for an even modulus, which is not a product of two large primes. */
export function assertOddModulus(n: string): void {
  const last = decodeBase64url(n)?.at(-1) ?? 0
  if (last % 2 === 0) throw new TypeError('The modulus of an RSA key must be odd.')
}

/** Returns the size of this key's signatures, in bytes. */
export function rsaSignatureBytes(key: KeyObject): number {
  return Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8)
}

/**
 * Returns the same RSA key as type `rsa`, without its own restrictions. A certificate authority may have
 * restricted a key to RSASSA-PSS with other parameters. Such a key is refused with a `TypeError`.
 */
export function unwrapRsaKey(key: KeyObject, spec: RsaSpec): KeyObject {
  if (key.asymmetricKeyType === 'rsa') return key
  assertPssParameters(key, spec)
  const input = { key: pkcs1Of(key), format: 'der', type: 'pkcs1' } as const
  return key.type === 'private' ? createPrivateKey(input) : createPublicKey(input)
}

/**
 * Returns the same RSA key bound to RSASSA-PSS with the parameters of the algorithm (RFC 4055 §3.1). OpenSSL
 * then uses the right padding without options at each call, and cannot use the key for anything else.
 */
export function wrapAsPss(key: KeyObject, spec: RsaSpec): KeyObject {
  const algorithm = pssAlgorithm(spec)
  const pkcs1 = pkcs1Of(key)
  if (key.type === 'private') {
    const version = encodeElement(tags.integer, Buffer.from([0]))
    const octets = encodeElement(tags.octetString, pkcs1)
    const pkcs8 = encodeElement(tags.sequence, version, algorithm, octets)
    return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  }
  const bits = encodeElement(tags.bitString, Buffer.from([0]), pkcs1)
  const spki = encodeElement(tags.sequence, algorithm, bits)
  return createPublicKey({ key: spki, format: 'der', type: 'spki' })
}

// The encoded object identifiers of RFC 8017 appendix A.2.3 (RSASSA-PSS), A.2.1 (MGF1) and B.1 (hashes).
const PSS_OID = Buffer.from('2a864886f70d01010a', 'hex')
const MGF1_OID = Buffer.from('2a864886f70d010108', 'hex')
const hashOids: Record<HashName, Buffer> = {
  sha256: Buffer.from('608648016503040201', 'hex'),
  sha384: Buffer.from('608648016503040202', 'hex'),
  sha512: Buffer.from('608648016503040203', 'hex'),
}

function pssAlgorithm(spec: RsaSpec): Buffer {
  const hash = encodeElement(tags.sequence, oid(hashOids[spec.hash]))
  const mask = encodeElement(tags.sequence, oid(MGF1_OID), hash)
  const saltBytes = encodeElement(tags.integer, Buffer.from([spec.hashBytes]))
  const parameters = encodeElement(
    tags.sequence,
    encodeElement(tags.explicit, hash),
    encodeElement(tags.explicit + 1, mask),
    encodeElement(tags.explicit + 2, saltBytes),
  )
  return encodeElement(tags.sequence, oid(PSS_OID), parameters)
}

function oid(encoded: Buffer): Buffer {
  return encodeElement(tags.oid, encoded)
}

function assertPssParameters(key: KeyObject, spec: RsaSpec): void {
  const { hashAlgorithm, mgf1HashAlgorithm, saltLength } = key.asymmetricKeyDetails ?? {}
  const unrestricted = hashAlgorithm === undefined
  const matches =
    hashAlgorithm === spec.hash &&
    mgf1HashAlgorithm === spec.hash &&
    (saltLength ?? 0) <= spec.hashBytes
  if (spec.family !== 'rsa-pss' || !(unrestricted || matches)) {
    throw new TypeError('This RSA key is restricted to another algorithm.')
  }
}

// Returns the bare numbers of the key (RFC 8017 appendix A.1), cut out of the surrounding structure. Node
// cannot export PKCS#1 of an `rsa-pss` key, or of a public key that was itself read from PKCS#1.
function pkcs1Of(key: KeyObject): Buffer {
  // PrivateKeyInfo is version, algorithm, octet string (RFC 5208 §5).
  if (key.type === 'private') return nestedElement(key.export({ format: 'der', type: 'pkcs8' }), 2)
  // SubjectPublicKeyInfo is algorithm, bit string (RFC 5280 §4.1); a bit string begins with the
  // number of its unused bits.
  return nestedElement(key.export({ format: 'der', type: 'spki' }), 1).subarray(1)
}

function nestedElement(der: Buffer, index: number): Buffer {
  const [outer] = decodeElements(der)
  const element = outer === undefined ? undefined : decodeElements(outer)[index]
  if (element === undefined) throw new TypeError('This RSA key could not be read.')
  return element
}
