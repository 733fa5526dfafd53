import { parseJsonStrict, verifyJws, type KeySet } from '@countersign/jwt'

import { isEntry, isPosition, type RevocationEntry } from './entry.ts'

/** `typ` of a signed batch. Each kind of JWT has its own. */
export const BATCH_TYP = 'revlog+jwt'

/** An entry on the wire: position, kind, subject, 1 for hard, milliseconds since 1970. */
export type WireEntry = readonly [number, string, string, 0 | 1, number]

/**
 * Entries that follow each other, as they travel. `head` is a JWT over where they begin and end and the
 * chain values there, which bind each entry; it is signed once for all guards. `mac` is the authority's own
 * over `head`: by it a guard can hand a batch back to an authority that has lost it, without being trusted.
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
  /** Seconds since 1970, for people: what a batch says depends on no clock. */
  readonly iat: number
  /** The position that the batch follows, and the chain value there, base64url. */
  readonly after: number
  readonly prev: string
  /** The position of the last entry, and the chain value there; those of `after` when there is none. */
  readonly last: number
  readonly chain: string
}

/** A batch whose signature is right and whose entries are well-formed. The chain is not followed yet. */
export interface OpenedBatch {
  readonly claims: BatchClaims
  readonly entries: readonly RevocationEntry[]
  /** The key that has signed it. */
  readonly kid: string | undefined
}

/** Opens a batch, or gives undefined for one that was not signed by these keys or is malformed. */
export type BatchOpener = (batch: WireBatch) => OpenedBatch | undefined

/** Makes the opener for one issuer's keys; a revoked key must not be among them. */
export function createBatchOpener(keys: KeySet, issuer: string): BatchOpener {
  return ({ head, entries }) => {
    const opened = openHead(head, keys)
    if (opened?.claims.iss !== issuer) return undefined
    const read = entries.map(fromWire)
    return read.every((entry) => entry !== undefined) ? { ...opened, entries: read } : undefined
  }
}

/** Who a batch says it is of, where these keys have signed it: to tell an operator why it is not opened. */
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

/** An entry as it travels. */
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
