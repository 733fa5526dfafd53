/** Why a provider did not say who the person is. */
export type AskFailure = 'upstream_refused' | 'upstream_unavailable'

/**
 * Reads what the client library or the network threw. Pure. The reason is for the log: codes only, because a message can
 * quote a token or what a client sent.
 */
export function whyFailed(error: unknown): { readonly code: AskFailure; readonly reason: string } {
  const { name = 'unknown', code, cause, status } = membersOf(error)
  const { status: answered, code: systemCode } = membersOf(cause)
  const parts = [name, code, systemCode, status ?? answered].filter((each) => isShort(each))
  const isUnavailable =
    [status, answered].some((each) => typeof each === 'number' && each >= 500) ||
    UNREACHABLE.has(String(name)) ||
    String(code) === 'OAUTH_TIMEOUT'
  return {
    code: isUnavailable ? 'upstream_unavailable' : 'upstream_refused',
    reason: parts.join(' '),
  }
}

/** `fetch` throws a `TypeError` if there is no answer at all. */
const UNREACHABLE: ReadonlySet<string> = new Set(['TypeError', 'TimeoutError', 'AbortError'])

interface ErrorMembers {
  readonly name?: unknown
  readonly code?: unknown
  readonly cause?: unknown
  readonly status?: unknown
}

function membersOf(value: unknown): ErrorMembers {
  return typeof value === 'object' && value !== null ? value : {}
}

function isShort(value: unknown): boolean {
  return (typeof value === 'string' && /^[\w.-]{1,64}$/.test(value)) || typeof value === 'number'
}
