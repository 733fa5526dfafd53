import {
  createPrivateKey,
  generateKeyPairSync,
  hash,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'

import { importSigningKey, publicJwkOf, type PublicJwk, type SigningKey } from '@countersign/jwt'

import type { EpochMs } from '../base/clock.ts'
import { SetupError } from '../base/faults.ts'
import { randomId, type Random } from '../base/random.ts'
import type { KeyState, KeyUse, StoredKey } from '../store/rows.ts'
import type { Sealer } from './sealing.ts'

/**
 * The algorithms that may sign access tokens. HMAC is not among them: set the shared secret to sign with
 * HMAC.
 */
export const SIGNING_ALGS = ['ES256', 'Ed25519', 'RS256', 'PS256', 'ES384', 'ES512'] as const
/** An algorithm that may sign access tokens. */
export type SigningAlg = (typeof SIGNING_ALGS)[number]

/** The algorithm that signs refresh tokens, with a secret that never leaves the authority. */
export const REFRESH_ALG = 'HS256'

/** The dependencies for creating keys. */
export interface KeyMaker {
  readonly sealer: Sealer
  readonly random: Random
}

/** A stored key, and the signing key that was unsealed from it. */
export interface OpenedKey {
  readonly stored: StoredKey
  readonly key: SigningKey
}

/**
 * Makes a key for access tokens. Its `kid` is its RFC 7638 thumbprint. Making an RSA key takes a tenth of a
 * second.
 */
export function createAccessKey(maker: KeyMaker, alg: SigningAlg, at: EpochMs): StoredKey {
  return sealAccessKey(maker, generate(alg), {
    alg,
    at,
    imported: false,
    certificates: [],
  })
}

/**
 * Makes the row of a private key: `pending` and sealed. Throws a `TypeError` if the key does not fit the
 * algorithm.
 */
export function sealAccessKey(
  { sealer }: KeyMaker,
  privateKey: KeyObject,
  {
    alg,
    at,
    ...origin
  }: { alg: SigningAlg; at: EpochMs } & Pick<StoredKey, 'imported' | 'certificates'>,
): StoredKey {
  const { kid = '' } = importSigningKey({ keyObject: privateKey }, { alg })
  const name = { kid, alg, use: 'access' } as const
  const plain = privateKey.export({ type: 'pkcs8', format: 'der' })
  return {
    ...name,
    ...fresh('pending', at),
    sealed: sealer.seal(plain, contextOf(name)),
    ...origin,
  }
}

/**
 * Makes a secret for refresh tokens. Only the authority verifies refresh tokens, so the secret signs at once.
 */
export function createRefreshKey({ sealer, random }: KeyMaker, at: EpochMs): StoredKey {
  const name = { kid: randomId(random), alg: REFRESH_ALG, use: 'refresh' } as const
  const sealed = sealer.seal(random.bytes(32), contextOf(name))
  return { ...name, ...fresh('active', at), sealed, imported: false, certificates: [] }
}

function fresh(
  state: KeyState,
  at: EpochMs,
): Pick<StoredKey, 'state' | 'createdAt' | 'changedAt' | 'verifiesUntil'> {
  return { state, createdAt: at, changedAt: at, verifiesUntil: undefined }
}

/** Opens a key. Throws a `SetupError` if no secret opens it. */
export function openKey(stored: StoredKey, sealer: Sealer): OpenedKey {
  const { alg, kid } = stored
  const plain = sealer.open(stored.sealed, contextOf(stored))
  if (plain === undefined) {
    throw new SetupError(
      'COUNTERSIGN_SECRET does not open the signing keys in the database. Start with the secret that sealed them (in development: the file "secret" in the data directory).',
    )
  }
  if (alg === REFRESH_ALG) return { stored, key: importSigningKey({ secret: plain }, { alg, kid }) }
  if (!isSigningAlg(alg)) {
    throw new SetupError(
      `The database has a key for the algorithm ${alg}, which this version does not support.`,
    )
  }
  const keyObject = createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' })
  return { stored, key: importSigningKey({ keyObject }, { alg, kid }) }
}

/** Returns the key sealed by the first secret, or undefined if the first secret has already sealed it. */
export function resealed(stored: StoredKey, sealer: Sealer): Buffer | undefined {
  if (sealer.isCurrent(stored.sealed)) return undefined
  const plain = sealer.open(stored.sealed, contextOf(stored))
  return plain === undefined ? undefined : sealer.seal(plain, contextOf(stored))
}

/** Returns the published form of the key, with its certificates if there are any (RFC 7517 §4.7, §4.9). */
export function publishedJwk({ stored, key }: OpenedKey): PublicJwk {
  const jwk = publicJwkOf(key)
  const [own] = stored.certificates
  if (own === undefined) return jwk
  const thumbprint = hash(
    'sha256',
    new X509Certificate(Buffer.from(own, 'base64')).raw,
    'base64url',
  )
  return { ...jwk, x5c: [...stored.certificates], 'x5t#S256': thumbprint }
}

/** Whether an algorithm may sign access tokens. */
export function isSigningAlg(alg: string): alg is SigningAlg {
  return (SIGNING_ALGS as readonly string[]).includes(alg)
}

const RSA_BITS = 3_072
const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const

function generate(alg: SigningAlg): KeyObject {
  switch (alg) {
    case 'ES256':
    case 'ES384':
    case 'ES512':
      return generateKeyPairSync('ec', { namedCurve: CURVES[alg] }).privateKey
    case 'Ed25519':
      return generateKeyPairSync('ed25519').privateKey
    case 'RS256':
    case 'PS256':
      return generateKeyPairSync('rsa', { modulusLength: RSA_BITS }).privateKey
  }
}

function contextOf(key: {
  readonly kid: string
  readonly alg: string
  readonly use: KeyUse
}): string {
  return `signing-key/${key.use}/${key.alg}/${key.kid}`
}
