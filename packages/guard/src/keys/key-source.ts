import { randomBytes } from 'node:crypto'

import { createKeySet, type KeySet } from '@countersign/jwt'

import type { GuardSettings } from '../guard-options.ts'
import { JwksClient } from './jwks-client.ts'
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
  })
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
  let waiting: (() => void)[] = []
  const wake = (): void => {
    for (const each of waiting.splice(0)) each()
  }
  const feed = new RevocationFeed({
    ...settings,
    nonce: () => randomBytes(16).toString('base64url'),
    onKeys: (published) => {
      keys = own === undefined ? published : withoutKilled(own, feed)
    },
  })
  const client = new FeedConnection(feed, {
    ...settings,
    connection,
    guardId: randomBytes(16).toString('base64url'),
    onMessage: () => {
      changed()
      if (feed.lease.ageMs() !== Infinity) wake()
    },
    onFault: (fault) => {
      wake()
      quietly(() => settings.onFeedError(fault))
    },
  })

  function load(): Promise<void> | undefined {
    client.start()
    // While the connection is known to be down, callers get their answer without waiting.
    if (feed.lease.ageMs() !== Infinity || client.fault !== undefined) return undefined
    return new Promise((resolve) => {
      const timer = setTimeout(done, settings.fetchTimeoutMs)
      waiting.push(done)
      function done(): void {
        clearTimeout(timer)
        waiting = waiting.filter((each) => each !== done)
        resolve()
      }
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
      return client.fault
    },
    start: () => client.start(),
    load,
    // The feed pushes all keys, so an unknown key cannot be fetched.
    loadForUnknownKey: () => undefined,
    onChange: (call) => (changed = call),
    close: () => {
      client.close()
      wake()
    },
  }
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
