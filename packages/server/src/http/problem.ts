import { refusals, type RefusalCode } from '../base/refusals.ts'
import type { Refusal } from '../sessions/services.ts'

/** The `Retry-After` of a 503, in seconds. */
export const RETRY_AFTER_SEC = 1

/** The titles of problem documents. With `about:blank` they are the HTTP status phrases (RFC 9457 §4.2.1). */
export const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/**
 * Makes a refusal as an RFC 9457 problem document with its stable `code`. `more` are additional headers.
 * `members` are added to the body.
 */
export function problem(
  code: RefusalCode,
  more: Record<string, string> = {},
  members: Record<string, unknown> = {},
): Response {
  const { status, headers, text } = problemText(code, members)
  return new Response(text, { status, headers: { ...headers, ...more } })
}

/** Makes the problem document of a refused session operation, with everything that the refusal says. */
export function problemFor({ code, retryAfterSec, text, pending, stepUp }: Refusal): Response {
  return problem(
    code,
    {
      ...(retryAfterSec === undefined ? {} : { 'retry-after': String(retryAfterSec) }),
      ...(stepUp === undefined ? {} : { 'www-authenticate': stepUpChallenge(stepUp) }),
    },
    {
      ...(text === undefined ? {} : { detail: text }),
      ...(pending === undefined ? {} : describePending(pending)),
      ...stepUp,
    },
  )
}

/** Describes how a sign-in continues, as members of the answer. */
export function describePending({
  ticket,
  methods,
  enrol,
  expiresInSec,
}: NonNullable<Refusal['pending']>): Record<string, unknown> {
  return { ticket, methods, enrol, expires_in: expiresInSec }
}

/** The challenge of RFC 9470 §3. Its values have no quotes. */
function stepUpChallenge(stepUp: NonNullable<Refusal['stepUp']>): string {
  const parameters = Object.entries({ error: 'insufficient_user_authentication', ...stepUp })
  return `Bearer ${parameters.map(([name, value]) => `${name}="${value}"`).join(', ')}`
}

/** Like `problem`, for code that answers without a `Response`. */
export function problemText(
  code: RefusalCode,
  members: Record<string, unknown> = {},
): {
  readonly status: number
  readonly headers: Record<string, string>
  readonly text: string
} {
  const { status, text } = refusals[code]
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(status === 503 ? { 'retry-after': String(RETRY_AFTER_SEC) } : {}),
    },
    text: JSON.stringify({
      type: 'about:blank',
      title: titles[status],
      status,
      detail: text,
      code,
      ...members,
    }),
  }
}
