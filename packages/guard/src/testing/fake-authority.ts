import { randomUUID } from 'node:crypto'

import { createSigner, decodeUnverified, generateSigningKey } from '@countersign/jwt'

import { createGuard, type Guard } from '../guard.ts'
import type { GuardOptions } from '../guard-options.ts'
import type { FeedLine } from '../revocations/socket.ts'
import type { AccessTokenClaims } from '../verification/access-token.ts'
import { FakeFeed } from './fake-feed.ts'
import { type Holder, claimsOf } from './token-claims.ts'

export type { Holder } from './token-claims.ts'

/** The options of `createFakeAuthority`. */
export interface FakeAuthorityOptions {
  /** The issuer of the tokens. Default `https://auth.test`. Nothing connects to it. */
  readonly issuer?: string
  /** The audience of the tokens. Default: the issuer. */
  readonly audience?: string
  /** The permissions of each role, for routes that require permissions. */
  readonly roles?: Readonly<Record<string, readonly string[]>>
}

/**
 * An authority inside a test. It signs access tokens and has a revocation feed, without an account, a
 * database or a network. Guards check its tokens by the same rules as real ones.
 */
export interface FakeAuthority {
  readonly issuer: string
  readonly audience: string
  /** The revocation feed: the option `feed` of `createGuard`. */
  readonly feed: FeedLine
  /**
   * Makes a guard that accepts the tokens of this authority. `close` closes it. `options` are those of your
   * own guard, such as `cookies` or `policy`.
   */
  createGuard<Own = unknown>(options?: Partial<GuardOptions>): Guard<Own>
  /** Signs an access token. Without an argument, it is that of an account without roles. */
  tokenFor(holder?: Holder): string
  /**
   * Ends the session of a token, as a logout does. Guards then refuse it with `session_ended`. Resolves when
   * every guard of this process has applied it.
   */
  endSession(token: string): Promise<void>
  /**
   * Makes all tokens of the account of this token out of date, as a changed role does. Guards then refuse
   * them with `token_stale`. Resolves when every guard of this process has applied it.
   */
  makeStale(token: string): Promise<void>
  /** Replaces the permissions of each role. Resolves when every guard of this process uses them. */
  setRoles(roles: Readonly<Record<string, readonly string[]>>): Promise<void>
  /** Closes the guards that `createGuard` made. Call it when the tests of a file are done. */
  close(): void
}

/** Makes a fake authority with a new key. Its tokens are worth nothing to any other authority's guard. */
export function createFakeAuthority(options: FakeAuthorityOptions = {}): FakeAuthority {
  const { issuer = 'https://auth.test', audience = issuer, roles = {} } = options
  const key = generateSigningKey('ES256')
  const signer = createSigner(key, { typ: 'at+jwt' })
  const feed = new FakeFeed(issuer, key, roles)
  const guards = new Set<Guard>()
  return {
    issuer,
    audience,
    feed,
    createGuard: <Own>(given: Partial<GuardOptions> = {}) => {
      const guard = createGuard<Own>({ issuer, audience, feed, ...given })
      guards.add(guard)
      return guard
    },
    tokenFor: (holder = {}) => {
      const common = { iss: issuer, aud: audience, jti: randomUUID(), rvp: feed.position }
      return signer.sign({ ...common, ...claimsOf(holder, Date.now()) })
    },
    endSession: async (token) => {
      const { sid, sub } = readToken(token)
      // A service account has no session.
      await (sid === undefined
        ? feed.append({ kind: 'account', subject: sub, strength: 'hard' })
        : feed.append({ kind: 'session', subject: sid, strength: 'hard' }))
    },
    makeStale: async (token) =>
      feed.append({ kind: 'account', subject: readToken(token).sub, strength: 'soft' }),
    setRoles: (changed) => feed.setRoles(changed),
    close: () => {
      for (const guard of guards) guard.close()
    },
  }
}

function readToken(token: string): Pick<AccessTokenClaims, 'sub' | 'sid'> {
  const decoded = decodeUnverified(token)
  const { sub, sid }: { sub?: unknown; sid?: unknown } = decoded.ok ? decoded.claims : {}
  if (typeof sub !== 'string') throw new TypeError('The token is not one from tokenFor.')
  return typeof sid === 'string' ? { sub, sid } : { sub }
}
