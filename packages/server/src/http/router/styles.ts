import type { RefusalCode } from '../../base/refusals.ts'
import { answerMethodNotAllowed, answerRefusal } from '../contract/answers.ts'
import { answerTokenRefusal } from '../oauth2/answers.ts'
import { problem } from '../problem.ts'
import type { AnswerStyle } from './route.ts'

/** How one style of answers says what the router itself has to say. */
export interface Style {
  /** A refusal. `fields` are the names of the wrong fields, if it is about fields. */
  readonly refuse: (code: RefusalCode, fields?: readonly string[]) => Response
  /** 405 for a method that the path does not answer. `allow` are the methods that it does answer. */
  readonly refuseMethod: (method: string, allow: string) => Response
  /** Whether OPTIONS gets 204 with `Allow`. Otherwise OPTIONS is a method like the others. */
  readonly answersOptions: boolean
  /**
   * Whether an answer gets all headers of `security-headers.ts`. The answers of the contract bring the
   * one header that matters for JSON: each further header costs a refresh a microsecond.
   */
  readonly isSecured: boolean
}

const problemStyle: Style = {
  refuse: (code, fields) => problem(code, {}, fields === undefined ? {} : { fields }),
  refuseMethod: (_method, allow) => problem('method_not_allowed', { allow }),
  answersOptions: false,
  isSecured: true,
}

/** The styles by their names in the route table. */
export const styles: Readonly<Record<AnswerStyle, Style>> = {
  problem: problemStyle,
  contract: {
    refuse: answerRefusal,
    refuseMethod: answerMethodNotAllowed,
    answersOptions: true,
    isSecured: false,
  },
  // RFC 6749 has no error for a wrong method: that answer is a problem document.
  oauth: { ...problemStyle, refuse: (code) => answerTokenRefusal(code) },
}
