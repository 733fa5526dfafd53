import { factorDueAt } from '../../../with-factors/own-factors.ts'
import type { AccountClaims } from '../../../store/rows.ts'
import type { HttpServices } from '../../services.ts'
import { pathIn, type Speech } from '../language.ts'
import { redirectTo } from '../layout.ts'
import type { Destination } from '../return-to.ts'

/** A sign-in that has succeeded. */
export interface Leaving {
  readonly account: AccountClaims
  /** Whether the sign-in named a tenant. Otherwise a person with several tenants may choose one. */
  readonly namesTenant: boolean
  readonly destination: Destination
  readonly speech: Speech
  /** The Set-Cookie lines of the new session. */
  readonly cookies: readonly string[]
}

/**
 * Ends a sign-in on the pages: sends the browser on, with its new cookies. Every way to sign in on a page ends here,
 * after its last proof.
 */
export async function leaveSignIn(services: HttpServices, leaving: Leaving): Promise<Response> {
  return redirectTo(await nextAfterSignIn(services, leaving), leaving.cookies)
}

/**
 * Returns where a person goes after a sign-in: to the application, after choosing a tenant. During the grace of an
 * account that needs a second factor, a page says so first.
 */
export async function nextAfterSignIn(
  { sessions }: HttpServices,
  { account, namesTenant, destination, speech }: Omit<Leaving, 'cookies'>,
): Promise<string> {
  const tenants = namesTenant ? [] : await sessions.store.tenants.membershipsOf(account.id)
  const choice =
    tenants.length > 1
      ? pathIn(speech, '/auth/account/choose-tenant', { return_to: destination.given })
      : undefined
  const dueAt = await factorDueAt(sessions, account)
  return dueAt === undefined
    ? (choice ?? destination.href)
    : pathIn(speech, '/auth/account/due', { return_to: choice ?? destination.given })
}
