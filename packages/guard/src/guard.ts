import {
  type AccessTokenClaims,
  type AccessTokenVerifier,
  createAccessTokenVerifier,
} from './access-token.ts'
import { type GuardOptions, type GuardSettings, readGuardOptions } from './guard-options.ts'
import { JwksClient } from './jwks-client.ts'
import type { JwksFault } from './jwks-fetch.ts'
import type { Refused } from './refusals.ts'
import { checkCookieClaims, readRequestToken } from './request-token.ts'
import type { RequestView } from './request-view.ts'

/** What a guard answers about a token. The claims are frozen unless `cacheEntriesMax` is 0. */
export type VerifyResult = { readonly ok: true; readonly claims: AccessTokenClaims } | Refused

/** Verifies the access tokens of one issuer for one service. Made once at start, used by all requests. */
export interface Guard {
  readonly issuer: string
  readonly audience: string | readonly string[]
  /**
   * Checks one token. The answer is there at once while the keys are loaded and the token's `kid` is
   * among them; it is a promise only when keys must be fetched first. Throws what `onRefused` throws,
   * nothing else.
   */
  verify(token: string): VerifyResult | Promise<VerifyResult>
  /**
   * Checks a request: finds its token in the Authorization header, or in the cookie where the option
   * `cookies` is on, verifies it and, for a cookie, that no other site sent the request. The adapters
   * call it; so does whoever has a framework without one.
   */
  authenticate(request: RequestView): VerifyResult | Promise<VerifyResult>
  /**
   * Resolves when keys are loaded and starts loading them if need be. Rejects with a `JwksFault` when
   * that attempt fails or the last one is too recent; requests keep trying in any case.
   */
  ready(): Promise<void>
  /** Ends the background refresh. Keys that are loaded go on verifying, and grow old. */
  close(): void
}

/**
 * Makes a guard. Opens no connection yet: the first request, or `ready`, loads the keys. Throws a
 * TypeError that names the option when one is wrong.
 */
export function createGuard(options: GuardOptions): Guard {
  const settings = readGuardOptions(options)
  const client = new JwksClient({ ...settings, url: settings.jwksUrl, onFault: report })

  // The client has no caller to throw to: from a timer, an error here would end the whole process.
  function report(fault: JwksFault): void {
    try {
      settings.onKeysError(fault)
    } catch {}
  }

  return new JwksGuard(settings, client)
}

class JwksGuard implements Guard {
  readonly issuer: string
  readonly audience: string | readonly string[]
  readonly #settings: GuardSettings
  readonly #client: JwksClient
  #verifier: AccessTokenVerifier | undefined
  #verifierKeys: JwksClient['keys']

  constructor(settings: GuardSettings, client: JwksClient) {
    this.issuer = settings.issuer
    this.audience = settings.audience
    this.#settings = settings
    this.#client = client
  }

  verify(token: string): VerifyResult | Promise<VerifyResult> {
    const result = this.#check(token)
    if (result.ok) return result

    const loading = this.#loadFor(result)
    if (loading === undefined) return this.#refuse(result)
    return loading.then(() => {
      const second = this.#check(token)
      return second.ok ? second : this.#refuse(second)
    })
  }

  authenticate(request: RequestView): VerifyResult | Promise<VerifyResult> {
    const reading = readRequestToken(request, this.#settings.cookies)
    if (!reading.ok) return this.#refuse(reading)
    const result = this.verify(reading.token)
    if (!reading.isCookie) return result
    return 'ok' in result
      ? this.#checkCookie(request, result)
      : result.then((late) => this.#checkCookie(request, late))
  }

  async ready(): Promise<void> {
    if (this.#client.keys !== undefined) return
    await this.#client.load()
    if (this.#client.keys === undefined)
      throw this.#client.fault ?? new Error('The guard is closed.')
  }

  close(): void {
    this.#client.close()
  }

  #check(token: string): VerifyResult {
    const verifier = this.#currentVerifier()
    if (verifier === undefined) {
      const { retryAfterSec } = this.#client
      return { ok: false, code: 'keys_unavailable', reason: 'keys_unavailable', retryAfterSec }
    }
    const result = verifier.verify(token)
    if (result.ok) return result
    const { code: reason, claim } = result
    const code = reason === 'token_expired' ? 'token_expired' : 'token_invalid'
    return { ok: false, code, reason, ...(claim === undefined ? {} : { claim }) }
  }

  /**
   * One verifier for each key set, made when the set is first used. Its cache of tokens goes with it:
   * a key that has left the set takes along what it has signed.
   */
  #currentVerifier(): AccessTokenVerifier | undefined {
    const { keys } = this.#client
    if (keys === this.#verifierKeys) return this.#verifier
    this.#verifierKeys = keys
    this.#verifier = keys && createAccessTokenVerifier({ ...this.#settings, keys })
    return this.#verifier
  }

  #checkCookie(request: RequestView, result: VerifyResult): VerifyResult {
    const refused = result.ok ? checkCookieClaims(request, result.claims) : undefined
    return refused === undefined ? result : this.#refuse(refused)
  }

  /** The fetch that may turn a refusal into a yes, if there is one and it is allowed now. */
  #loadFor(refused: Refused): Promise<void> | undefined {
    if (refused.code === 'keys_unavailable') return this.#client.load()
    return refused.reason === 'key_unknown' ? this.#client.loadForUnknownKey() : undefined
  }

  #refuse(refused: Refused): Refused {
    if (refused.code !== 'token_missing') this.#settings.onRefused(refused)
    return refused
  }
}
