/** ML-DSA, the lattice signatures of FIPS 204, under the names of RFC 9964. */
export type MlDsaAlgorithm = 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87'

/**
 * The signature algorithms that this package supports (RFC 7518 §3.1, RFC 9864 §2.2). `none` is not among
 * them.
 */
export type Algorithm =
  | 'HS256'
  | 'HS384'
  | 'HS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'Ed25519'
  | MlDsaAlgorithm

/** Hash functions by the name that node:crypto and RSASSA-PSS parameters share. */
export type HashName = 'sha256' | 'sha384' | 'sha512'

/**
 * HMAC. The secret is padded to the block size (RFC 2104). The hash size is the smallest accepted secret
 * size.
 */
export interface HmacSpec {
  readonly family: 'hmac'
  readonly hash: HashName
  readonly hashBytes: number
  readonly blockBytes: number
}

/** RSASSA-PKCS1-v1_5 or RSASSA-PSS. The PSS salt is as long as the hash (RFC 7518 §3.5). */
export interface RsaSpec {
  readonly family: 'rsa' | 'rsa-pss'
  readonly hash: HashName
  readonly hashBytes: number
}

/** ECDSA: the curve's JWK name and OpenSSL name, and the size of r, s, x and y. */
export interface EcdsaSpec {
  readonly family: 'ecdsa'
  readonly hash: HashName
  readonly curve: 'P-256' | 'P-384' | 'P-521'
  readonly opensslCurve: 'prime256v1' | 'secp384r1' | 'secp521r1'
  readonly coordinateBytes: number
}

/** EdDSA on Ed25519, the only supported curve. Ed448 is a different algorithm with a different name. */
export interface EddsaSpec {
  readonly family: 'eddsa'
}

/** ML-DSA. Each name means one set of parameters, and so one size of keys and signatures. */
export interface MlDsaSpec {
  readonly family: 'ml-dsa'
  readonly alg: MlDsaAlgorithm
  readonly keyType: 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87'
  readonly publicBytes: number
  readonly signatureBytes: number
}

/** The requirements of an algorithm on its key. */
export type AlgorithmSpec = HmacSpec | RsaSpec | EcdsaSpec | EddsaSpec | MlDsaSpec

const sha256 = { hash: 'sha256', hashBytes: 32 } as const
const sha384 = { hash: 'sha384', hashBytes: 48 } as const
const sha512 = { hash: 'sha512', hashBytes: 64 } as const

const specs: ReadonlyMap<unknown, AlgorithmSpec> = new Map<Algorithm, AlgorithmSpec>([
  ['HS256', { family: 'hmac', ...sha256, blockBytes: 64 }],
  ['HS384', { family: 'hmac', ...sha384, blockBytes: 128 }],
  ['HS512', { family: 'hmac', ...sha512, blockBytes: 128 }],
  ['RS256', { family: 'rsa', ...sha256 }],
  ['RS384', { family: 'rsa', ...sha384 }],
  ['RS512', { family: 'rsa', ...sha512 }],
  ['PS256', { family: 'rsa-pss', ...sha256 }],
  ['PS384', { family: 'rsa-pss', ...sha384 }],
  ['PS512', { family: 'rsa-pss', ...sha512 }],
  ['ES256', ecdsa('sha256', 'P-256', 'prime256v1', 32)],
  ['ES384', ecdsa('sha384', 'P-384', 'secp384r1', 48)],
  ['ES512', ecdsa('sha512', 'P-521', 'secp521r1', 66)],
  ['Ed25519', { family: 'eddsa' }],
  // FIPS 204 table 2.
  ['ML-DSA-44', mlDsa('ML-DSA-44', 'ml-dsa-44', 1312, 2420)],
  ['ML-DSA-65', mlDsa('ML-DSA-65', 'ml-dsa-65', 1952, 3309)],
  ['ML-DSA-87', mlDsa('ML-DSA-87', 'ml-dsa-87', 2592, 4627)],
])

/** True for the exact name of a supported algorithm. Case matters (RFC 7515 §4.1.1). */
export function isAlgorithm(value: unknown): value is Algorithm {
  return specs.has(value)
}

/** Returns what `alg` requires of its key. Throws a `TypeError` for anything that is not an algorithm. */
export function specOf(alg: Algorithm): AlgorithmSpec {
  const spec = specs.get(alg)
  if (spec === undefined) throw new TypeError('The option alg is not a supported algorithm.')
  return spec
}

function ecdsa(
  hash: HashName,
  curve: EcdsaSpec['curve'],
  opensslCurve: EcdsaSpec['opensslCurve'],
  coordinateBytes: number,
): EcdsaSpec {
  return { family: 'ecdsa', hash, curve, opensslCurve, coordinateBytes }
}

function mlDsa(
  alg: MlDsaAlgorithm,
  keyType: MlDsaSpec['keyType'],
  publicBytes: number,
  signatureBytes: number,
): MlDsaSpec {
  return { family: 'ml-dsa', alg, keyType, publicBytes, signatureBytes }
}
