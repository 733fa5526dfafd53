import type { KeySet } from '@countersign/jwt'
import type { BoundRequestSettings } from './dpop/bound-requests.ts'
import { DPOP_RULE_NAMES, readDpopRules } from './dpop/dpop-options.ts'
import { asError } from './errors.ts'
import type { DpopOptions, FeedSettings, GuardOptions, GuardSettings } from './guard-options.ts'
import type { JwksFault } from './keys/jwks-fetch.ts'
import { isSharedSecret, SHARED_SECRET_CHARS_MIN, sharedSecretKeys } from './keys/shared-secret.ts'
import { hostKindOf, isSecureEnough } from './plain-http.ts'
import { accessCookieName } from './request/cookies.ts'
import { isOrigin } from './request/csrf.ts'
import type { CookieRule } from './request/request-token.ts'
import type { RemoteFeed } from './revocations/feed-connection.ts'
import type { FeedFault } from './revocations/feed-fault.ts'
import type { FeedLine } from './revocations/socket.ts'
import { TOLERANCE_SEC_DEFAULT } from './verification/access-token.ts'
import { isPolicy, type FreshnessPolicy } from './verification/policy.ts'

/** Checks the options and fills in the defaults. Throws a TypeError that names the first invalid option. */
export function readGuardOptions(options: GuardOptions): GuardSettings {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError('createGuard needs an object of options with at least { issuer }.')
  }
  refuseUnknown(options, OPTION_NAMES, '')
  readFlag('allowPrivateHttp', options.allowPrivateHttp ?? false)
  readUrl('issuer', options.issuer, options)
  if (options.issuer.includes('?')) fail('issuer', 'has a query')
  const onNotice = readFunction('onNotice', options.onNotice ?? warn)
  const clock = readFunction('clock', options.clock ?? (() => Date.now()))
  return {
    issuer: options.issuer,
    allowPrivateHttp: options.allowPrivateHttp ?? false,
    audience: readAudience(options.audience ?? options.issuer),
    jwksUrl: readUrl('jwksUrl', options.jwksUrl ?? defaultJwksUrl(options.issuer), options).href,
    cookies: readCookies(options.cookies ?? false, options.issuer),
    dpop: options.dpop === undefined ? undefined : readDpop(options.dpop, options, clock, onNotice),
    feed: options.feed === undefined ? undefined : readFeed(options.feed, options),
    policy: readPolicy(options),
    readyTimeoutMs: readNumber('readyTimeoutMs', options.readyTimeoutMs ?? 10_000, 100, 600_000),
    keys: readKeys(options),
    resourceMetadata:
      options.resourceMetadata === undefined
        ? undefined
        : readUrl('resourceMetadata', options.resourceMetadata, options).href,
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
    cacheEntriesMax: readCacheSize(options.cacheEntriesMax ?? CACHE_ENTRIES_DEFAULT),
    onRefused: readFunction('onRefused', options.onRefused ?? ignore),
    onKeysError: readFunction(
      'onKeysError',
      options.onKeysError ?? noticeOnce(onNotice, options.issuer),
    ),
    onFeedError: readFunction(
      'onFeedError',
      options.onFeedError ?? noticeOnce(onNotice, options.issuer),
    ),
    onNotice,
    fetch: readFunction('fetch', options.fetch ?? globalThis.fetch),
    clock,
    elapsed: readFunction('elapsed', options.elapsed ?? (() => performance.now())),
    random: readFunction('random', options.random ?? (() => Math.random())),
  }
}

function defaultJwksUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/jwks.json`
}

/** The option that decides about plain http. */
type HttpRule = Pick<GuardOptions, 'allowPrivateHttp'>

// The WHATWG parser drops line ends and blanks and accepts quotes. A URL with any of these would not be the
// one in `iss`, and could break out of the realm in WWW-Authenticate.
const URL_CHARACTERS = /^[!#-[\]-~]+$/

function readUrl(name: string, value: unknown, { allowPrivateHttp = false }: HttpRule): URL {
  if (typeof value !== 'string' || !URL_CHARACTERS.test(value) || !URL.canParse(value)) {
    fail(name, 'is not an absolute URL')
  }
  const url = new URL(value)
  if (!isSecureEnough(url, allowPrivateHttp)) {
    const isPrivate = url.protocol === 'http:' && hostKindOf(url.hostname) === 'private'
    fail(
      name,
      isPrivate
        ? 'is plain http to another machine. Use https, or set allowPrivateHttp: true if the network is private'
        : 'must be https, or http on localhost, 127.0.0.1 or [::1]',
    )
  }
  if (url.username !== '' || url.password !== '') fail(name, 'holds credentials')
  if (value.includes('#')) fail(name, 'has a fragment')
  return url
}

function readFlag(name: string, value: unknown): boolean {
  return typeof value === 'boolean' ? value : fail(name, 'must be true or false')
}

function readAudience(value: unknown): string | readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  const names = list.filter((name): name is string => typeof name === 'string' && name !== '')
  if (names.length === 0 || names.length !== list.length) {
    fail('audience', 'must be one or more non-empty names')
  }
  return typeof value === 'string' ? value : Object.freeze(names)
}

function readCookies(value: unknown, issuer: string): CookieRule | undefined {
  if (value === false) return undefined
  if (value !== true && (typeof value !== 'object' || value === null || Array.isArray(value))) {
    fail('cookies', 'must be true, false or an object with name and origins')
  }
  if (value !== true) refuseUnknown(value, COOKIE_NAMES, 'cookies.')
  const { name, origins }: { name?: unknown; origins?: unknown } = value === true ? {} : value
  return {
    name: readCookieName(name ?? accessCookieName(issuer), issuer),
    origins: readOrigins(origins ?? []),
  }
}

// A cookie's name must be a token of RFC 9110 §5.6.2 (RFC 6265bis §4.1.1).
const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function readCookieName(name: unknown, issuer: string): string {
  if (typeof name !== 'string' || !COOKIE_NAME.test(name)) {
    return fail('cookies.name', 'is not a valid cookie name')
  }
  if (issuer.startsWith('https:') && !/^__(?:Host|Secure)-/.test(name)) {
    fail('cookies.name', 'must begin with __Host- or __Secure- for an https issuer')
  }
  return name
}

function readOrigins(origins: unknown): ReadonlySet<string> {
  if (!Array.isArray(origins) || !origins.every(isOrigin)) {
    fail('cookies.origins', 'must be an array of origins such as https://app.example.com')
  }
  return new Set(origins)
}

function readNumber(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value
  return fail(name, `must be a number from ${min} to ${max}`)
}

function readDpop(
  value: unknown,
  rule: HttpRule,
  clock: () => number,
  onNotice: (text: string) => void,
): BoundRequestSettings {
  if (typeof value !== 'object' || value === null) {
    fail('dpop', 'must be an object with at least { publicUrl }')
  }
  refuseUnknown(value, DPOP_NAMES, 'dpop.')
  // The members are checked one by one.
  const { publicUrl, required = false, ...rules } = value as Partial<DpopOptions>
  const urls: readonly unknown[] = Array.isArray(publicUrl) ? publicUrl : [publicUrl]
  if (urls.length === 0) fail('dpop.publicUrl', 'is an empty list')
  return {
    ...readDpopRules(rules, { clock, onFault: noticeReplayFault(onNotice) }, fail),
    publicUrls: urls.map((url) => readPublicUrl(url, rule)),
    isRequired: readFlag('dpop.required', required),
  }
}

function readPublicUrl(value: unknown, rule: HttpRule): string {
  const { href, search } = readUrl('dpop.publicUrl', value, rule)
  if (search !== '') fail('dpop.publicUrl', 'has a query')
  return href.replace(/\/$/, '')
}

/** Reports once that used proofs cannot be remembered. Every such request is refused with 503. */
function noticeReplayFault(notice: (text: string) => void): (error: unknown) => void {
  let isTold = false
  return (error) => {
    if (isTold) return
    isTold = true
    try {
      const { message } = asError(error)
      notice(
        `Requests with a DPoP proof get 503, because the store of used proofs failed: ${message}`,
      )
    } catch {
      // The caller checks a request, and must get its answer.
    }
  }
}

function readFeed(
  value: unknown,
  { issuer, ...rule }: HttpRule & Pick<GuardOptions, 'issuer'>,
): RemoteFeed | FeedLine {
  if (typeof value !== 'object' || value === null) {
    return fail(
      'feed',
      'must be an object with clientId and clientSecret, or the feed of an authority',
    )
  }
  if (isFeedLine(value)) return value
  refuseUnknown(value, FEED_NAMES, 'feed.')
  const feed: { readonly [Name in keyof FeedSettings]?: unknown } = value
  const { clientId, clientSecret, url = issuer, transport = 'auto' } = feed
  if (transport !== 'auto' && transport !== 'websocket' && transport !== 'polling') {
    return fail('feed.transport', 'must be auto, websocket or polling')
  }
  if (transport === 'websocket' && typeof globalThis.WebSocket !== 'function') {
    fail('feed.transport', 'websocket needs Node 22 or later')
  }
  return {
    clientId: readText('feed.clientId', clientId),
    clientSecret: readText('feed.clientSecret', clientSecret),
    url: readUrl('feed.url', url, rule).href.replace(/\/$/, ''),
    transport,
  }
}

function isFeedLine(value: object): value is FeedLine {
  return 'connect' in value && typeof value.connect === 'function'
}

function readText(name: string, value: unknown): string {
  return typeof value === 'string' && value !== ''
    ? value
    : fail(name, 'must be a non-empty string')
}

function readPolicy({ policy = 'bounded', feed }: GuardOptions): FreshnessPolicy {
  if (!isPolicy(policy)) fail('policy', 'must be strict, bounded or open')
  // Without a feed the guard cannot keep this promise. The same rule holds for a route.
  if (policy === 'strict' && feed === undefined) fail('policy', 'strict needs the option feed')
  return policy
}

function readKeys({
  keys,
  sharedSecret,
}: Pick<GuardOptions, 'keys' | 'sharedSecret'>): KeySet | undefined {
  if (sharedSecret === undefined) {
    if (keys !== undefined && !Array.isArray(keys?.keys)) {
      fail('keys', 'must be a key set from createKeySet or keySetFromJwks')
    }
    if (keys?.keys.length === 0) fail('keys', 'is an empty key set')
    return keys
  }
  if (keys !== undefined) fail('keys', 'and sharedSecret cannot be used together')
  const secrets: readonly unknown[] = Array.isArray(sharedSecret) ? sharedSecret : [sharedSecret]
  if (secrets.length === 0 || !secrets.every(isSharedSecret)) {
    fail(
      'sharedSecret',
      `must be one or more strings of at least ${SHARED_SECRET_CHARS_MIN} characters`,
    )
  }
  return sharedSecretKeys(secrets)
}

const warned = new Set<string>()

// If a service has several guards, each warning appears once.
function warn(text: string): void {
  if (!warned.has(text)) process.emitWarning(text, { type: 'CountersignWarning' })
  warned.add(text)
}

/**
 * For a guard without fault listeners, the first fault with each code is reported as a notice. Otherwise
 * nobody would notice a wrong secret.
 */
function noticeOnce(
  notice: (text: string) => void,
  issuer: string,
): (fault: JwksFault | FeedFault) => void {
  const told = new Set<string>()
  return ({ code, message }) => {
    if (told.has(code)) return
    told.add(code)
    notice(`${message} The guard of ${issuer} retries automatically.`)
  }
}

const CACHE_ENTRIES_DEFAULT = 8192

// Checks the verifier's limits here, because the verifier is created only when there are keys.
function readCacheSize(value: unknown): number {
  if (value === 0) return value
  const entriesMax = readNumber('cacheEntriesMax', value, 8, 1_048_576)
  return Number.isInteger(entriesMax)
    ? entriesMax
    : fail('cacheEntriesMax', 'must be a whole number')
}

const OPTION_NAMES: ReadonlySet<string> = new Set(
  Object.keys({
    issuer: 0,
    allowPrivateHttp: 0,
    audience: 0,
    jwksUrl: 0,
    cookies: 0,
    dpop: 0,
    feed: 0,
    policy: 0,
    readyTimeoutMs: 0,
    keys: 0,
    sharedSecret: 0,
    resourceMetadata: 0,
    toleranceSec: 0,
    refreshIntervalMs: 0,
    fetchTimeoutMs: 0,
    keysMaxAgeMs: 0,
    cacheEntriesMax: 0,
    onRefused: 0,
    onKeysError: 0,
    onFeedError: 0,
    onNotice: 0,
    fetch: 0,
    clock: 0,
    elapsed: 0,
    random: 0,
  } satisfies Record<keyof GuardOptions, 0>),
)
const FEED_NAMES: ReadonlySet<string> = new Set(['clientId', 'clientSecret', 'url', 'transport'])
const COOKIE_NAMES: ReadonlySet<string> = new Set(['name', 'origins'])
const DPOP_NAMES: ReadonlySet<string> = new Set([...DPOP_RULE_NAMES, 'publicUrl', 'required'])

/** Refuses unknown names. Otherwise a misspelled option would silently get its default. */
function refuseUnknown(given: object, known: ReadonlySet<string>, prefix: string): void {
  for (const name of Object.keys(given)) {
    if (!known.has(name)) fail(`${prefix}${name}`, 'is not a known option')
  }
}

function readFunction<T>(name: string, value: T): T {
  return typeof value === 'function' ? value : fail(name, 'must be a function')
}

function ignore(): void {}

function fail(name: string, problem: string): never {
  throw new TypeError(`createGuard: ${name} ${problem}.`)
}
