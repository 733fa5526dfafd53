import type { AccessTokenClaims } from './verification/access-token.ts'
import type { Guard, VerifyResult } from './guard.ts'
import type { FreshnessPolicy } from './verification/policy.ts'
import type { Refused } from './refusals.ts'

/** Close code of a WebSocket whose session is over, of the range for applications (RFC 6455 §7.4.2). */
export const CLOSE_UNAUTHORIZED = 4401
/**
 * The same where it cannot be told any more whether it is: the client may come back. Not 1013, which a standard
 * WebSocket may not send.
 */
export const CLOSE_TRY_AGAIN = 4503

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
 * revocation log and twice a second. Without a feed it ends at `exp`. Where the check itself throws, which only
 * an `onRefused` does, it ends too.
 */
export function watchToken(guard: Guard, token: string, options: LiveSessionOptions): LiveSession {
  const { onEnd, policy } = options
  const how = policy === undefined ? {} : { policy }
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
    // A promise means that nothing is known yet: as at the beginning, that may turn out well.
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
    // The token of another session, account, tenant or issuer must not carry this connection on.
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

  // Later ones are the guard's to tell; of this one `onEnd` has told.
  const opening = check()?.catch(() => {})
  return {
    stop,
    // While it is not known whose the connection is, nobody's token carries it on.
    renew: (renewed) =>
      first === undefined && opening !== undefined
        ? opening.then(() => renew(renewed))
        : renew(renewed),
  }
}

/** No verdict is no yes. */
const THREW: Refused = { ok: false, code: 'token_invalid', reason: 'check_threw' }

function isOfSame(a: AccessTokenClaims, b: AccessTokenClaims): boolean {
  return SAME.every((claim) => a[claim] === b[claim])
}

const SAME = ['iss', 'sub', 'client_id', 'sid', 'tid'] as const

/** A WebSocket as far as it must be closed: the standard's, or that of `ws`. */
export interface Closable {
  close(code: number, reason: string): void
}

/**
 * Closes a WebSocket when its token stands no longer: with 4401 and the code of the refusal as its reason,
 * or with 4503 where that cannot be told any more.
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
