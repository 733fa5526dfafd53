import type { ValidityMs } from './claims.ts'

/**
 * How many entries share one place in the table. It is also the smallest size of a table. With four, a table
 * that is a quarter full already has places with five tokens, and each fifth token evicts another. With
 * eight, hardly any place overflows.
 */
export const WAYS = 8

/** The largest number of entries of a cache: about 1 GB of ordinary access tokens. */
export const CACHE_ENTRIES_MAX = 1_048_576

/**
 * Remembers the results for whole tokens. Each verifier has its own cache, so keys of other verifiers do not
 * matter.
 */
export interface TokenCache<Entry> {
  /** Returns the entry of exactly this token if `now` (milliseconds since 1970) is within its validity. */
  timely(token: string, now: number): Entry | undefined
  /** Returns the entry of exactly this token, whatever the time. */
  find(token: string): Entry | undefined
  /** Stores a token that was just verified. It may evict an older one of the same place. */
  add(token: string, entry: Entry, validity: ValidityMs, now: number): void
}

/**
 * Makes a table of at most `entriesMax` tokens, 8 or more, rounded down to eight times a power of two. It
 * never grows. Memory is bounded by that many tokens of 8 KiB with their claims. An access token of ten
 * claims takes about 1 kB.
 *
 * A hash of characters of the signature selects the place, so V8 need not hash each whole new string, as it
 * must for a `Map`. The hash decides nothing: `===` on the whole token does. Nobody can choose the place of a
 * token without the signing key. Somebody with many valid tokens can at most evict the eight of one place.
 * Comparing the text of a guessed signature could reveal by its time how much of it was right. That
 * comparison happens only if the guess matches all 32 bits of the hash.
 */
export function createTokenCache<Entry extends { readonly ok: true }>(
  entriesMax: number,
): TokenCache<Entry> {
  const places = 2 ** Math.floor(Math.log2(entriesMax / WAYS))
  const size = places * WAYS
  const tags = new Int32Array(size)
  const tokens = Array.from<string | undefined>({ length: size }).fill(undefined)
  const entries = Array.from<Entry | undefined>({ length: size }).fill(undefined)
  // The start and end of each slot's validity are adjacent, so that a hit reads them from one cache line.
  const timesMs = new Float64Array(2 * size)
  const oldest = new Uint8Array(places)

  // A busy server has evicted these lines from the processor's cache between two requests for the same token.
  // So all of them are read before the token is compared: the processor then fetches them at once, not in
  // turn.
  function timely(token: string, now: number): Entry | undefined {
    const tag = tagOf(token)
    const first = (tag & (places - 1)) * WAYS
    for (let slot = first; slot < first + WAYS; slot++) {
      if (tags[slot] !== tag) continue
      const entry = entries[slot]
      const isTimely = now >= (timesMs[2 * slot] ?? Infinity) && now < (timesMs[2 * slot + 1] ?? 0)
      if (isTimely && entry?.ok === true && tokens[slot] === token) return entry
    }
    return undefined
  }

  function find(token: string): Entry | undefined {
    const tag = tagOf(token)
    const first = (tag & (places - 1)) * WAYS
    for (let slot = first; slot < first + WAYS; slot++) {
      if (tags[slot] === tag && tokens[slot] === token) return entries[slot]
    }
    return undefined
  }

  // Returns a slot that is free or whose token has expired, otherwise the one that was filled first.
  function slotFor(place: number, now: number): number {
    const first = place * WAYS
    for (let slot = first; slot < first + WAYS; slot++) {
      if (tokens[slot] === undefined || (timesMs[2 * slot + 1] ?? 0) <= now) return slot
    }
    const turn = oldest[place] ?? 0
    oldest[place] = (turn + 1) % WAYS
    return first + turn
  }

  function add(token: string, entry: Entry, validity: ValidityMs, now: number): void {
    const tag = tagOf(token)
    const slot = slotFor(tag & (places - 1), now)
    tags[slot] = tag
    tokens[slot] = copyOf(token)
    entries[slot] = entry
    timesMs[2 * slot] = validity.fromMs
    timesMs[2 * slot + 1] = validity.untilMs
  }

  return { timely, find, add }
}

// FNV-1a over eight characters near the end of the signature: 48 bits of it. The last character is omitted,
// because in many signatures it carries only two or four bits.
function tagOf(token: string): number {
  const end = token.length - 1
  let tag = 0x811c9dc5
  for (let at = end - 8; at < end; at++) tag = Math.imul(tag ^ token.charCodeAt(at), 0x01000193)
  return (tag ^ (tag >>> 15)) | 0
}

// A token that is a slice of a request header keeps the whole header in memory. Only verified tokens, which
// are ASCII, reach this function.
function copyOf(token: string): string {
  return Buffer.from(token, 'latin1').toString('latin1')
}
