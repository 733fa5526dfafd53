import type { Logger } from 'pino'

import { SignerFault, SourceFault, StoreFault, messageOf } from '../base/faults.ts'
import type { RefusalCode } from '../base/refusals.ts'
import type { AnswerStyle } from './router/route.ts'
import { styles } from './router/styles.ts'

/**
 * Creates the answers to errors that handlers throw, in the style of the route, and logs the errors. A fault
 * of the store, the signer or the application is answered 503, because a retry may help. Any other error is a
 * bug, and is answered 500.
 */
export function createErrorAnswer(
  logger: Logger,
): (error: unknown, request: Request, style: AnswerStyle) => Response {
  return (error, request, style) => {
    const code = codeOf(error)
    logger.error({
      event: code,
      path: new URL(request.url).pathname,
      ...(error instanceof SourceFault
        ? error.details
        : { error: messageOf(error), stack: stackOf(error) }),
    })
    return styles[style].refuse(code, request)
  }
}

function codeOf(error: unknown): RefusalCode {
  if (error instanceof StoreFault) return 'store_unavailable'
  if (error instanceof SignerFault) return 'signer_unavailable'
  return error instanceof SourceFault ? 'accounts_unavailable' : 'internal_error'
}

function stackOf(error: unknown): string | undefined {
  return error instanceof StoreFault || !(error instanceof Error) ? undefined : error.stack
}
