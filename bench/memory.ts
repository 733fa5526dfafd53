import { execFileSync } from 'node:child_process'

import { RevocationLog } from '../packages/guard/src/revocations/log.ts'
import { chainValue, type RevocationEntry } from '../packages/guard/src/revocations/entry.ts'
import { report, round, type Row } from './lib/report.ts'
import { median } from './lib/statistics.ts'

/**
 * Measures the revocation log in the memory of a guard, with 1 thousand to 10 million entries, each for
 * another session. It measures the bytes of its tables, the memory of the process, and look-ups that hit or
 * miss. Entries arrive in batches of 50, spread over the time that they are kept, as in a guard. The bare
 * read is a random read from an array of the same size, at an index that the previous read returned. No
 * look-up in a table of that size can be faster.
 */

const BATCH = 50
const RETAIN_MS = 360_000
const LOOKUPS = 500_000
const CHUNK = 1_000
const ROUNDS = 5
const MIB = 2 ** 20
/** How many bytes the processor's cache loads at once. */
const LINE_BYTES = 64
const LINE_WORDS = LINE_BYTES / Uint32Array.BYTES_PER_ELEMENT

/** With this setting, glibc requests pages of 2 MiB if the system provides them on request. */
const HUGE_PAGES = 'glibc.malloc.hugetlb=1'

const [mode = ''] = process.argv.slice(2)
if (mode === '--row') {
  process.stdout.write(JSON.stringify(measure(10_000_000, 'huge')))
} else {
  const quick = mode === '--quick'
  const sizes = [1_000, 10_000, 100_000, 1_000_000, ...(quick ? [] : [10_000_000])]
  const rows = sizes.map((entries) => measure(entries, 'as they come'))
  const last = rows.at(-1)
  const huge = quick ? undefined : measureWithHugePages()
  if (huge !== undefined) rows.push(huge)
  report('memory', rows, {
    revocation_lookup_hit_ns: Number(last?.['hit_ns']),
    revocation_lookup_miss_ns: Number(last?.['miss_ns']),
    revocation_bare_read_ns: Number(last?.['bare_read_ns']),
    ...(huge === undefined
      ? {}
      : {
          revocation_lookup_hit_huge_pages_ns: Number(huge['hit_ns']),
          revocation_lookup_miss_huge_pages_ns: Number(huge['miss_ns']),
          revocation_peak_mib_10m: Number(last?.['peak_rss_mib']),
          revocation_mib_10m: Number(last?.['tables_mib']),
        }),
  })
}

function measureWithHugePages(): Row {
  const env = { ...process.env, GLIBC_TUNABLES: HUGE_PAGES }
  const text = execFileSync(process.execPath, [import.meta.filename, '--row'], { env })
  return JSON.parse(text.toString()) as Row
}

function measure(entries: number, pages: string): Row {
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const started = performance.now()
  let peak = 0
  const log = new RevocationLog({ position: 0, chain: Buffer.alloc(32) }, { retainMs: RETAIN_MS })
  for (let from = 0; from < entries; from += BATCH) {
    const count = Math.min(BATCH, entries - from)
    const batch = Array.from({ length: count }, (_, n) => entryAt(from + n + 1))
    const chain = batch.reduce<Uint8Array>((value, entry) => chainValue(value, entry), log.chain)
    log.apply(batch, chain, (from / entries) * (RETAIN_MS - 1))
    if (from % 50_000 === 0) peak = Math.max(peak, process.memoryUsage().rss)
  }
  const buildSec = (performance.now() - started) / 1000
  const { bytes } = log.size
  return {
    pages,
    entries,
    tables_mib: round(bytes / MIB),
    bytes_per_entry: round(bytes / entries),
    peak_rss_mib: round((Math.max(peak, process.memoryUsage().rss) - before) / MIB),
    hit_ns: round(lookUp(log, entries, 0)),
    miss_ns: round(lookUp(log, entries, entries)),
    bare_read_ns: round(readAtRandom(bytes)),
    build_s: round(buildSec),
  }
}

/**
 * Returns the median of several rounds of random look-ups, in nanoseconds for each. The subjects are texts
 * that were just parsed, like the claims of a token. The larger a table, the less of it is in the cache.
 */
function lookUp(log: RevocationLog, entries: number, offset: number): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    let [elapsed, found] = [0, 0]
    for (let done = 0; done < LOOKUPS; done += CHUNK) {
      const subjects = Array.from({ length: CHUNK }, () =>
        claimOf(subjectAt(offset + 1 + Math.floor(Math.random() * entries))),
      )
      const started = performance.now()
      for (const subject of subjects) if (log.find('session', subject) !== 0) found += 1
      elapsed += performance.now() - started
    }
    if (found !== (offset === 0 ? LOOKUPS : 0)) {
      throw new Error(`${found} of ${LOOKUPS} look-ups found something`)
    }
    return (elapsed * 1e6) / LOOKUPS
  })
  return median(rounds)
}

/**
 * Returns the median of several rounds of reads, in nanoseconds for each. Each read waits for the previous
 * one.
 */
function readAtRandom(bytes: number): number {
  const lines = Math.floor(bytes / LINE_BYTES)
  const order = Uint32Array.from({ length: lines }, (_, line) => line)
  for (let at = lines - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1))
    const held = order[at] ?? 0
    order[at] = order[other] ?? 0
    order[other] = held
  }
  const next = new Uint32Array(lines * LINE_WORDS)
  for (const [index, line] of order.entries()) {
    next[line * LINE_WORDS] = (order[(index + 1) % lines] ?? 0) * LINE_WORDS
  }
  let at = 0
  const rounds = Array.from({ length: ROUNDS }, () => {
    const started = performance.now()
    for (let done = 0; done < LOOKUPS; done++) at = next[at] ?? 0
    return ((performance.now() - started) * 1e6) / LOOKUPS
  })
  if (at % LINE_WORDS !== 0) throw new Error('a read went astray')
  return median(rounds)
}

function entryAt(position: number): RevocationEntry {
  return { position, kind: 'session', subject: subjectAt(position), strength: 'hard', at: 0 }
}

/** Returns a text that JSON.parse has just read, like the claims of a token. */
function claimOf(text: string): string {
  return (JSON.parse(`{"sid":"${text}"}`) as { readonly sid: string }).sid
}

/** Returns a subject as long as a real `sid`. */
function subjectAt(n: number): string {
  return n.toString(36).padStart(22, '0')
}
