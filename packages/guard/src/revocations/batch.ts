import { parseJsonStrict, verifyJws, type KeySet } from '@countersign/jwt'

import { isEntry, isPosition, type RevocationEntry } from './entry.ts'

/** The `typ` of a signed batch. Each kind of JWT has its own. */
export const BATCH_TYP = 'revlog+jwt'

/** An entry as it is sent: position, kind, subject, 1 for hard or 0 for soft, milliseconds since 1970. */
export type WireEntry = readonly [number, string, string, 0 | 1, number]

/**
 * Consecutive entries as they are sent. `head` is a JWT that contains the positions where the entries begin
 * and end, and the chain values there. The chain values bind each entry, so `head` is signed once for all
 * guards. `mac` is the authority's own MAC over `head`. It lets a guard return a batch to an authority that
 * has lost it, although the authority does not trust the guard.
 */
export interface WireBatch {
  readonly head: string
  /** base64url. */
  readonly mac: string
  readonly entries: readonly WireEntry[]
}

/** The claims of `head`. */
export interface BatchClaims {
  readonly iss: string
  /** Seconds since 1970, for people. No decision depends on it. */
  readonly iat: number
  /** The position before the first entry. `prev` is the chain value there, as base64url. */
  readonly after: number
  readonly prev: string
  /**
   * The position of the last entry. `chain` is the chain value there. If the batch has no entries, both equal
   * those of `after`.
   */
  readonly last: number
  readonly chain: string
}

/** A batch with a valid signature and well-formed entries. Its chain values were not computed yet. */
export interface OpenedBatch {
  readonly claims: BatchClaims
  readonly entries: readonly RevocationEntry[]
  /** The key that signed the batch. */
  readonly kid: string | undefined
}

/** Opens a batch. Returns undefined for a batch that these keys did not sign, or that is malformed. */
export type BatchOpener = (batch: WireBatch) => OpenedBatch | undefined

/** Makes the opener for one issuer's keys. They must not include a revoked key. */
export function createBatchOpener(keys: KeySet, issuer: string): BatchOpener {
  return ({ head, entries }) => {
    const opened = openHead(head, keys)
    if (opened?.claims.iss !== issuer) return undefined
    const read = entries.map(fromWire)
    return read.every((entry) => entry !== undefined) ? { ...opened, entries: read } : undefined
  }
}

/**
 * Returns the issuer that a batch names, if one of these keys signed it. Used to tell an operator why the
 * batch was refused.
 */
export function issuerOfBatch({ head }: WireBatch, keys: KeySet): string | undefined {
  return openHead(head, keys)?.claims.iss
}

function openHead(head: string, keys: KeySet): Omit<OpenedBatch, 'entries'> | undefined {
  const result = verifyJws(head, keys, { typ: BATCH_TYP })
  const claims = result.ok ? readClaims(result.payload) : undefined
  return result.ok && claims !== undefined ? { claims, kid: result.header.kid } : undefined
}

function readClaims(payload: Uint8Array): BatchClaims | undefined {
  const result = parseJsonStrict(Buffer.from(payload).toString())
  if (!result.ok || typeof result.value !== 'object' || result.value === null) return undefined
  const claims: Partial<Record<keyof BatchClaims, unknown>> = result.value
  return areBatchClaims(claims) ? claims : undefined
}

function areBatchClaims(
  claims: Partial<Record<keyof BatchClaims, unknown>>,
): claims is BatchClaims & Record<keyof BatchClaims, unknown> {
  const { iss, iat, after, last, prev, chain } = claims
  return (
    typeof iss === 'string' &&
    isPosition(iat) &&
    isPosition(after) &&
    isPosition(last) &&
    last >= after &&
    isChain(prev) &&
    isChain(chain)
  )
}

/** Whether a value can be a chain value: 32 bytes as base64url. */
export function isChain(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value)
}

/** Converts an entry to the form in which it is sent. */
export function toWire({ position, kind, subject, strength, at }: RevocationEntry): WireEntry {
  return [position, kind, subject, strength === 'hard' ? 1 : 0, at]
}

function fromWire(wire: unknown): RevocationEntry | undefined {
  if (!Array.isArray(wire) || wire.length !== 5) return undefined
  const [position, kind, subject, hard, at]: unknown[] = wire
  if (hard !== 0 && hard !== 1) return undefined
  const entry = { position, kind, subject, strength: hard === 1 ? 'hard' : 'soft', at }
  return isEntry(entry) ? entry : undefined
}
