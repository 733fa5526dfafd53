import type { AccessTokenClaims } from './access-token.ts'
import type { Guard, VerifyResult } from './guard.ts'
import type { FreshnessPolicy } from './policy.ts'
import type { Refused } from './refusals.ts'

/** Close code of a WebSocket whose session is over, of the range for applications (RFC 6455 §7.4.2). */
export const CLOSE_UNAUTHORIZED = 4401
/** The same where it cannot be told any more whether it is: the client may come back. */
export const CLOSE_TRY_AGAIN = 1013

/** What is watched for the life of a long connection. */
export interface LiveSession {
  /** Takes a fresh token of the same session, so that the connection outlives the one before. */
  renew(token: string): VerifyResult | Promise<VerifyResult>
  stop(): void
}

export interface LiveSessionOptions {
  readonly policy?: FreshnessPolicy
  /** Called once, when the token stands no longer: ended, expired, or beyond what the policy allows. */
  readonly onEnd: (refused: Refused) => void
}

/**
 * Watches a verified token while a long connection lives by it: checked again at each change of the
 * revocation log and twice a second. Without a feed it ends at `exp`.
 */
export function watchToken(guard: Guard, token: string, options: LiveSessionOptions): LiveSession {
  const { onEnd, policy } = options
  const how = policy === undefined ? {} : { policy }
  let current = token
  let sid: AccessTokenClaims['sid'] | null = null
  const stop = guard.watch(check)

  function check(): void {
    const result = guard.verify(current, how)
    // A promise means that nothing is known yet: as at the beginning, that may turn out well.
    if ('ok' in result) conclude(result)
    else void result.then(conclude)
  }

  function conclude(result: VerifyResult): void {
    if (result.ok) {
      sid ??= result.claims.sid
      return
    }
    stop()
    onEnd(result)
  }

  function accept(result: VerifyResult, renewed: string): VerifyResult {
    if (!result.ok) return result
    // Another session's token must not carry this connection on.
    if (sid !== null && result.claims.sid !== sid) {
      return { ok: false, code: 'token_invalid', reason: 'session_differs' }
    }
    current = renewed
    return result
  }

  check()
  return {
    stop,
    renew(renewed) {
      const result = guard.verify(renewed, how)
      return 'ok' in result ? accept(result, renewed) : result.then((late) => accept(late, renewed))
    },
  }
}

/** A WebSocket as far as it must be closed: the standard's, or that of `ws`. */
export interface Closable {
  close(code: number, reason: string): void
}

/**
 * Closes a WebSocket when its token stands no longer: with 4401 and the code of the refusal as its reason,
 * or with 1013 where that cannot be told any more.
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
