import type { KeySet } from '@countersign/jwt'
import type { BoundRequestSettings } from './dpop/bound-requests.ts'
import type { DpopRules } from './dpop/dpop-options.ts'
import type { JwksFault } from './keys/jwks-fetch.ts'
import type { Refused } from './refusals.ts'
import type { CookieRule } from './request/request-token.ts'
import type { FeedTransport, RemoteFeed } from './revocations/feed-connection.ts'
import type { FeedFault } from './revocations/feed-fault.ts'
import type { FeedLine } from './revocations/socket.ts'
import type { FreshnessPolicy } from './verification/policy.ts'

/** How the guard reads cookies. */
export interface CookieOptions {
  /**
   * The cookie's name. Default: `accessCookieName(issuer)`. With an https issuer it must begin with `__Host-`
   * or `__Secure-`. Any other cookie could have been set over plain http.
   */
  readonly name?: string
  /**
   * Other origins whose pages may call this service with cookies, each exactly as a browser writes `Origin`:
   * `https://app.example.com`. List the service's own origin only for browsers without `Sec-Fetch-Site`,
   * which are older than 2023. Default: none.
   */
  readonly origins?: readonly string[]
}

/** How the guard takes access tokens that are bound to a key of the client (RFC 9449). */
export interface DpopOptions extends DpopRules {
  /**
   * The public URL of this service, or several: `https://api.example.com`. If a proxy removes a part of the path, that
   * part belongs to it: `https://example.com/api`. A proof is for one URL, and the guard must know it. It does not take
   * it from the request, whose sender chooses the host. The rules for plain http are those of `issuer`.
   */
  readonly publicUrl: string | readonly string[]
  /** Whether tokens that are bound to no key are refused, cookies included. Default false. */
  readonly required?: boolean
}

/** The options of `createGuard`. A wrong value throws a TypeError that names the option. */
export interface GuardOptions {
  /**
   * The URL of the authority, exactly as in `iss`, without query, fragment and credentials (RFC 8414 §2). It
   * must be https, or http on this machine: localhost, 127.0.0.1 or [::1]. See `allowPrivateHttp`.
   */
  readonly issuer: string
  /**
   * Whether URLs may also be plain http to a host without a public name: `http://countersign:8000`, a name
   * that ends in `.internal`, `.local`, `.home.arpa`, `.test` or `.svc`, or a private address such as
   * 10.0.0.1. Everyone in that network can then read tokens and replace keys. The setting
   * `COUNTERSIGN_ALLOW_PRIVATE_HTTP` of the authority is the same rule. Default false.
   */
  readonly allowPrivateHttp?: boolean
  /**
   * The `aud` of a token must contain one of these, exactly. Default: the issuer, which is also the
   * authority's default.
   */
  readonly audience?: string | readonly string[]
  /**
   * The URL of the key set, under the same rules as `issuer`. Default: `/.well-known/jwks.json` of the
   * issuer.
   */
  readonly jwksUrl?: string
  /**
   * Whether the guard also reads access tokens from the authority's cookie, with protection against forged
   * requests. Default false: it reads no cookie. `true` is the same as `{}`.
   */
  readonly cookies?: boolean | CookieOptions
  /**
   * Whether the guard takes access tokens that are bound to a key, with the scheme `DPoP` and a proof for each request.
   * Default: it does not, and refuses such tokens. It never takes them as `Bearer` or from a cookie.
   */
  readonly dpop?: DpopOptions
  /**
   * The revocation feed. With it, a logout, a disabled account or a changed role takes effect here in under a
   * second. Pass `authority.feed` for an authority in the same process. Default: no feed. Revoked tokens are
   * then accepted until they expire.
   */
  readonly feed?: FeedSettings | FeedLine
  /**
   * What to do when the copy of the revocation log may be out of date. A route can override it. Default
   * `bounded`: accept for 30 s. Without `feed` it has no effect.
   */
  readonly policy?: FreshnessPolicy
  /** How long `ready` waits for the first lease of the feed, 100 to 600 000 ms. Default 10 s. */
  readonly readyTimeoutMs?: number
  /** The keys that verify tokens, instead of those that the issuer publishes. */
  readonly keys?: KeySet
  /**
   * The secret with which the authority signs access tokens (HS256), if it is configured that way. List the
   * old and the new secret while you replace it. Anybody who has a secret can make tokens. Use this option
   * instead of `keys`.
   */
  readonly sharedSecret?: string | readonly string[]
  /** The URL of this service's metadata (RFC 9728). WWW-Authenticate then contains it. */
  readonly resourceMetadata?: string
  /** How far clocks may differ, in seconds, 0 to 60. Default 5. */
  readonly toleranceSec?: number
  /** Time between two background refreshes of the keys, 1 000 to 86 400 000 ms. Default 5 min. */
  readonly refreshIntervalMs?: number
  /** Time limit for one fetch of the keys, to its last byte, 50 to 60 000 ms. Default 5 s. */
  readonly fetchTimeoutMs?: number
  /** Keys are dropped if they could not be refreshed for this long: 60 000 ms or more. Default 24 h. */
  readonly keysMaxAgeMs?: number
  /**
   * How many verified tokens the guard remembers: 8 to 1,048,576, or 0 for none. Default 8192, about 8 MB
   * when full. The next request with a remembered token costs only a look-up. Claims from the cache are
   * frozen.
   */
  readonly cacheEntriesMax?: number
  /**
   * Called for each refusal, except when a request had no token. For logs and metrics. An error that it
   * throws goes to the framework's error handling.
   */
  readonly onRefused?: (refused: Refused) => void
  /**
   * Called for each failed fetch of the keys, for logs and metrics. An error that it throws is ignored.
   * Default: the first fault with each code is reported as a notice.
   */
  readonly onKeysError?: (fault: JwksFault) => void
  /** Called for each failed connection to the feed. Errors and default are as for `onKeysError`. */
  readonly onFeedError?: (fault: FeedFault) => void
  /** Called once with each text that an operator should read. Default: a process warning. */
  readonly onNotice?: (text: string) => void
  /** Fetches the keys. Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch
  /** Milliseconds since 1970. Default `Date.now`. For tests. */
  readonly clock?: () => number
  /** Milliseconds on a monotonic clock. Default `performance.now`. For tests. */
  readonly elapsed?: () => number
  /**
   * A number from 0 (included) to 1 (excluded) that spreads refreshes over time. Default `Math.random`. For
   * tests.
   */
  readonly random?: () => number
}

/** How the guard reaches the revocation feed. */
export interface FeedSettings {
  /** The id of a service account without a tenant. `clientSecret` is its secret. */
  readonly clientId: string
  readonly clientSecret: string
  /**
   * The URL at which this service reaches the authority, under the same rules as `issuer`. Default: the
   * issuer.
   */
  readonly url?: string
  /** Default `auto`: a WebSocket if Node has one (22 or later) and it opens, otherwise polling. */
  readonly transport?: FeedTransport
}

/** The options, checked and complete. */
export interface GuardSettings extends Omit<
  Required<GuardOptions>,
  'cookies' | 'dpop' | 'feed' | 'keys' | 'sharedSecret' | 'resourceMetadata'
> {
  /** Undefined if the guard reads no cookie. */
  readonly cookies: CookieRule | undefined
  /** Undefined if the guard refuses tokens that are bound to a key. */
  readonly dpop: BoundRequestSettings | undefined
  readonly feed: RemoteFeed | FeedLine | undefined
  readonly keys: KeySet | undefined
  readonly resourceMetadata: string | undefined
}
