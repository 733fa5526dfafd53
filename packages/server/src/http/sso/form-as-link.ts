import { readBytes } from '../body.ts'
import { answerFailure } from '../pages/failure-page.ts'
import { redirectTo } from '../pages/layout.ts'
import type { HttpServices } from '../services.ts'

/**
 * Answers a request that an application sends as a form (OpenID Connect Core 1.0 §3.1.2.1, OpenID Connect RP-Initiated
 * Logout 1.0 §2). Browsers send no cookie with it from another site, so they send it once more as a link.
 */
export async function answerFormAsLink(
  { site }: HttpServices,
  request: Request,
): Promise<Response> {
  const body = await readBytes(request)
  if (body === undefined) return answerFailure('body_too_large', request, { site })
  const parameters = new URLSearchParams(body.toString())
  return redirectTo(`${new URL(request.url).pathname}?${parameters.toString()}`)
}
