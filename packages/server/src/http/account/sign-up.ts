import { askToSignUp } from '../../by-mail/sign-up.ts'
import type { Caller } from '../../sessions/services.ts'
import { signUp } from '../../sessions/sign-up.ts'
import { answerJson } from '../browser/session-answers.ts'
import { answerAsked, localeOf } from '../by-mail/answers.ts'
import { problem, problemFor } from '../problem.ts'
import type { HttpServices } from '../services.ts'

interface SignUpInput {
  readonly request: Request
  readonly caller: Caller
  readonly body: {
    readonly username?: string | undefined
    readonly email?: string | undefined
    readonly password: string
  }
}

/** `POST /auth/signup`: creates an account without roles, or sends a mail first. Opens no session. */
export async function answerSignUp(
  services: HttpServices,
  { request, caller, body }: SignUpInput,
): Promise<Response> {
  const { sessions, accounts, byMail, http } = services
  // The feature `ownAccounts` guarantees that `accounts` exists.
  if (accounts === undefined) throw new TypeError('Sign-up requires the accounts of Countersign.')
  const { email, password, username } = body
  if (http.signUpVerified && byMail !== undefined) {
    if (email === undefined) return missing('email')
    const asking = { email, password, username: username ?? email, locale: localeOf(request) }
    return answerAsked(services, await askToSignUp(byMail, asking, caller))
  }
  // Whether the address is free would reveal who has an account.
  if (email !== undefined) return problem('email_unproved')
  if (username === undefined) return missing('username')
  const signedUp = await signUp(sessions, accounts, { username, password }, caller)
  if (!signedUp.ok) return problemFor(signedUp)
  const { id, username: created } = signedUp.account
  return answerJson(201, { sub: id, username: created })
}

function missing(field: string): Response {
  return problem('fields_invalid', {}, { fields: [field] })
}
