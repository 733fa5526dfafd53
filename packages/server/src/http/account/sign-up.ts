import type { AccountManager } from '../../accounts/manage.ts'
import type { Caller, SessionServices } from '../../sessions/services.ts'
import { signUp } from '../../sessions/sign-up.ts'
import { answerJson } from '../browser/session-answers.ts'
import { problemFor } from '../problem.ts'

/** `POST /auth/signup`: creates an account without roles. Opens no session. */
export async function answerSignUp(
  services: SessionServices,
  accounts: AccountManager,
  credentials: { readonly username: string; readonly password: string },
  caller: Caller,
): Promise<Response> {
  const signedUp = await signUp(services, accounts, credentials, caller)
  if (!signedUp.ok) return problemFor(signedUp)
  const { id, username } = signedUp.account
  return answerJson(201, { sub: id, username })
}
