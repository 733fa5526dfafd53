import type { KeyObject } from 'node:crypto'

import { sharedSecretKey } from '@countersign/guard'
import {
  createSigner,
  importVerifyingKey,
  publicJwkOf,
  verifyJws,
  verifyingKeyOf,
  type PublicJwk,
  type VerifyingKey,
} from '@countersign/jwt'

import { messageOf, SetupError, SignerFault } from '../base/faults.ts'
import type { SigningAlg } from './material.ts'

/**
 * A private key outside this process: in a key service, an HSM or another process. It signs access tokens
 * instead of the ring's own keys. Its owner must rotate it.
 */
export interface ForeignSigner {
  readonly alg: SigningAlg
  /** The public half, which is published: a KeyObject of node:crypto, or a JWK. */
  readonly publicKey: KeyObject | object
  /** Its `kid` in tokens. Default: the RFC 7638 thumbprint. */
  readonly kid?: string
  /** Signs bytes in the format of RFC 7518 §3: for ECDSA the two numbers one after the other, not DER. */
  readonly sign: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>
}

/** Signs tokens of one kind: synchronously with a key in this process, asynchronously with a key outside it. */
export interface AccessSigner {
  sign(claims: object): string | Promise<string>
}

/** A signer of access tokens that replaces the ring's own keys, and the keys that verify its tokens. */
export interface OpenedSigner {
  readonly signer: AccessSigner
  /** Returns a signer of tokens of another kind. */
  readonly signerFor: (typ: string) => AccessSigner
  readonly keys: readonly VerifyingKey[]
  /** The public keys to publish. */
  readonly jwks: readonly PublicJwk[]
}

/**
 * Opens a foreign signer, and makes one test signature. Throws a `SetupError` if that signature does not
 * verify.
 */
export async function openForeignSigner(
  foreign: ForeignSigner,
  typ: string,
): Promise<OpenedSigner> {
  const key = readPublicKey(foreign)
  const signerFor = (of: string): AccessSigner => signerOf(foreign, key.kid, of)
  const signer = signerFor(typ)
  const probe = await signer.sign({ probe: true })
  if (!verifyJws(probe, key).ok) {
    throw new SetupError(
      'The signature of the signer does not match publicKey: the signer used another key or another format.',
    )
  }
  return { signer, signerFor, keys: [key], jwks: [publicJwkOf(key)] }
}

function signerOf(foreign: ForeignSigner, kid: string | undefined, typ: string): AccessSigner {
  const header = encode({ alg: foreign.alg, typ, kid })
  return {
    sign: async (claims) => {
      const text = `${header}.${encode(claims)}`
      try {
        const signature = await foreign.sign(Buffer.from(text, 'latin1'))
        return `${text}.${Buffer.from(signature).toString('base64url')}`
      } catch (error) {
        throw new SignerFault(`The signer failed: ${messageOf(error)}`, { cause: error })
      }
    },
  }
}

/**
 * Opens the secrets that the authority shares with services (HS256). The first secret signs, and all of them
 * verify. They are never published.
 */
export function openSharedSecrets(secrets: readonly string[], typ: string): OpenedSigner {
  const [first, ...others] = [...new Set(secrets)].map(sharedSecretKey)
  if (first === undefined) throw new SetupError('There is no shared secret.')
  return {
    signer: createSigner(first, { typ }),
    signerFor: (of) => createSigner(first, { typ: of }),
    keys: [first, ...others].map(verifyingKeyOf),
    jwks: [],
  }
}

function readPublicKey({ alg, publicKey, kid }: ForeignSigner): VerifyingKey {
  const options = kid === undefined ? { alg } : { alg, kid }
  try {
    return 'asymmetricKeyType' in publicKey
      ? importVerifyingKey({ keyObject: publicKey }, options)
      : importVerifyingKey({ jwk: publicKey }, options)
  } catch (error) {
    throw new SetupError(`The signer's publicKey cannot be used: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
