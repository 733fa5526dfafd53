import type { ApiRoute } from '../router/define.ts'
import { readBytes } from '../body.ts'
import { styles } from '../router/styles.ts'
import { askLibrary } from './ask-library.ts'

/**
 * Lets the OpenID Connect library answer the grants of applications at the token endpoint. The grant of service accounts
 * stays with its own handler, and so does a request without a grant, for its error message.
 */
export function withApplications(row: ApiRoute): ApiRoute {
  return {
    ...row,
    bind: (services) => {
      const answerServiceAccount = row.bind(services)
      const { sso } = services
      if (sso === undefined) return answerServiceAccount
      return async (request, caller, params) => {
        const grant = await grantOf(request)
        if (grant === undefined || grant === 'client_credentials') {
          return answerServiceAccount(request, caller, params)
        }
        const answer = await askLibrary(services, sso, { request, caller, sessionId: undefined })
        return answer?.response ?? styles.oauth.refuse('body_too_large', request)
      }
    },
  }
}

/** Returns the grant type in a form. Undefined if the body is no form, or names no grant. Both handlers check the form again. */
async function grantOf(request: Request): Promise<string | undefined> {
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) return undefined
  const body = await readBytes(request.clone())
  const grant = body && new URLSearchParams(body.toString()).get('grant_type')
  return grant === null || grant === '' ? undefined : grant
}
