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
export async function leaveSignIn(
  { sessions: { store } }: HttpServices,
  { account, namesTenant, destination, speech, cookies }: Leaving,
): Promise<Response> {
  const tenants = namesTenant ? [] : await store.tenants.membershipsOf(account.id)
  const next =
    tenants.length > 1
      ? pathIn(speech, '/auth/account/choose-tenant', { return_to: destination.given })
      : destination.href
  return redirectTo(next, cookies)
}
