import { HttpException } from '@nestjs/common'

import type { Refused } from '../../refusals.ts'
import type { Challenge } from '../../request/challenge.ts'

/**
 * The exception that the guard throws for a refused request. NestJS's own filter answers it with its status
 * and its problem document (RFC 9457). The guard has then already set the headers of the answer.
 */
export class AccessRefusedException extends HttpException {
  /** The refusal, with its precise cause in `reason`: for logs, never for the client. */
  readonly refused: Refused
  /**
   * The headers of the answer, such as `www-authenticate` and `retry-after`. A filter that replaces the whole
   * answer should send them.
   */
  readonly headers: Readonly<Record<string, string>>

  /**
   * Makes the exception for a refusal and the answer to it. Outside HTTP, the response also has `statusCode`:
   * NestJS's GraphQL driver knows by it that an exception is UNAUTHENTICATED or FORBIDDEN. In HTTP, that
   * member would make NestJS change the Content-Type.
   */
  constructor(refused: Refused, { status, headers, body }: Challenge, isHttp = true) {
    const problem = JSON.parse(body) as { readonly detail: string }
    super(isHttp ? problem : { ...problem, statusCode: status }, status)
    this.message = problem.detail
    this.refused = refused
    // The framework writes the body and measures it.
    const { 'content-length': _, ...rest } = headers
    this.headers = rest
  }
}
