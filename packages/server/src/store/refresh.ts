import type { EpochMs } from '../base/clock.ts'
import type { AccountClaims, GraceWindows, GrantedSession, Session } from './rows.ts'

/**
 * A refresh token that was presented. Its signature and claims are verified, but its session was not read
 * yet.
 */
export interface RefreshAttempt {
  readonly sessionId: string
  readonly generation: number
  /** The token's `jti`. It is compared with the `jti` that is made from the row's seed. */
  readonly jti: string
  readonly address: string
  readonly userAgent: string
  /** The tenant that the request names. Null leaves the tenant, undefined keeps the session's tenant. */
  readonly tenant?: { readonly id: string } | null | undefined
}

/** A session with the facts about its account, tenant and key, from one snapshot. */
export interface SessionState {
  readonly session: Session
  readonly account: AccountClaims
  readonly username: string
  readonly accountDisabled: boolean
  /** The account's newest hard position. */
  readonly accountHardPosition: number
  /** Whether the tenant that the session is in is disabled or gone. */
  readonly tenantDisabled: boolean
  /** The newest hard position of the session's tenant; 0 without a tenant. */
  readonly tenantHardPosition: number
  /** Whether the key that signed its newest refresh token was killed. */
  readonly refreshKeyKilled: boolean
  /** The head of the revocation log, read before the rest. */
  readonly position: number
}

/** The decision about a presented generation, by the rotation table. */
export type RotationDecision =
  | { readonly kind: 'rotate' }
  | { readonly kind: 'repeat' }
  | { readonly kind: 'heal' }
  | {
      readonly kind: 'refuse'
      readonly code: 'session_ended' | 'session_expired' | 'account_disabled' | 'refresh_elsewhere'
    }
  | { readonly kind: 'end'; readonly code: 'refresh_reused' | 'refresh_ahead' }

/**
 * The rules by which the store decides an attempt inside its transaction, with `decideRotation`. They are plain data,
 * because the store may run in another thread.
 */
export interface RefreshRules {
  /** The idle lifetime of a refresh token, in milliseconds. */
  readonly idleMs: number
  /** How long a predecessor is accepted again, in milliseconds: the length of a {@link GraceWindows | window}. */
  readonly graceMs: number
  /** The refresh key that signs the next refresh token. */
  readonly refreshKid: string
  /** False if `rotateRefresh` is false in the settings: the store checks the token and keeps it. */
  readonly rotates: boolean
  /** When this authority last started. A client may repeat a request whose answer was lost in a restart. */
  readonly startedAt: EpochMs
  /** Whether a session continues from a genuine newer token if the store lost its last write. */
  readonly healing: 'accept' | 'refuse'
}

/** The result of an attempt. `now` is the store's time of the decision: tokens are minted with it. */
export type RefreshOutcome =
  | {
      readonly kind: 'rotated' | 'healed' | 'repeated' | 'kept'
      readonly session: GrantedSession
      readonly account: AccountClaims
      readonly position: number
      readonly now: EpochMs
    }
  | {
      readonly kind: 'refused'
      readonly code:
        | 'session_unknown'
        | 'token_invalid'
        | 'tenant_forbidden'
        | 'refresh_queue_full'
        | (RotationDecision & { kind: 'refuse' })['code']
    }
  /** The token was copied. The caller ends the session with `SessionStore.end`. */
  | { readonly kind: 'ending'; readonly code: 'refresh_reused' | 'refresh_ahead' }

/** The windows of a session that was never rotated. */
export const NO_GRACE: GraceWindows = {
  generation: 0,
  beganAt: 0,
  priorGeneration: 0,
  priorRotatedAt: 0,
}

/**
 * The windows after a rotation at `now`. Pure. The statement of the fast path in `sql/refresh.ts` (and in `postgres/refresh.ts`) does the same, and
 * a property test holds the two against each other. When a session heals, the generation that the row had counts as
 * rotated now: the store lost the time of that rotation.
 */
export function nextGrace(
  { generation, rotatedAt, grace }: Pick<Session, 'generation' | 'rotatedAt' | 'grace'>,
  now: EpochMs,
  graceMs: number,
): GraceWindows {
  // Also where the clock was set back: a window in the future would stay open until the clock has caught up.
  const isOver = Math.abs(now - grace.beganAt) >= graceMs
  return isOver
    ? {
        generation,
        beganAt: now,
        priorGeneration: grace.generation,
        priorRotatedAt: rotatedAt,
      }
    : grace
}
