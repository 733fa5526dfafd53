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

/**
 * Makes the problem document of a refused session operation, with its `retryAfterSec` and `text` if they are
 * set.
 */
export function problemFor({ code, retryAfterSec, text }: Refusal): Response {
  return problem(
    code,
    retryAfterSec === undefined ? {} : { 'retry-after': String(retryAfterSec) },
    text === undefined ? {} : { detail: text },
  )
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
