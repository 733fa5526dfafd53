import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'

import {
  toWire,
  type BatchClaims,
  type LogHead,
  type RevocationEntry,
  type WireBatch,
} from '@countersign/guard/revocations'
import type { Signer } from '@countersign/jwt'

import { toEpochSec, type Clock } from '../base/clock.ts'

/** Signs batches of the log, and recognises batches that it has sealed. */
export interface BatchSealer {
  /** Signs entries that follow a head. An empty batch proves the head itself. */
  seal(after: LogHead, entries: readonly SealedEntry[]): WireBatch
  /** Whether the authority made the HMAC of a batch, with any of its secrets. */
  isOurs(batch: WireBatch): boolean
}

/** An entry with its chain value in the log. */
export type SealedEntry = RevocationEntry & { readonly chain: Uint8Array }

/** The dependencies of `createBatchSealer`. */
export interface BatchSealerOptions {
  readonly issuer: string
  /** Returns the current signer for batches, because keys rotate. */
  readonly signer: () => Signer
  /** One key for each secret of the authority. The first key makes MACs, and all keys verify them. */
  readonly macKeys: readonly Uint8Array[]
  readonly clock: Clock
}

/**
 * Creates the sealer. Each batch has two proofs: guards check the signature, and only the authority checks
 * the HMAC.
 */
export function createBatchSealer({
  issuer,
  signer,
  macKeys,
  clock,
}: BatchSealerOptions): BatchSealer {
  const keys = macKeys.map((key) => createSecretKey(key))
  const [first] = keys
  if (first === undefined) throw new TypeError('createBatchSealer needs a key')
  return {
    seal(after, entries) {
      const last = entries.at(-1) ?? after
      const claims: BatchClaims = {
        iss: issuer,
        iat: toEpochSec(clock.nowMs()),
        after: after.position,
        prev: encode(after.chain),
        last: last.position,
        chain: encode(last.chain),
      }
      const head = signer().sign(claims)
      return { head, mac: macOf(first, head).toString('base64url'), entries: entries.map(toWire) }
    },

    isOurs({ head, mac }) {
      const given = Buffer.from(mac, 'base64url')
      return keys.some((key) => {
        const expected = macOf(key, head)
        return given.length === expected.length && timingSafeEqual(given, expected)
      })
    },
  }
}

function macOf(key: KeyObject, head: string): Buffer {
  return createHmac('sha256', key).update(head).digest()
}

function encode(chain: Uint8Array): string {
  return Buffer.from(chain).toString('base64url')
}
