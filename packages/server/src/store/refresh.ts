import type { EpochMs } from '../base/clock.ts'
import type { AccountClaims, Session } from './rows.ts'

/** A refresh token that was presented: signature and claims verified, its session not yet looked at. */
export interface RefreshAttempt {
  readonly sessionId: string
  readonly generation: number
  /** The token's `jti`, to be compared with what the row's seed gives. */
  readonly jti: string
  readonly address: string
  readonly userAgent: string
  /** The tenant that the request names; null for none, undefined to stay where the session is. */
  readonly tenant?: { readonly id: string } | null | undefined
}

/** A session with what its account says of it, from one snapshot. */
export interface SessionState {
  readonly session: Session
  readonly account: AccountClaims
  readonly username: string
  readonly accountDisabled: boolean
  /** The account's newest hard position: above `session.signedInPosition`, the session is over. */
  readonly accountHardPosition: number
  /** Of the tenant that the session is in. */
  readonly tenantDisabled: boolean
  readonly tenantHardPosition: number
  /** Whether the secret that signed its newest refresh token was killed. */
  readonly refreshKeyKilled: boolean
  /** The head of the revocation log, read before the rest. */
  readonly position: number
}

/** What a presented generation earns. */
export type RotationDecision =
  | { readonly kind: 'rotate' }
  | { readonly kind: 'repeat' }
  | { readonly kind: 'heal' }
  | {
      readonly kind: 'refuse'
      readonly code: 'session_ended' | 'session_expired' | 'account_disabled'
    }
  | { readonly kind: 'end'; readonly code: 'refresh_reused' | 'refresh_ahead' }

/** What the store is told so that it can decide a batch inside its transaction. */
export interface RefreshRules {
  readonly now: EpochMs
  /** The life of a refresh token that is not used, in milliseconds. */
  readonly idleMs: number
  /** The refresh key that signs what this batch rotates. */
  readonly refreshKid: string
  /** False where `rotate: false` was configured: the token is checked, and stays. */
  readonly rotates: boolean
  decide(state: SessionState, attempt: RefreshAttempt): RotationDecision
  /** Whether the token was really made from this row. */
  isGenuine(session: Pick<Session, 'id' | 'seed'>, attempt: RefreshAttempt): boolean
}

export type RefreshOutcome =
  | {
      readonly kind: 'rotated' | 'healed' | 'repeated' | 'kept'
      readonly session: Session
      readonly account: AccountClaims
      readonly position: number
    }
  | {
      readonly kind: 'refused'
      readonly code:
        | 'session_unknown'
        | 'token_invalid'
        | 'tenant_forbidden'
        | (RotationDecision & { kind: 'refuse' })['code']
    }
  | { readonly kind: 'ending'; readonly code: 'refresh_reused' | 'refresh_ahead' }
