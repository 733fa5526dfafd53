import type { AccountManager, ManagedCode } from '../accounts/manage.ts'
import { refusals, type RefusalCode } from '../base/refusals.ts'
import type { Caller, SessionServices } from '../sessions/services.ts'
import { countTry } from '../sessions/sign-in.ts'
import { isFromForeignPage } from './browser/page-origin.ts'
import { answerJson } from './browser/session-answers.ts'
import { readFields } from './fields.ts'
import { problem, problemFor } from './problem.ts'

/**
 * `POST /auth/signup`: makes an account without roles, where the settings allow it. Logs nobody in, so
 * that no other site can put a visitor into an account of its own. Takes nothing from pages of other
 * sites: their visitors would make accounts from thousands of addresses, past the throttle. Each
 * counts as a try from its address. That a name is taken has to be said: without mail there is no
 * other way to tell.
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
  const tries = services.throttle.bucketsOf({
    usernameKey: '',
    address: caller.address,
    // Where addresses are not known, all sign-ups count together.
    isKnownAddress: caller.address !== '',
  })
  const throttled = await countTry(services, tries)
  if (throttled !== undefined) return problemFor(throttled)
  const created = await accounts.create(fields.values, 'anonymous')
  if (!created.ok) return problem(codeOf(created.code), {}, { detail: created.text })
  return answerJson(201, { sub: created.value.id, username: created.value.username })
}

/** The manager's code, where a client that signs up can have caused it. */
function codeOf(code: ManagedCode): RefusalCode {
  return Object.hasOwn(refusals, code) ? (code as RefusalCode) : 'internal_error'
}
