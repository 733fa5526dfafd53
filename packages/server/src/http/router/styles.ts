import type { RefusalCode } from '../../base/refusals.ts'
import { answerMethodNotAllowed, answerRefusal } from '../contract/answers.ts'
import { answerTokenRefusal } from '../oauth2/answers.ts'
import { answerFailure } from '../pages/failure-page.ts'
import { problem } from '../problem.ts'
import type { AnswerStyle } from './route.ts'

/** The answers of the router itself, in one style. */
export interface Style {
  /** Makes a refusal. `fields` are the names of the invalid fields, if the refusal is about fields. */
  readonly refuse: (code: RefusalCode, request: Request, fields?: readonly string[]) => Response
  /** Answers 405 for a method that the path does not have. `allow` lists the methods of the path. */
  readonly refuseMethod: (request: Request, allow: string) => Response
  /** Whether OPTIONS gets 204 with `Allow`. Otherwise OPTIONS is treated like any other method. */
  readonly answersOptions: boolean
  /**
   * Whether an answer gets all headers of `security-headers.ts`. Answers of the contract already have the one
   * header that matters for JSON. Each further header costs a refresh a microsecond.
   */
  readonly isSecured: boolean
}

const problemStyle: Style = {
  refuse: (code, _request, fields) => problem(code, {}, fields === undefined ? {} : { fields }),
  refuseMethod: (_request, allow) => problem('method_not_allowed', { allow }),
  answersOptions: false,
  isSecured: true,
}

/** The styles by their names in the route table. */
export const styles: Readonly<Record<AnswerStyle, Style>> = {
  problem: problemStyle,
  contract: {
    refuse: answerRefusal,
    refuseMethod: ({ method }) => answerMethodNotAllowed(method),
    answersOptions: true,
    isSecured: false,
  },
  // RFC 6749 has no error for a wrong method, so that answer is a problem document.
  oauth: { ...problemStyle, refuse: (code) => answerTokenRefusal(code) },
  html: {
    ...problemStyle,
    refuse: (code, request) => answerFailure(code, request),
    refuseMethod: (request, allow) =>
      answerFailure('method_not_allowed', request, { headers: { allow } }),
  },
}
