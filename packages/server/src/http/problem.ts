import { refusals, type RefusalCode } from '../base/refusals.ts'

/** Seconds after which whoever got a 503 may try again. */
export const RETRY_AFTER_SEC = 1

const titles: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** A refusal as an RFC 9457 problem document with its stable `code`. */
export function problem(code: RefusalCode, more: Record<string, string> = {}): Response {
  const { status, headers, text } = problemText(code)
  return new Response(text, { status, headers: { ...headers, ...more } })
}

/** The same for whoever answers without a `Response`. */
export function problemText(code: RefusalCode): {
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
    }),
  }
}
