import type { KeyObject } from 'node:crypto'
import type { EcdsaSpec } from '../algorithms.ts'
import type { SignatureFormat } from './asymmetric.ts'

/** Throws a `TypeError` unless this is a key on exactly the curve of the algorithm. */
export function assertEcdsaKey(key: KeyObject, spec: EcdsaSpec): void {
  // The type alone would accept secp256k1 for ES256: the same sizes, another curve.
  if (
    key.asymmetricKeyType !== 'ec' ||
    key.asymmetricKeyDetails?.namedCurve !== spec.opensslCurve
  ) {
    throw new TypeError(`This algorithm needs an EC key on the curve ${spec.curve}.`)
  }
}

/**
 * The format of ECDSA signatures. JOSE writes r and s next to each other at full width (RFC 7518 §3.4).
 * OpenSSL writes a DER sequence of two integers (RFC 3279 §2.2.3). Converting here takes 0.2 µs; the option
 * `dsaEncoding` takes 13 µs or more.
 */
export function ecdsaFormat(spec: EcdsaSpec): SignatureFormat {
  const width = spec.coordinateBytes
  return {
    bytes: 2 * width,
    toOpenssl: (signature) => encodeDer(signature, width),
    fromOpenssl: (der) => decodeDer(der, width),
  }
}

const SEQUENCE = 0x30
const INTEGER = 0x02

// Two numbers of 66 bytes (P-521), each with a sign byte and two bytes of tag and length, plus three outer
// bytes.
const der = Buffer.alloc(3 + 2 * (3 + 66))

function encodeDer(signature: Buffer, width: number): Uint8Array {
  // Two bytes are reserved in front for tag and length, and a third for the long form of the length.
  const contentStart = 3
  const afterR = writeInteger(signature, 0, width, contentStart)
  const end = writeInteger(signature, width, 2 * width, afterR)
  const contentBytes = end - contentStart

  der[2] = contentBytes
  if (contentBytes < 0x80) {
    der[1] = SEQUENCE
    return der.subarray(1, end)
  }
  der[0] = SEQUENCE
  der[1] = 0x81
  return der.subarray(0, end)
}

// DER integers have no leading zero bytes, except one where the first bit would be read as a sign.
function writeInteger(source: Buffer, from: number, to: number, at: number): number {
  let first = from
  while (first < to - 1 && source[first] === 0) first++
  const signByte = source.readUInt8(first) >= 0x80 ? 1 : 0

  der[at] = INTEGER
  der[at + 1] = to - first + signByte
  der[at + 2] = 0
  source.copy(der, at + 2 + signByte, first, to)
  return at + 2 + signByte + to - first
}

const joseSignature = Buffer.alloc(2 * 66)

// Reads what OpenSSL has just written, so the shape is known. The result is valid until the next call.
function decodeDer(source: Uint8Array, width: number): Buffer {
  const rStart = source[1] === 0x81 ? 3 : 2
  const sStart = rStart + 2 + byteAt(source, rStart + 1)
  readInteger(source, rStart, 0, width)
  readInteger(source, sStart, width, 2 * width)
  return joseSignature.subarray(0, 2 * width)
}

// Copies byte by byte, because a native copy of so few bytes costs more than the loop. A short integer is
// padded with zeros in front. A sign byte is dropped.
function readInteger(source: Uint8Array, at: number, from: number, to: number): void {
  const sourceBytes = byteAt(source, at + 1)
  const sourceEnd = at + 2 + sourceBytes
  const count = Math.min(sourceBytes, to - from)
  for (let back = 1; back <= count; back++) {
    joseSignature[to - back] = byteAt(source, sourceEnd - back)
  }
  if (count < to - from) joseSignature.fill(0, from, to - count)
}

function byteAt(source: Uint8Array, at: number): number {
  return source[at] ?? 0
}
