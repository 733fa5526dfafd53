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
export function problem(code: RefusalCode, headers: Record<string, string> = {}): Response {
  const { status, text } = refusals[code]
  const body = { type: 'about:blank', title: titles[status], status, detail: text, code }
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(status === 503 ? { 'retry-after': String(RETRY_AFTER_SEC) } : {}),
      ...headers,
    },
  })
}
