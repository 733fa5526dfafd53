import { randomBytes } from 'node:crypto'

import { createKeySet, type KeySet, type SkippedKey } from '@countersign/jwt'

import type { GuardSettings } from '../guard-options.ts'
import { JwksClient } from './jwks-client.ts'
import { skippedNotice } from './skipped-keys.ts'
import { ClockWatch, describeDifference } from '../revocations/clock-watch.ts'
import { FeedFault } from '../revocations/feed-fault.ts'
import { FeedConnection } from '../revocations/feed-connection.ts'
import { RevocationFeed } from '../revocations/feed.ts'

/**
 * Where a guard gets its keys: only from the published key set, or from the revocation feed, which sends
 * keys, roles and the log.
 */
export interface KeySource {
  /** The current keys; undefined if there are none. */
  readonly keys: KeySet | undefined
  readonly feed: RevocationFeed | undefined
  readonly isConnected: boolean
  /** Whole seconds, at least 1, after which a retry may succeed. */
  readonly retryAfterSec: number
  /** Why there are no keys or no lease, if that is known. */
  readonly fault: Error | undefined
  /** Starts loading or connecting, unless it has already started. */
  start(): void
  /** Starts loading, and resolves when loading has succeeded or failed. Undefined if it may not load now. */
  load(): Promise<void> | undefined
  /** Loads because of a token with an unknown key. */
  loadForUnknownKey(): Promise<void> | undefined
  /**
   * Waits for news because of a token whose key does not sign yet. The key may have become active this
   * moment.
   */
  loadForPendingKey(): Promise<void> | undefined
  /** Sets the function that is called whenever something may have changed. */
  onChange(changed: () => void): void
  close(): void
}

/** Gets keys from the published set (RFC 7517), or from the options. */
export function createJwksSource(settings: GuardSettings): KeySource {
  const client = new JwksClient({
    ...settings,
    url: settings.jwksUrl,
    onFault: (fault) => quietly(() => settings.onKeysError(fault)),
    onSkipped: noticeSkipped(settings),
    onClock: (reading) => clocks.note(reading),
  })
  const clocks = new ClockWatch(settings.toleranceSec * 1000, noticeClock(settings))
  const { keys } = settings
  return {
    get keys() {
      return keys ?? client.keys
    },
    feed: undefined,
    isConnected: false,
    get retryAfterSec() {
      return client.retryAfterSec
    },
    get fault() {
      return client.fault
    },
    start: () => {
      if (keys === undefined && client.keys === undefined) void client.load()
    },
    load: () => (keys === undefined ? client.load() : undefined),
    loadForUnknownKey: () => (keys === undefined ? client.loadForUnknownKey() : undefined),
    loadForPendingKey: () => undefined,
    onChange: () => {},
    close: () => client.close(),
  }
}

/**
 * Gets keys, roles and the log from the feed. Keys from the options verify tokens, but never messages of the
 * feed.
 */
export function createFeedSource(
  settings: GuardSettings,
  connection: NonNullable<GuardSettings['feed']>,
): KeySource {
  const own = settings.keys
  let keys = own
  let changed: () => void = () => {}
  let waiting: Waiting[] = []
  const wake = (): void => {
    for (const { done } of waiting.splice(0)) done()
  }
  const feed = new RevocationFeed({
    ...settings,
    nonce: () => randomBytes(16).toString('base64url'),
    onKeys: (published) => {
      keys = own === undefined ? published : withoutKilled(own, feed)
    },
    onSkipped: noticeSkipped(settings),
    onClock: noticeClock(settings),
  })
  const client = new FeedConnection(feed, {
    ...settings,
    connection,
    guardId: randomBytes(16).toString('base64url'),
    onMessage: () => {
      changed()
      for (const { isOver, done } of waiting) if (isOver()) done()
    },
    onFault: (fault) => {
      wake()
      quietly(() => settings.onFeedError(fault))
    },
  })

  let isClosed = false

  function load(): Promise<void> | undefined {
    if (isClosed) return undefined
    client.start()
    // While the connection is known to be down, callers get their answer without waiting.
    if (feed.lease.ageMs() !== Infinity || client.fault !== undefined) return undefined
    return wait(() => feed.lease.ageMs() !== Infinity, settings.fetchTimeoutMs)
  }

  function loadForPendingKey(): Promise<void> | undefined {
    if (isClosed || !client.isConnected) return undefined
    const since = settings.elapsed()
    const tag = feed.tags.keys
    client.askNow()
    const isOver = (): boolean => feed.lease.isProvedSince(since) || feed.tags.keys !== tag
    return wait(isOver, PENDING_KEY_WAIT_MS)
  }

  function wait(isOver: () => boolean, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const entry: Waiting = {
        isOver,
        done: () => {
          clearTimeout(timer)
          waiting = waiting.filter((each) => each !== entry)
          resolve()
        },
      }
      const timer = setTimeout(entry.done, timeoutMs)
      waiting.push(entry)
    })
  }

  return {
    get keys() {
      return keys
    },
    feed,
    get isConnected() {
      return client.isConnected
    },
    retryAfterSec: 1,
    get fault() {
      return client.fault ?? (feed.clock.isFarOff ? clockFault(feed.clock.differenceMs) : undefined)
    },
    start: () => client.start(),
    load,
    // The feed pushes all keys, so an unknown key cannot be fetched.
    loadForUnknownKey: () => undefined,
    loadForPendingKey,
    onChange: (call) => (changed = call),
    close: () => {
      isClosed = true
      client.close()
      wake()
    },
  }
}

/** A caller that waits for a message of the feed. */
interface Waiting {
  readonly isOver: () => boolean
  readonly done: () => void
}

/** An echo takes some milliseconds. This is for a network that is slow at the moment of a rotation. */
const PENDING_KEY_WAIT_MS = 2_000

function noticeClock(settings: GuardSettings): (differenceMs: number) => void {
  return (differenceMs) => quietly(() => settings.onNotice(clockNotice(settings, differenceMs)))
}

/** Reports each list of skipped keys once, not at every refresh. */
function noticeSkipped(settings: GuardSettings): (skipped: readonly SkippedKey[]) => void {
  const told = new Set<string>()
  return (skipped) => {
    const notice = skippedNotice(settings.issuer, skipped)
    if (notice === undefined || told.has(notice)) return
    told.add(notice)
    quietly(() => settings.onNotice(notice))
  }
}

function clockNotice({ issuer, toleranceSec }: GuardSettings, differenceMs: number): string {
  const how = describeDifference(differenceMs)
  return `The clock of this service is ${how} the clock of the authority ${issuer}. The option toleranceSec allows ${toleranceSec} s, so valid tokens may be rejected and expired tokens accepted. Synchronize both clocks with NTP.`
}

function clockFault(differenceMs: number): FeedFault {
  const cause = `this clock is ${describeDifference(differenceMs)} the clock of the authority`
  return new FeedFault('feed_clock_differs', { cause })
}

function withoutKilled({ keys }: KeySet, feed: RevocationFeed): KeySet {
  return createKeySet(keys.filter(({ kid = '' }) => !feed.isKilled(kid)))
}

// There is no caller to throw to. An error thrown from a timer would end the process.
function quietly(call: () => void): void {
  try {
    call()
  } catch {}
}
