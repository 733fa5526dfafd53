import { refusals, type RefusalCode } from '../../base/refusals.ts'
import { RETRY_AFTER_SEC } from '../problem.ts'
import type { Messages, ShownRefusal } from './catalogue/messages.ts'
import { linkTo, notice, paragraph } from './components.ts'
import { pathIn, speechFor } from './language.ts'
import { answerPage, type Html } from './layout.ts'
import type { Site } from './look/site.ts'

/** The parts of the page of a failure besides its code. */
export interface FailureParts {
  readonly headers?: Readonly<Record<string, string>>
  /** Undefined where the router answers: the page then has neither name nor words of the operator. */
  readonly site?: Site
  /** The form belongs to another session of this browser. */
  readonly isOldForm?: boolean
}

/**
 * Answers a request that no page can handle: a form that cannot be read, a page of another site, a wrong method,
 * or a failure of the server. The status is the same as in the JSON API.
 */
export function answerFailure(
  code: RefusalCode,
  request: Request,
  { headers = {}, site, isOldForm = false }: FailureParts = {},
): Response {
  const speech = speechFor(request, site)
  const { messages } = speech
  const { status } = refusals[code]
  const { title, text } = messages.failures[isOldForm ? 'old' : kindOf(code)]
  const isShown = !isOldForm && isShownRefusal(messages, code)
  const body: Html[] = [
    isShown ? notice(messages.refusals[code], { isError: true }) : paragraph(text),
    ...(isOldForm ? [linkTo(pathIn(speech, '/auth/account'), messages.account.title)] : []),
  ]
  return answerPage(
    { speech, site, title, isWrong: true, body },
    { status, headers: { ...retryAfter(status), ...headers } },
  )
}

/** Whether the pages have words for a refusal. */
export function isShownRefusal({ refusals: shown }: Messages, code: string): code is ShownRefusal {
  return Object.hasOwn(shown, code)
}

function kindOf(code: RefusalCode): keyof Messages['failures'] {
  if (code === 'method_not_allowed') return 'method'
  if (code === 'cookie_repeated') return 'cookies'
  return refusals[code].status >= 429 ? 'server' : 'request'
}

function retryAfter(status: number): Record<string, string> {
  return status === 503 ? { 'retry-after': String(RETRY_AFTER_SEC) } : {}
}
