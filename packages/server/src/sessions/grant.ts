import { SignerFault, SourceFault, StoreFault } from '../base/faults.ts'
import type { GrantedSession } from '../store/rows.ts'
import { mintAccessToken, type MintInput } from './access-token.ts'
import type { Granted, SessionServices } from './services.ts'
import { withCurrentAccount } from './current-account.ts'
import { makeRefreshToken } from './refresh-token.ts'
import { whyOver } from '../store/standing.ts'

/** Mints the tokens of a session, at its sign-in and at every refresh. */
export async function grant(
  { ring, access, random, csrf }: SessionServices,
  input: MintInput & { readonly session: GrantedSession },
  options: { readonly withRefresh: boolean; readonly forCookies?: boolean | undefined },
): Promise<Granted> {
  return {
    ok: true,
    session: input.session,
    account: input.account,
    refresh: options.withRefresh
      ? makeRefreshToken(ring, access.issuer, input.session, input.account.userId, input.jkt)
      : undefined,
    access: await mintAccessToken(ring.accessSigner, access, random, {
      ...input,
      csrfToken: options.forCookies === true ? csrf.forSession(input.session.id) : undefined,
    }),
  }
}

/**
 * Mints a new access token for a session that survived its own revocation of all sessions. Its old token is
 * rejected at every guard although the session is live. Returns undefined if the session is over. It also
 * returns undefined if no token can be signed now: the revocation is done, and a refresh returns a token
 * later.
 *
 * The new token expires when the old token would have expired (`expSec`, in seconds since 1970). Otherwise a
 * thief with only an access token could extend its life.
 */
export async function grantAfterwards(
  services: SessionServices,
  sessionId: string,
  {
    expSec,
    forCookies,
    jkt,
  }: {
    readonly expSec: number
    readonly forCookies: boolean
    readonly jkt?: string | undefined
  },
): Promise<Granted | undefined> {
  try {
    const read = await services.store.sessions.state(sessionId)
    const state = read && (await withCurrentAccount(services, read))
    if (state === undefined || whyOver(state) !== undefined) return undefined
    const session = { ...state.session, endsAt: Math.min(state.session.endsAt, expSec * 1000) }
    return await grant(
      services,
      { ...state, session, jkt, now: services.clock.nowMs() },
      { withRefresh: false, forCookies },
    )
  } catch (error) {
    const isPassing = [StoreFault, SourceFault, SignerFault].some((fault) => error instanceof fault)
    if (isPassing) return undefined
    throw error
  }
}
