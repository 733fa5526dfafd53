import { SignerFault, SourceFault, StoreFault } from '../base/faults.ts'
import type { Session } from '../store/rows.ts'
import { mintAccessToken, type MintInput } from './access-token.ts'
import type { Granted, SessionServices } from './services.ts'
import { withCurrentAccount } from './current-account.ts'
import { makeRefreshToken } from './refresh-token.ts'
import { whyOver } from './standing.ts'

/** What a session is given at its sign-in and at every refresh. */
export async function grant(
  { ring, access, random, csrf }: SessionServices,
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

/**
 * The access token of a session that has just outlived what it took back: the one from before is refused
 * everywhere, though the session lives. Undefined where it does not, or where nobody can sign now: what was
 * asked for has happened, and a refresh brings the token as well.
 *
 * It ends when the one before would have (`expSec`): who has stolen an access token, and no more, must not be
 * able to make it last.
 */
export async function grantAfterwards(
  services: SessionServices,
  sessionId: string,
  { expSec, forCookies }: { readonly expSec: number; readonly forCookies: boolean },
): Promise<Granted | undefined> {
  try {
    const read = await services.store.sessions.state(sessionId)
    const state = read && (await withCurrentAccount(services, read))
    if (state === undefined || whyOver(state) !== undefined) return undefined
    const session = { ...state.session, endsAt: Math.min(state.session.endsAt, expSec * 1000) }
    return await grant(
      services,
      { ...state, session, now: services.clock.nowMs() },
      { withRefresh: false, forCookies },
    )
  } catch (error) {
    const isPassing = [StoreFault, SourceFault, SignerFault].some((fault) => error instanceof fault)
    if (isPassing) return undefined
    throw error
  }
}
