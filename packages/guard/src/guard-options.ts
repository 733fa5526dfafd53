import type { JwksFault } from './jwks-fetch.ts'
import type { Refused } from './refusals.ts'
import { TOLERANCE_SEC_DEFAULT } from './access-token.ts'

/** What `createGuard` takes. Anything that is not as described throws a TypeError that names it. */
export interface GuardOptions {
  /**
   * URL of the authority, exactly as it stands in `iss`. https, or http on localhost, 127.0.0.1 or
   * [::1]; without query, fragment and credentials (RFC 8414 §2).
   */
  readonly issuer: string
  /** What must stand in `aud`: one of these, exactly. Default: the issuer, as the authority has it. */
  readonly audience?: string | readonly string[]
  /** Where the keys are, under the same rules as `issuer`. Default: its `/.well-known/jwks.json`. */
  readonly jwksUrl?: string
  /** How far clocks may differ, in seconds, 0 to 60. Default 5. */
  readonly toleranceSec?: number
  /** Time between two background refreshes of the keys, 1 000 to 86 400 000 ms. Default 5 min. */
  readonly refreshIntervalMs?: number
  /** Time for one fetch of the keys to its last byte, 50 to 60 000 ms. Default 5 s. */
  readonly fetchTimeoutMs?: number
  /** Keys that could not be refreshed for this long are dropped, 60 000 ms or more. Default 24 h. */
  readonly keysMaxAgeMs?: number
  /**
   * Called for each refusal, except where no token was sent: for logs and metrics. What it throws
   * reaches the framework's error handling.
   */
  readonly onRefused?: (refused: Refused) => void
  /** Called for each failed fetch of the keys, for logs and metrics. What it throws is dropped. */
  readonly onKeysError?: (fault: JwksFault) => void
  /** Fetches the keys. Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch
  /** Milliseconds since 1970. Default `Date.now`. For tests. */
  readonly clock?: () => number
  /** Milliseconds on a clock that is never set. Default `performance.now`. For tests. */
  readonly elapsed?: () => number
  /** A number from 0 up to 1 that spreads refreshes in time. Default `Math.random`. For tests. */
  readonly random?: () => number
}

/** The options, checked and complete. */
export type GuardSettings = Required<GuardOptions>

/** Checks the options and fills in the defaults. Throws a TypeError that names the first bad one. */
export function readGuardOptions(options: GuardOptions): GuardSettings {
  readUrl('issuer', options.issuer)
  if (options.issuer.includes('?')) fail('issuer', 'has a query')
  return {
    issuer: options.issuer,
    audience: readAudience(options.audience ?? options.issuer),
    jwksUrl: readUrl('jwksUrl', options.jwksUrl ?? defaultJwksUrl(options.issuer)).href,
    toleranceSec: readNumber('toleranceSec', options.toleranceSec ?? TOLERANCE_SEC_DEFAULT, 0, 60),
    refreshIntervalMs: readNumber(
      'refreshIntervalMs',
      options.refreshIntervalMs ?? 5 * 60_000,
      1000,
      86_400_000,
    ),
    fetchTimeoutMs: readNumber('fetchTimeoutMs', options.fetchTimeoutMs ?? 5000, 50, 60_000),
    keysMaxAgeMs: readNumber(
      'keysMaxAgeMs',
      options.keysMaxAgeMs ?? 24 * 3_600_000,
      60_000,
      Number.MAX_SAFE_INTEGER,
    ),
    onRefused: readFunction('onRefused', options.onRefused ?? ignore),
    onKeysError: readFunction('onKeysError', options.onKeysError ?? ignore),
    fetch: readFunction('fetch', options.fetch ?? globalThis.fetch),
    clock: readFunction('clock', options.clock ?? (() => Date.now())),
    elapsed: readFunction('elapsed', options.elapsed ?? (() => performance.now())),
    random: readFunction('random', options.random ?? (() => Math.random())),
  }
}

function defaultJwksUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/jwks.json`
}

const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

// The WHATWG parser drops line ends and blanks and takes quotes; a URL with any of these would not
// be what stands in `iss`, and could break out of the realm in WWW-Authenticate.
const URL_CHARACTERS = /^[!#-[\]-~]+$/

function readUrl(name: string, value: unknown): URL {
  if (typeof value !== 'string' || !URL_CHARACTERS.test(value) || !URL.canParse(value)) {
    fail(name, 'is not an absolute URL')
  }
  const url = new URL(value)
  if (
    url.protocol !== 'https:' &&
    !(url.protocol === 'http:' && LOOPBACK_HOSTS.has(url.hostname))
  ) {
    fail(name, 'must be https, or http on localhost, 127.0.0.1 or [::1]')
  }
  if (url.username !== '' || url.password !== '') fail(name, 'holds credentials')
  if (value.includes('#')) fail(name, 'has a fragment')
  return url
}

function readAudience(value: unknown): string | readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  const names = list.filter((name): name is string => typeof name === 'string' && name !== '')
  if (names.length === 0 || names.length !== list.length) {
    fail('audience', 'must be one or more names that are not empty')
  }
  return typeof value === 'string' ? value : Object.freeze(names)
}

function readNumber(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value
  return fail(name, `must be a number from ${min} to ${max}`)
}

function readFunction<T>(name: string, value: T): T {
  return typeof value === 'function' ? value : fail(name, 'must be a function')
}

function ignore(): void {}

function fail(name: string, problem: string): never {
  throw new TypeError(`createGuard: ${name} ${problem}.`)
}
