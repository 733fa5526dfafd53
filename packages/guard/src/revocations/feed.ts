import { createKeySet, readJwks, type KeySet, type SkippedKey } from '@countersign/jwt'

import { createBatchOpener, issuerOfBatch, type BatchOpener, type WireBatch } from './batch.ts'
import { ClockWatch } from './clock-watch.ts'
import { isSameChain, type LogHead, type RevocationEntry } from './entry.ts'
import { Lease, type EchoOutcome, type LeaseClocks } from './lease.ts'
import { RevocationLog } from './log.ts'
import { parseAuthorityMessage, type AuthorityMessage, type GuardMessage } from './messages.ts'
import { RetainedBatches } from './retained.ts'

/** Why a connection to the authority is closed and opened again. */
export type FeedFaultCode =
  | 'feed_malformed'
  | 'feed_keys_missing'
  | 'feed_batch_refused'
  | 'feed_issuer_differs'
  | 'feed_batch_gap'
  | 'feed_chain_differs'
  | 'feed_went_backwards'

/** The options of a `RevocationFeed`. */
export interface FeedOptions extends LeaseClocks {
  readonly issuer: string
  /** Makes a nonce that nobody can guess: 16 to 64 characters of base64url. */
  readonly nonce: () => string
  /** Keys that verify batches, instead of those that the feed sends. For simulations that publish no keys. */
  readonly batchKeys?: KeySet
  /** Called with the current keys whenever they may have changed. */
  readonly onKeys?: (keys: KeySet) => void
  /** Called with the published keys that cannot be used. */
  readonly onSkipped?: (skipped: readonly SkippedKey[]) => void
  /** How far the clocks may differ without a report, in seconds. Default 0. */
  readonly toleranceSec?: number
  /**
   * Called when the clocks begin to differ by more, with the milliseconds by which the authority's clock is
   * ahead.
   */
  readonly onClock?: (differenceMs: number) => void
}

/** The result of a message: the replies to send, or the reason to open a new connection. */
export type FeedStep =
  | { readonly ok: true; readonly replies: readonly GuardMessage[] }
  | { readonly ok: false; readonly code: FeedFaultCode; readonly detail?: string }

/**
 * The guard's side of the revocation feed, without the connection. It receives messages, keeps the log, the
 * lease, the keys and the roles, and returns the replies. It uses no socket and no timer, so that a whole
 * network of guards can be simulated.
 *
 * Its state never goes backwards. It ignores a snapshot below its position. An echo below its position renews
 * no lease.
 */
export class RevocationFeed {
  readonly lease: Lease
  readonly clock: ClockWatch
  readonly #options: FeedOptions
  readonly #killed = new Set<string>()
  #pending: ReadonlySet<string> = new Set()
  /**
   * The `kid` of every key that was seen since the log began. An authority that publishes none of them is a
   * different authority.
   */
  readonly #kidsSeen = new Set<string>()
  readonly #retained: RetainedBatches
  #log: RevocationLog | undefined
  /** An incomplete snapshot. The previous log is in force until it is complete. */
  #incoming: { readonly log: RevocationLog; readonly until: number } | undefined
  #keys: KeySet | undefined
  #open: BatchOpener | undefined
  #roles: Readonly<Record<string, readonly string[]>> = {}
  #tags: RevocationFeed['tags'] = { keys: undefined, roles: undefined }
  #confirm: number | undefined
  #askEveryMs: number = ASK_EVERY_MS.least
  #evidenceAt = -Infinity

  constructor(options: FeedOptions) {
    this.#options = options
    this.lease = new Lease(options, options.nonce)
    const { toleranceSec = 0, onClock = () => {} } = options
    this.clock = new ClockWatch(toleranceSec * 1000, onClock)
    this.#retained = new RetainedBatches(options.elapsed)
  }

  /** The copy of the log; undefined until the first snapshot is complete. */
  get log(): RevocationLog | undefined {
    return this.#log
  }

  /** The tags of the keys and roles that were received last. A polling guard sends them with each poll. */
  get tags(): { readonly keys: string | undefined; readonly roles: string | undefined } {
    return this.#tags
  }

  /** How often to ask for an echo, in milliseconds. The authority sets it, within bounds. */
  get askEveryMs(): number {
    return this.#askEveryMs
  }

  /** The permissions of each role. Empty before the authority has sent them. */
  get roles(): Readonly<Record<string, readonly string[]>> {
    return this.#roles
  }

  /** Whether a key was revoked. Nothing that it ever signed is accepted. */
  isKilled(kid: string): boolean {
    return this.#killed.has(kid)
  }

  /** Whether a key is published ahead of its use. Nothing that it signs is accepted yet. */
  isPending(kid: string): boolean {
    return this.#pending.has(kid)
  }

  /** Returns the first message of a new connection. An interrupted snapshot continues where it stopped. */
  opened(): GuardMessage {
    this.lease.forgetAsked()
    const log = this.#incoming?.log ?? this.#log
    if (log === undefined) return { type: 'resume' }
    const handed = this.#options.elapsed() - this.#evidenceAt < EVIDENCE_EVERY_MS
    return { type: 'resume', position: log.position, chain: encode(log.chain), handed }
  }

  /** Returns a request for an echo. Call it every `askEveryMs` while connected, and at no other time. */
  ask(): GuardMessage {
    this.#log?.tick(this.#options.elapsed())
    const clock = Math.max(0, Math.round(this.#options.clock()))
    return { type: 'nonce', nonce: this.lease.ask(), applied: this.#log?.position ?? 0, clock }
  }

  /** Returns the last message of a guard that is closed. Drops the lease, so the guard accepts no more tokens. */
  closed(): GuardMessage {
    this.lease.drop()
    return { type: 'bye' }
  }

  /** Handles a message of the authority. */
  receive(text: string): FeedStep {
    const message = parseAuthorityMessage(text)
    return message === undefined ? fail('feed_malformed') : this.take(message)
  }

  /** Handles a message that was already parsed. */
  take(message: AuthorityMessage): FeedStep {
    switch (message.type) {
      case 'keys':
        return this.#takeKeys(message)
      case 'roles':
        this.#roles = message.roles
        this.#tags = { ...this.#tags, roles: message.tag }
        return NOTHING
      case 'resumed':
        this.#log?.retain(message.retain_ms)
        return NOTHING
      case 'snapshot':
        return this.#takeSnapshot(message)
      case 'batch':
        return this.#takeBatch(message)
      case 'echo':
        return this.#takeEcho(message)
      case 'unknown':
        return { ok: true, replies: this.#evidence() }
      case 'confirm':
        return this.#takeConfirm(message.position)
    }
  }

  #takeKeys({
    jwks,
    killed,
    pending = [],
    tag,
  }: Extract<AuthorityMessage, { type: 'keys' }>): FeedStep {
    const before = this.#killed.size
    for (const kid of killed) this.#killed.add(kid)
    // Nothing changed, so the verifier keeps its cache.
    if (tag === this.#tags.keys && this.#killed.size === before) return NOTHING
    const read = readJwks(jwks)
    const keys = this.#options.batchKeys ?? read?.keys
    if (keys === undefined || keys.keys.length === 0) {
      // The revoked keys must be removed even if the message is malformed.
      if (this.#keys !== undefined) this.#setKeys(this.#keys)
      return fail('feed_malformed')
    }
    if (this.#isOther(keys)) this.#forgetLog()
    this.#pending = new Set(pending)
    this.#setKeys(keys)
    this.#tags = { ...this.#tags, keys: tag }
    this.#options.onSkipped?.(read?.skipped ?? [])
    return NOTHING
  }

  // An authority that publishes none of our keys has lost everything, or was set up again. All earlier tokens
  // are signed by keys that it does not publish, so nothing that was revoked becomes valid again.
  #isOther({ keys }: KeySet): boolean {
    return this.#kidsSeen.size > 0 && !keys.some(({ kid }) => this.#kidsSeen.has(kid ?? ''))
  }

  #forgetLog(): void {
    this.#log = undefined
    this.#incoming = undefined
    this.#kidsSeen.clear()
    this.#retained.clear()
    this.lease.drop()
  }

  #setKeys(all: KeySet): void {
    const keys = createKeySet(all.keys.filter(({ kid = '' }) => !this.#killed.has(kid)))
    for (const { kid = '' } of all.keys) this.#kidsSeen.add(kid)
    this.#keys = keys
    this.#open = createBatchOpener(keys, this.#options.issuer)
    this.#options.onKeys?.(keys)
  }

  #takeSnapshot(message: Extract<AuthorityMessage, { type: 'snapshot' }>): FeedStep {
    const proof = this.#open?.(message.proof)
    if (proof === undefined) return this.#refuse(message.proof)
    const { after, last, chain } = proof.claims
    if (after !== message.floor || last !== message.floor || chain !== message.chain) {
      return fail('feed_batch_refused')
    }
    if (this.#log !== undefined && message.position < this.#log.position) {
      return fail('feed_went_backwards')
    }
    const start: LogHead = { position: message.floor, chain: decode(message.chain) }
    this.#incoming = {
      log: new RevocationLog(start, { retainMs: message.retain_ms }),
      until: message.position,
    }
    this.#retained.clear()
    this.#retained.add(message.proof)
    return this.#finishSnapshot()
  }

  #takeBatch(batch: WireBatch): FeedStep {
    const target = this.#incoming?.log ?? this.#log
    if (this.#open === undefined) return fail('feed_keys_missing')
    if (target === undefined) return fail('feed_batch_gap')
    const opened = this.#open(batch)
    if (opened === undefined) return this.#refuse(batch)
    const { after, prev, last, chain } = opened.claims
    if (last <= target.position) return NOTHING // A batch that was sent twice is already applied.
    if (after !== target.position) return fail('feed_batch_gap')
    if (prev !== encode(target.chain)) return fail('feed_chain_differs')
    const fault = target.apply(opened.entries, decode(chain), this.#options.elapsed())
    if (fault !== undefined) return fail('feed_chain_differs')
    this.#retained.add({ head: batch.head, mac: batch.mac, entries: batch.entries })
    this.#takeKills(opened.entries)
    return this.#incoming === undefined ? this.#moved() : this.#finishSnapshot()
  }

  // The usual cause is an address that is right but has another name, such as 127.0.0.1 for localhost.
  #refuse(batch: WireBatch): FeedStep {
    if (this.#keys === undefined) return fail('feed_keys_missing')
    const named = issuerOfBatch(batch, this.#keys)
    const { issuer } = this.#options
    if (named === undefined || named === issuer) return fail('feed_batch_refused')
    const detail = `the authority is ${JSON.stringify(named)}, the option issuer is ${JSON.stringify(issuer)}`
    return { ok: false, code: 'feed_issuer_differs', detail }
  }

  #takeKills(entries: readonly RevocationEntry[]): void {
    const before = this.#killed.size
    for (const { kind, subject } of entries) if (kind === 'key') this.#killed.add(subject)
    if (this.#killed.size > before && this.#keys !== undefined) this.#setKeys(this.#keys)
  }

  #finishSnapshot(): FeedStep {
    const incoming = this.#incoming
    if (incoming === undefined || incoming.log.position < incoming.until) return NOTHING
    const held = this.#log
    const isFork =
      held?.position === incoming.log.position && !isSameChain(held.chain, incoming.log.chain)
    if (isFork) return fail('feed_went_backwards')
    this.#incoming = undefined
    this.#log = incoming.log
    return this.#moved()
  }

  #moved(): FeedStep {
    const log = this.#log
    if (log === undefined) return NOTHING
    const outcome = this.lease.applied(log.position, (position) => log.chainAt(position))
    const replies = outcome === 'off_chain' ? this.#evidence() : []
    if (this.#confirm !== undefined && log.position >= this.#confirm) {
      this.#confirm = undefined
      replies.push({ type: 'applied', position: log.position })
    }
    return { ok: true, replies }
  }

  #takeEcho(echo: Extract<AuthorityMessage, { type: 'echo' }>): FeedStep {
    const { nonce, position, chain, ask_ms: askMs = ASK_EVERY_MS.least } = echo
    this.#askEveryMs = Math.min(ASK_EVERY_MS.most, Math.max(ASK_EVERY_MS.least, askMs))
    this.#noteClock(echo)
    const head: LogHead = { position, chain: decode(chain) }
    const held = this.#log ?? NOTHING_HELD
    const outcome = this.lease.echo(nonce, head, held)
    return this.#isEvidenceOfLoss(outcome, head) ? { ok: true, replies: this.#evidence() } : NOTHING
  }

  #noteClock({ nonce, at }: Extract<AuthorityMessage, { type: 'echo' }>): void {
    const sentAt = this.lease.sentAt(nonce)
    if (at === undefined || sentAt === undefined) return
    this.clock.note({ sentAt, at, receivedAt: this.#options.clock() })
  }

  // A node that only lags is on our chain. Any other node behind us has lost entries.
  #isEvidenceOfLoss(outcome: EchoOutcome, head: LogHead): boolean {
    if (outcome === 'off_chain') return true
    if (outcome !== 'behind') return false
    return !isSameChain(this.#log?.chainAt(head.position), head.chain)
  }

  // Every echo shows the loss again until the authority has repaired it.
  #evidence(): GuardMessage[] {
    const now = this.#options.elapsed()
    if (now - this.#evidenceAt < EVIDENCE_EVERY_MS) return []
    this.#evidenceAt = now
    return [{ type: 'evidence', batches: this.#retained.list() }]
  }

  #takeConfirm(position: number): FeedStep {
    const log = this.#log
    if (log !== undefined && log.position >= position) {
      return reply({ type: 'applied', position: log.position })
    }
    this.#confirm = Math.max(this.#confirm ?? 0, position)
    return NOTHING
  }
}

/**
 * The bounds of `askEveryMs`, in milliseconds. A lease is about this old, so half of the 3 s of strict routes
 * stays for the network.
 */
const ASK_EVERY_MS = { least: 500, most: 1_500 } as const
const EVIDENCE_EVERY_MS = 5_000
const NOTHING: FeedStep = { ok: true, replies: [] }
const NOTHING_HELD: LogHead = { position: -1, chain: new Uint8Array() }

function reply(message: GuardMessage): FeedStep {
  return { ok: true, replies: [message] }
}

function fail(code: FeedFaultCode): FeedStep {
  return { ok: false, code }
}

function encode(chain: Uint8Array): string {
  return Buffer.from(chain).toString('base64url')
}

function decode(chain: string): Uint8Array {
  return Buffer.from(chain, 'base64url')
}
