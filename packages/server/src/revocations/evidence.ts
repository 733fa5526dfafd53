import {
  chainValue,
  follows,
  type BatchOpener,
  type LogHead,
  type OpenedBatch,
  type RevocationLog,
  type WireBatch,
} from '@countersign/guard/revocations'

import type { LossEvidence } from '../store/repair.ts'
import type { Revocation } from '../store/rows.ts'
import type { BatchSealer } from './seal-batch.ts'

/** The keys and values that prove that the authority made a batch. */
export interface Proof {
  readonly open: BatchOpener
  readonly sealer: Pick<BatchSealer, 'isOurs'>
  /** Lets other work run. Called between slices. */
  readonly pause: () => Promise<void>
  /** The authority's copy of the log. Batches that end at one of its positions need not be opened. */
  readonly log?: RevocationLog
}

/**
 * Returns the head at which the newest batch of evidence ends. Returns undefined if the authority did not
 * make that batch.
 */
export function tipOfEvidence(
  batches: readonly WireBatch[],
  proof: Pick<Proof, 'open' | 'sealer'>,
): LogHead | undefined {
  const newest = batches.at(-1)
  const opened = newest !== undefined && proof.sealer.isOurs(newest) && proof.open(newest)
  if (!opened) return undefined
  return { position: opened.claims.last, chain: decode(opened.claims.chain) }
}

/**
 * Reads the batches that a guard hands back, the oldest first. It accepts only batches that an unrevoked key
 * signed and that carry the authority's HMAC. So neither a guard nor the thief of a signing key can make the
 * authority accept other entries. Returns undefined if no batch is accepted.
 */
export async function readEvidence(
  batches: readonly WireBatch[],
  proof: Proof,
): Promise<LossEvidence | undefined> {
  const slice = createSlice(proof.pause)
  const opened: OpenedBatch[] = []
  // Reads from the newest batch backwards. The contiguous part ends at the first batch that does not fit.
  for (const batch of batches.toReversed()) {
    const result = proof.sealer.isOurs(batch) ? proof.open(batch) : undefined
    const next = opened.at(-1)?.claims
    const fits =
      result !== undefined &&
      (next === undefined ||
        // An empty batch ends where it begins, so any number of copies would fit.
        (result.claims.after < next.after &&
          result.claims.last === next.after &&
          result.claims.chain === next.prev))
    if (!fits) break
    opened.push(result)
    if (isHeld(result, proof.log)) break
    await slice(COST_OF_BATCH + batch.entries.length)
  }
  return compute(opened.toReversed(), slice)
}

/** The work of a slice, in entries: about 5 ms. A signature costs as much as some entries. */
const SLICE_COST = 2_000
const COST_OF_BATCH = 100

/** Returns a function that is called after each piece of work with its cost, and pauses when a slice is full. */
function createSlice(pause: () => Promise<void>): (cost: number) => Promise<void> {
  let done = 0
  return async (cost) => {
    done += cost
    if (done < SLICE_COST) return
    done = 0
    await pause()
  }
}

function isHeld({ claims }: OpenedBatch, log: RevocationLog | undefined): boolean {
  const own = log?.chainAt(claims.after)
  return own !== undefined && encode(own) === claims.prev
}

async function compute(
  run: readonly OpenedBatch[],
  slice: (cost: number) => Promise<void>,
): Promise<LossEvidence | undefined> {
  const [oldest] = run
  const newest = run.at(-1)
  if (oldest === undefined || newest === undefined) return undefined
  const start: LogHead = { position: oldest.claims.after, chain: decode(oldest.claims.prev) }
  const entries: Revocation[] = []
  let tip = start
  for (const batch of run) {
    for (const entry of batch.entries) {
      if (!follows(entry, tip.position)) return undefined
      tip = { position: entry.position, chain: chainValue(tip.chain, entry) }
      entries.push({ ...entry, chain: tip.chain })
    }
    if (encode(tip.chain) !== batch.claims.chain || tip.position !== batch.claims.last) {
      return undefined
    }
    await slice(batch.entries.length)
  }
  return { start, entries, tip, signedAt: newest.claims.iat * 1000 }
}

function encode(chain: Uint8Array): string {
  return Buffer.from(chain).toString('base64url')
}

function decode(chain: string): Uint8Array {
  return Buffer.from(chain, 'base64url')
}
