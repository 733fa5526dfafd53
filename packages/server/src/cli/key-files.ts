import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { systemClock } from '../base/clock.ts'
import { messageOf, SetupError } from '../base/faults.ts'
import { isSigningAlg, SIGNING_ALGS, type SigningAlg } from '../keys/material.ts'
import { UsageError } from './usage-error.ts'

/** Reads and checks the PEM files that `countersign keys import` takes. */

function readText(path: string): string {
  try {
    // A byte order mark would hide the first line from OpenSSL.
    return readFileSync(path, 'latin1').replace(/^\xef\xbb\xbf/, '')
  } catch (error) {
    throw new SetupError(`The file cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

/**
 * Reads a private key in PEM. Throws a `SetupError` if the file has no private key or the key has a
 * passphrase.
 */
export function readPrivateKey(path: string): KeyObject {
  const text = readText(path)
  if (/^(?:-----BEGIN |Proc-Type:.*)ENCRYPTED/m.test(text)) {
    throw new SetupError(
      `The key in ${path} has a passphrase. Remove it first: openssl pkey -in ${path} -out OTHER_FILE`,
    )
  }
  try {
    return createPrivateKey(text)
  } catch (error) {
    // The messages of OpenSSL do not name the file or the expected format.
    throw new SetupError(`${path} holds no private key in PEM (-----BEGIN PRIVATE KEY-----).`, {
      cause: error,
    })
  }
}

/**
 * Reads the certificates of a PEM file, in the order of the file. Throws a `SetupError` if the file has none.
 */
export function readChain(path: string): readonly X509Certificate[] {
  const blocks = readText(path).match(
    /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g,
  )
  if (blocks === null) throw new SetupError(`${path} holds no certificate in PEM.`)
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch (error) {
      throw new SetupError(`Certificate ${index + 1} of ${path} cannot be read.`, { cause: error })
    }
  })
}

/**
 * Checks that the first certificate is for this key, that every certificate is valid now, and that the next
 * certificate signs it. Throws a `SetupError` that names the first certificate that fails.
 */
export function checkChain(chain: readonly X509Certificate[], privateKey: KeyObject): void {
  const [own] = chain
  if (own === undefined) return
  if (!own.publicKey.equals(createPublicKey(privateKey))) {
    throw new SetupError(
      'The first certificate belongs to another key. Put the certificate of this key first.',
    )
  }
  for (const [index, certificate] of chain.entries()) {
    const now = systemClock.nowMs()
    if (now < certificate.validFromDate.getTime() || now > certificate.validToDate.getTime()) {
      throw new SetupError(`Certificate ${index + 1} is expired or not valid yet.`)
    }
    const issuer = chain[index + 1]
    if (issuer !== undefined && !certificate.verify(issuer.publicKey)) {
      throw new SetupError(`Certificate ${index + 1} is not signed by the next one in the file.`)
    }
  }
}

/**
 * The default algorithm by OpenSSL's name of the key type. An RSA key can also sign with PS256, if `--alg`
 * selects it.
 */
const ALGS_OF_KEYS: Readonly<Record<string, SigningAlg>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
  ed25519: 'Ed25519',
  rsa: 'RS256',
  'rsa-pss': 'PS256',
}

/**
 * Returns the algorithm of an imported key: `given`, which is the value of `--alg`, or else the default for
 * the type of the key. Throws a `UsageError` for an unknown name, and a `SetupError` for a key that cannot
 * sign tokens.
 */
export function signingAlgOf(key: KeyObject, given: string | undefined): SigningAlg {
  if (given !== undefined) {
    if (isSigningAlg(given)) return given
    throw new UsageError(`--alg must be one of ${SIGNING_ALGS.join(', ')}.`)
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const found = ALGS_OF_KEYS[type === 'ec' ? (details?.namedCurve ?? '') : (type ?? '')]
  if (found !== undefined) return found
  throw new SetupError(
    `Keys of this kind (${type ?? 'unknown'}) cannot sign tokens here. Use a key for ${SIGNING_ALGS.join(', ')}.`,
  )
}
