import { refuse } from '../../sessions/services.ts'
import { redeemCode } from '../../upstream/application-code.ts'
import { linkIdentity } from '../../upstream/own-identities.ts'
import { signInByIdentity } from '../../upstream/sign-in.ts'
import { refuseUnlessFresh } from '../../sessions/freshness.ts'
import type { LoggedIn } from '../account/gates.ts'
import { answerJson } from '../browser/session-answers.ts'
import { problemFor } from '../problem.ts'
import type { Input } from '../router/define.ts'
import type { HttpServices } from '../services.ts'
import { requireUpstream } from './features.ts'

/** The fields with which an application exchanges a code. */
export interface ExchangeBody {
  readonly code: string
  readonly code_verifier: string
}

/** `POST /auth/upstream/exchange`: the code and the verifier of the application, for tokens. */
export async function exchangeCode(
  services: HttpServices,
  { body, caller }: Input<unknown, unknown, unknown, ExchangeBody>,
): Promise<Response> {
  const upstream = requireUpstream(services)
  const subject = await redeem(services, body)
  if (subject?.kind !== 'sign_in') return problemFor(refuse('upstream_void'))
  const opened = await signInByIdentity(upstream, subject, caller, { forCookies: false })
  return opened.ok
    ? answerJson(200, { refresh: opened.refresh, access: opened.access })
    : problemFor(opened)
}

/** `POST /auth/identities`: the same, for a person who links the identity. */
export async function linkByCode(
  services: HttpServices,
  { who, body, caller }: Input<LoggedIn, unknown, unknown, ExchangeBody>,
): Promise<Response> {
  const stale = await refuseUnlessFresh(services.sessions, who, { hasProvenPassword: false })
  if (stale !== undefined) return problemFor(stale)
  const subject = await redeem(services, body)
  if (subject?.kind !== 'link') return problemFor(refuse('upstream_void'))
  const { account, session } = who.state
  const by = { accountId: account.id, sessionId: session.id }
  const linked = await linkIdentity(requireUpstream(services), by, subject, caller)
  return linked.ok ? answerJson(204, undefined) : problemFor(linked)
}

function redeem(services: HttpServices, { code, code_verifier: verifier }: ExchangeBody) {
  const upstream = requireUpstream(services)
  return redeemCode({ ...upstream, store: upstream.sessions.store }, { code, verifier })
}
