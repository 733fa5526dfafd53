import { createHash } from 'node:crypto'

import type { EpochMs } from '../base/clock.ts'
import { randomId, type Random } from '../base/random.ts'
import type { Sealer } from '../keys/sealing.ts'

/** How long a person may take at the provider. */
export const TRANSACTION_MS = 10 * 60_000

/** The purpose of a log-in at a provider. */
export type Purpose =
  /** A sign-in of the browser. */
  | { readonly kind: 'sign_in' }
  /** A session links the identity. It was fresh when this began. */
  | { readonly kind: 'link'; readonly accountId: string; readonly sessionId: string }
  /** An application gets a code, for tokens or for a link. */
  | {
      readonly kind: 'code'
      readonly links: boolean
      readonly redirectUri: string
      /** The code challenge of the application: S256 (RFC 7636). */
      readonly challenge: string
      /** The values that the application gets back with its code. */
      readonly state: string | undefined
    }

/** A log-in at a provider that has begun. It is sealed in a cookie of the browser that began it. */
export interface UpstreamTransaction {
  /** The parameter `state`, which is part of the name of the cookie. It begins with the time, so names sort by age. */
  readonly state: string
  readonly provider: string
  readonly nonce: string
  /** The code verifier of this server (RFC 7636). */
  readonly verifier: string
  readonly expiresAt: EpochMs
  /** The log position before the first proof. */
  readonly position: number
  readonly purpose: Purpose
  readonly returnTo: string | undefined
  readonly tenant: string | undefined
  /** The language that the person has chosen on the page before. */
  readonly language: string | undefined
  /** The session of the browser at the beginning. The browser does not send its cookie with the answer. */
  readonly replaces: string | undefined
}

/** Begins a log-in at a provider. */
export function newTransaction(
  random: Random,
  now: EpochMs,
  about: Omit<UpstreamTransaction, 'state' | 'nonce' | 'verifier' | 'expiresAt'>,
): UpstreamTransaction {
  return {
    ...about,
    state: `${Math.floor(now / 1000).toString(36)}-${randomId(random)}`,
    nonce: randomId(random),
    verifier: random.bytes(32).toString('base64url'),
    expiresAt: now + TRANSACTION_MS,
  }
}

const STATE = /^[0-9a-z]{6,9}-[\w-]{22}$/

/** Whether a text can be the state of a transaction, so that it can be part of the name of a cookie. */
export function isState(text: string): boolean {
  return STATE.test(text)
}

/** Seals a transaction for its cookie. */
export function sealTransaction(sealer: Sealer, transaction: UpstreamTransaction): string {
  const plain = Buffer.from(JSON.stringify(transaction))
  return sealer.seal(plain, contextOf(transaction.state)).toString('base64url')
}

/** Opens the cookie of a state. Undefined if this server did not seal it for this state. */
export function openTransaction(
  sealer: Sealer,
  state: string,
  sealed: string,
): UpstreamTransaction | undefined {
  const plain = sealer.open(Buffer.from(sealed, 'base64url'), contextOf(state))
  // Only `sealTransaction` seals with this context.
  return plain === undefined ? undefined : (JSON.parse(plain.toString()) as UpstreamTransaction)
}

function contextOf(state: string): string {
  return `upstream transaction ${state}`
}

/** The code challenge of a code verifier, by the method S256 (RFC 7636 §4.2). */
export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url')
}
