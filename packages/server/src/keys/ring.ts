import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'

import { BATCH_TYP } from '@countersign/guard/revocations'
import {
  createKeySet,
  createSigner,
  importSigningKey,
  publicJwkOf,
  verifyingKeyOf,
  type KeySet,
  type PublicJwk,
  type Signer,
  type SigningKey,
} from '@countersign/jwt'

import type { Clock } from '../base/clock.ts'
import { SetupError } from '../base/faults.ts'
import { randomId, type Random } from '../base/random.ts'
import type { KeyUse, StoredKey } from '../store/rows.ts'
import type { KeyStore } from '../store/store.ts'
import type { Sealer } from './sealing.ts'

/** `typ` of an access token (RFC 9068 §2.1) and of ours for refreshing. Each kind has its own. */
export const ACCESS_TYP = 'at+jwt'
export const REFRESH_TYP = 'rt+jwt'

/**
 * The signing keys. Access tokens are signed with a private key whose public half is published;
 * refresh tokens with an HMAC key that never leaves the authority, so no service can be talked into
 * taking one.
 */
export interface KeyRing {
  readonly accessSigner: Signer
  /** What verifies access tokens: every key that is published. */
  readonly accessKeys: KeySet
  /** The key that signs new refresh tokens. */
  readonly refreshKid: string
  /** Undefined when the ring has no such key any more. */
  refreshSigner(kid: string): Signer | undefined
  readonly refreshKeys: KeySet
  /** RFC 7517 §5, public members only. */
  readonly jwks: { readonly keys: readonly PublicJwk[] }
  /** Signs batches of the revocation log: the key of access tokens, for another kind of token. */
  readonly logSigner: Signer
  /** The `kid`s of all access keys that were ever killed. */
  readonly killed: readonly string[]
  /** Reads the keys again: somebody has changed them. */
  reload(): Promise<void>
}

export interface KeyRingParts {
  readonly store: KeyStore
  readonly sealer: Sealer
  readonly clock: Clock
  readonly random: Random
}

/**
 * Opens the ring, and creates its first keys in an empty store. Throws a `SetupError` when the
 * configured secret does not open the keys that are there.
 */
export async function openKeyRing(parts: KeyRingParts): Promise<KeyRing> {
  let stored = await parts.store.list()
  if (stored.length === 0) {
    const at = parts.clock.nowMs()
    await parts.store.createFirst(createFirstKeys(parts, at), { at, actor: 'system' })
    stored = await parts.store.list()
  }
  const usable = stored.filter((key) => key.state !== 'revoked')
  const opened = usable.map((key) => ({ stored: key, key: unseal(key, parts.sealer) }))

  const access = opened.filter((each) => each.stored.use === 'access').map((each) => each.key)
  const refresh = opened.filter((each) => each.stored.use === 'refresh').map((each) => each.key)
  const refreshSigners = new Map(
    refresh.map((key) => [kidOf(key), createSigner(key, { typ: REFRESH_TYP })]),
  )
  return {
    accessSigner: createSigner(activeOf(opened, 'access'), { typ: ACCESS_TYP }),
    accessKeys: createKeySet(access.map(verifyingKeyOf)),
    refreshKid: kidOf(activeOf(opened, 'refresh')),
    refreshSigner: (kid) => refreshSigners.get(kid),
    refreshKeys: createKeySet(refresh.map(verifyingKeyOf)),
    jwks: { keys: access.map(publicJwkOf) },
    logSigner: createSigner(activeOf(opened, 'access'), { typ: BATCH_TYP }),
    killed: stored.filter(({ state }) => state === 'revoked').map(({ kid }) => kid),
    reload: async () => {},
  }
}

type OpenedKey = { readonly stored: StoredKey; readonly key: SigningKey }

function activeOf(opened: readonly OpenedKey[], use: KeyUse): SigningKey {
  const active = opened.find((each) => each.stored.use === use && each.stored.state === 'active')
  if (active === undefined) throw new SetupError(`The store has no active ${use} key.`)
  return active.key
}

function kidOf(key: SigningKey): string {
  if (key.kid === undefined) throw new Error('a key of the ring has no kid')
  return key.kid
}

function createFirstKeys({ sealer, random }: KeyRingParts, at: number): StoredKey[] {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const secret = random.bytes(32)
  const accessKid = kidOf(importSigningKey({ keyObject: pair.privateKey }, { alg: 'ES256' }))
  const refreshKid = randomId(random)
  return [
    seal(sealer, { kid: accessKid, alg: 'ES256', use: 'access', at }, exportKey(pair.privateKey)),
    seal(sealer, { kid: refreshKid, alg: 'HS256', use: 'refresh', at }, secret),
  ]
}

function exportKey(key: KeyObject): Buffer {
  return key.export({ type: 'pkcs8', format: 'der' })
}

function seal(
  sealer: Sealer,
  key: { kid: string; alg: string; use: KeyUse; at: number },
  plain: Uint8Array,
): StoredKey {
  return {
    kid: key.kid,
    alg: key.alg,
    use: key.use,
    state: 'active',
    sealed: sealer.seal(plain, sealingContext(key)),
    createdAt: key.at,
  }
}

function unseal(stored: StoredKey, sealer: Sealer): SigningKey {
  const plain = sealer.open(stored.sealed, sealingContext(stored))
  if (plain === undefined) {
    throw new SetupError(
      'COUNTERSIGN_SECRET does not open the signing keys in the database. Start with the secret that sealed them (in development: the file "secret" in the data directory).',
    )
  }
  const { kid } = stored
  switch (stored.alg) {
    case 'ES256':
      return importSigningKey(
        { keyObject: createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' }) },
        { alg: 'ES256', kid },
      )
    case 'HS256':
      return importSigningKey({ secret: plain }, { alg: 'HS256', kid })
    default:
      throw new SetupError(
        `The store holds a key for ${stored.alg}, which this version does not know.`,
      )
  }
}

function sealingContext(key: { kid: string; alg: string; use: KeyUse }): string {
  return `signing-key/${key.use}/${key.alg}/${key.kid}`
}
