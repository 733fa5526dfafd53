import type { Session } from '../store/rows.ts'
import { mintAccessToken, type MintInput } from './access-token.ts'
import type { Granted, SessionParts } from './parts.ts'
import { makeRefreshToken } from './refresh-token.ts'

/** What a session is given at its sign-in and at every refresh. */
export async function grant(
  { ring, access, random, csrf }: SessionParts,
  input: MintInput & { readonly session: Session },
  options: { readonly withRefresh: boolean; readonly forCookies?: boolean | undefined },
): Promise<Granted> {
  return {
    ok: true,
    session: input.session,
    account: input.account,
    refresh: options.withRefresh
      ? makeRefreshToken(ring, access.issuer, input.session, input.account.userId)
      : undefined,
    access: await mintAccessToken(ring.accessSigner, access, random, {
      ...input,
      csrfToken: options.forCookies === true ? csrf.forSession(input.session.id) : undefined,
    }),
  }
}
