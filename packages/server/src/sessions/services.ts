import type { AccessTokenVerifier } from '@countersign/guard'
import type { Standing, TokenSubjects } from '@countersign/guard/revocations'

import type { PasswordHasher } from '../accounts/passwords.ts'
import type { CheckedSource } from '../accounts/source.ts'
import type { Throttle } from '../accounts/throttle.ts'
import type { Clock, EpochMs } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { RefusalCode } from '../base/refusals.ts'
import type { KeyRing } from '../keys/ring.ts'
import type { AccountClaims, Session } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { AccessTokenSettings } from './access-token.ts'
import type { Csrf } from './csrf.ts'
import type { RefreshTokenVerifier } from './refresh-token.ts'

/** What the session operations work with. One object for the life of an authority. */
export interface SessionServices {
  readonly store: Store
  /** The application's accounts, where it keeps them; else they are those of the store. */
  readonly source?: CheckedSource | undefined
  readonly ring: KeyRing
  readonly hasher: PasswordHasher
  readonly throttle: Throttle
  readonly csrf: Csrf
  readonly clock: Clock
  readonly random: Random
  readonly access: AccessTokenSettings
  readonly rotation: RotationSettings
  readonly verifyRefresh: RefreshTokenVerifier
  readonly verifyAccess: AccessTokenVerifier
  /**
   * What the log says of a token, by the guard's own rule. `position` is the head that its session was read
   * at: the copy of the log is brought up to there first.
   */
  readonly standingOf?: (claims: TokenSubjects, position: number) => Promise<Standing>
  /** Called with the position of a token of ours that the store's log has not reached: it has lost entries. */
  readonly noteAhead?: (rvp: number) => void
}

/** Lives in milliseconds. */
export interface RotationSettings {
  /** False: a refresh gives a new access token only. */
  readonly rotates: boolean
  /** How long a refresh token lives unused, and the session in all. */
  readonly idleMs: number
  readonly absoluteMs: number
  readonly graceMs: number
  readonly startedAt: EpochMs
  readonly healing: 'accept' | 'refuse'
}

/** Where a request comes from, as far as the server knows. */
export interface Caller {
  readonly address: string
  readonly userAgent: string
  /** What a browser keeps of an earlier log-in; anything at all. */
  readonly device?: string | undefined
}

export interface Refusal {
  readonly ok: false
  readonly code: RefusalCode
  /** Seconds, with `throttled`. */
  readonly retryAfterSec?: number
  /** What to tell the person instead of the code's own text: for example which password rule failed. */
  readonly text?: string
}

export function refuse(code: RefusalCode): Refusal {
  return { ok: false, code }
}

/** A pair as the client gets it. `refresh` is undefined where refreshing does not rotate. */
export interface Granted {
  readonly ok: true
  readonly access: string
  readonly refresh: string | undefined
  readonly session: Session
  readonly account: AccountClaims
}
