import type { ValidityMs } from './claims.ts'

/**
 * Entries that share one place in the table, which are also the fewest that there can be. With four,
 * a table that is a quarter full already has places with five tokens, each of which pushes the next
 * one out; with eight, hardly any.
 */
export const WAYS = 8

/** Most entries that a cache may be given: about 1 GB of ordinary access tokens. */
export const CACHE_ENTRIES_MAX = 1_048_576

/** Remembers what was made of whole tokens. One for each verifier, so nobody else's keys matter. */
export interface TokenCache<Entry> {
  /** What was made of exactly this token, if `now` (milliseconds since 1970) is in its time. */
  timely(token: string, now: number): Entry | undefined
  /** The same at any time. */
  find(token: string): Entry | undefined
  /** Enters a token that has just been verified; an older one of the same place may go for it. */
  add(token: string, entry: Entry, validity: ValidityMs, now: number): void
}

/**
 * Makes a table of at most `entriesMax` tokens, 8 or more: rounded down to eight times a power of
 * two, and never grown. Memory is bounded by that many tokens of 8 KiB with their claims; an access
 * token of ten claims takes about 1 kB.
 *
 * A place is found by a hash of characters of the signature, so V8 need not hash the whole of each
 * new string as for a `Map`; that hash decides nothing, `===` on the whole token does. Without the
 * key nobody chooses where a token lands, and who holds many valid ones can do no more than push
 * out the eight of one place. A guessed signature reaches the comparison, whose time could tell how
 * much of it was right, only if it first meets all 32 bits of the hash.
 */
export function createTokenCache<Entry extends { readonly ok: true }>(
  entriesMax: number,
): TokenCache<Entry> {
  const places = 2 ** Math.floor(Math.log2(entriesMax / WAYS))
  const size = places * WAYS
  const tags = new Int32Array(size)
  const tokens = Array.from<string | undefined>({ length: size }).fill(undefined)
  const entries = Array.from<Entry | undefined>({ length: size }).fill(undefined)
  // From and until of each slot side by side: at a hit, both are in one line of the processor's cache.
  const timesMs = new Float64Array(2 * size)
  const oldest = new Uint8Array(places)

  // A server between two requests for a token has forgotten where all this lies. So everything is asked for
  // before the token is compared: the processor then waits for these lines of memory at once, not in turn.
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

  // A slot that is free or whose token has expired, else the one that was filled first.
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

// FNV-1a over eight characters near the end of the signature, 48 bits of it. The very last
// character is left out: of many signatures it holds only two or four bits.
function tagOf(token: string): number {
  const end = token.length - 1
  let tag = 0x811c9dc5
  for (let at = end - 8; at < end; at++) tag = Math.imul(tag ^ token.charCodeAt(at), 0x01000193)
  return (tag ^ (tag >>> 15)) | 0
}

// A token cut out of a request header keeps the whole header in memory for as long as it is kept
// itself. Only tokens that were verified, and so are ASCII, come here.
function copyOf(token: string): string {
  return Buffer.from(token, 'latin1').toString('latin1')
}
