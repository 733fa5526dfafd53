import type { AccountManager } from '../accounts/manage.ts'
import type { Caller, SessionServices } from '../sessions/services.ts'
import { signUp } from '../sessions/sign-up.ts'
import { isFromForeignPage } from './browser/page-origin.ts'
import { answerJson } from './browser/session-answers.ts'
import { readFields } from './fields.ts'
import { problem, problemFor } from './problem.ts'

/**
 * `POST /auth/signup`: creates an account without roles, if the settings allow it. Rejects requests from
 * pages of other sites: their visitors could create accounts from thousands of addresses, past the
 * throttle.
 */
export async function answerSignUp(
  services: SessionServices,
  accounts: AccountManager,
  origins: ReadonlySet<string>,
  request: Request,
  caller: Caller,
): Promise<Response> {
  if (isFromForeignPage(request, origins)) return problem('csrf_failed')
  const fields = await readFields(request, { required: ['username', 'password'] })
  if (!fields.ok) return fields.response
  const signedUp = await signUp(services, accounts, fields.values, caller)
  if (!signedUp.ok) return problemFor(signedUp)
  const { id, username } = signedUp.account
  return answerJson(201, { sub: id, username })
}
