import { decodeUnverified } from '@countersign/jwt'

import type { AccessTokenClaims } from './verification/access-token.ts'
import type { Guard, VerifyResult } from './guard.ts'
import type { FreshnessPolicy } from './verification/policy.ts'
import type { Refused } from './refusals.ts'

/** Close code of a WebSocket whose session has ended, from the range for applications (RFC 6455 §7.4.2). */
export const CLOSE_UNAUTHORIZED = 4401
/**
 * Close code if the guard can no longer tell whether the session is live. The client may reconnect. It is not
 * 1013, which a standard WebSocket must not send.
 */
export const CLOSE_TRY_AGAIN = 4503

/** A token that is checked during the life of a long connection. */
export interface LiveSession {
  /** Accepts a new token of the same session, so that the connection outlives the previous token. */
  renew(token: string): VerifyResult | Promise<VerifyResult>
  stop(): void
}

/** Options of `watchToken`. */
export interface LiveSessionOptions {
  readonly policy?: FreshnessPolicy
  /**
   * Called once, when the token is no longer accepted: its session has ended, it has expired, or the policy
   * refuses.
   */
  readonly onEnd: (refused: Refused) => void
}

/**
 * Checks a verified token while a long connection depends on it: at each change of the revocation log, and
 * twice a second. Without a feed the watch ends at `exp`. It also ends if the check itself throws, which
 * happens only if `onRefused` throws. The caller must have authenticated the request that brought the token: a token
 * that is bound to a key is accepted here without a proof.
 */
export function watchToken(guard: Guard, token: string, options: LiveSessionOptions): LiveSession {
  const { onEnd, policy } = options
  // The opening request has proved possession of the key that the token is bound to, and its sender holds the
  // connection. So later tokens of the same key need no proof.
  const how = { ...(policy === undefined ? {} : { policy }), jkt: keyOf(token) }
  let current = token
  let first: AccessTokenClaims | undefined
  let isOver = false
  const unwatch = guard.watch(check)

  function stop(): void {
    isOver = true
    unwatch()
  }

  function end(refused: Refused): void {
    if (isOver) return
    stop()
    onEnd(refused)
  }

  function check(): void | Promise<void> {
    const checked = current
    let result: VerifyResult | Promise<VerifyResult>
    try {
      result = guard.verify(checked, how)
    } catch (error) {
      end(THREW)
      throw error
    }
    if ('ok' in result) return conclude(result)
    // A promise means that the result is not known yet. The token may still prove valid, as at the start.
    return result.then(
      (late) => (checked === current ? conclude(late) : undefined),
      (error: unknown) => {
        end(THREW)
        throw error
      },
    )
  }

  function conclude(result: VerifyResult): void {
    if (result.ok) first ??= result.claims
    else end(result)
  }

  function accept(result: VerifyResult, renewed: string): VerifyResult {
    if (!result.ok) return result
    // A token of another session, account, tenant or issuer must not prolong this connection.
    if (first === undefined || !isOfSame(first, result.claims)) {
      return { ok: false, code: 'token_invalid', reason: 'session_differs' }
    }
    current = renewed
    return result
  }

  function renew(renewed: string): VerifyResult | Promise<VerifyResult> {
    const result = guard.verify(renewed, how)
    return 'ok' in result ? accept(result, renewed) : result.then((late) => accept(late, renewed))
  }

  // Errors of later calls become notices of the guard. For the first call, `onEnd` has already reported it.
  const opening = check()?.catch(() => {})
  return {
    stop,
    // Until the first token is verified, no other token may prolong the connection.
    renew: (renewed) =>
      first === undefined && opening !== undefined
        ? opening.then(() => renew(renewed))
        : renew(renewed),
  }
}

/** The refusal for a check that threw: without a result the token is not accepted. */
const THREW: Refused = { ok: false, code: 'token_invalid', reason: 'check_threw' }

function keyOf(token: string): string | undefined {
  const decoded = decodeUnverified(token)
  const { cnf }: { cnf?: unknown } = decoded.ok ? decoded.claims : {}
  const { jkt }: { jkt?: unknown } = typeof cnf === 'object' && cnf !== null ? cnf : {}
  return typeof jkt === 'string' ? jkt : undefined
}

function isOfSame(a: AccessTokenClaims, b: AccessTokenClaims): boolean {
  return SAME.every((claim) => a[claim] === b[claim])
}

const SAME = ['iss', 'sub', 'client_id', 'sid', 'tid'] as const

/**
 * The part of a WebSocket that is needed to close it: of the standard's WebSocket, or of the package `ws`.
 */
export interface Closable {
  close(code: number, reason: string): void
}

/**
 * Closes a WebSocket when its token is no longer accepted. The close code is 4401 with the refusal's code as
 * reason. It is 4503 if the guard can no longer tell whether the session is live.
 */
export function closeWithSession(
  guard: Guard,
  socket: Closable,
  token: string,
  options: { readonly policy?: FreshnessPolicy } = {},
): LiveSession {
  return watchToken(guard, token, {
    ...options,
    onEnd: ({ code }) => {
      const isUnknown = code === 'revocations_unavailable' || code === 'keys_unavailable'
      socket.close(isUnknown ? CLOSE_TRY_AGAIN : CLOSE_UNAUTHORIZED, code)
    },
  })
}
