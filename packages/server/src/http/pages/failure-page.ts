import { refusals, type RefusalCode } from '../../base/refusals.ts'
import { RETRY_AFTER_SEC } from '../problem.ts'
import type { Messages, ShownRefusal } from './catalogue/messages.ts'
import { notice, paragraph } from './components.ts'
import { speechFor } from './language.ts'
import { answerPage } from './layout.ts'

/**
 * Answers a request that no page can handle: a form that cannot be read, a page of another site, a wrong method,
 * or a failure of the server. The status is the same as in the JSON API.
 */
export function answerFailure(
  code: RefusalCode,
  request: Request,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const speech = speechFor(request)
  const { messages } = speech
  const { status } = refusals[code]
  const { title, text } = messages.failures[kindOf(code)]
  const isShown = isShownRefusal(messages, code)
  const body = isShown ? notice(messages.refusals[code], { isError: true }) : paragraph(text)
  return answerPage(
    { speech, title, isWrong: true, body: [body] },
    { status, headers: { ...retryAfter(status), ...headers } },
  )
}

/** Whether the pages have words for a refusal. */
export function isShownRefusal({ refusals: shown }: Messages, code: string): code is ShownRefusal {
  return Object.hasOwn(shown, code)
}

function kindOf(code: RefusalCode): keyof Messages['failures'] {
  if (code === 'method_not_allowed') return 'method'
  return refusals[code].status >= 429 ? 'server' : 'request'
}

function retryAfter(status: number): Record<string, string> {
  return status === 503 ? { 'retry-after': String(RETRY_AFTER_SEC) } : {}
}
