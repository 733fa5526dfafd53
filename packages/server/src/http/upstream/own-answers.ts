import { refuseUnlessFresh } from '../../sessions/freshness.ts'
import { refuse, type Caller, type Refusal } from '../../sessions/services.ts'
import { beginAtProvider, type Begun } from '../../upstream/begin.ts'
import { listIdentities, unlinkOwnIdentity } from '../../upstream/own-identities.ts'
import type { CurrentSession } from '../../sessions/own-sessions.ts'
import type { LoggedIn } from '../account/gates.ts'
import { answerJson, sessionCookies } from '../browser/session-answers.ts'
import { destinationOf } from '../pages/return-to.ts'
import { problemFor } from '../problem.ts'
import type { Input } from '../router/define.ts'
import type { HttpServices } from '../services.ts'
import { begunCookies } from './begun-cookies.ts'
import { requireUpstream } from './features.ts'

/** Begins to link an identity, in the browser of a session, which must be fresh. */
export async function beginLink(
  services: HttpServices,
  { state }: Pick<CurrentSession, 'state'>,
  wish: {
    readonly provider: string
    readonly returnTo?: string | undefined
    readonly language?: string | undefined
  },
): Promise<(Begun & { readonly title: string }) | Refusal> {
  const upstream = requireUpstream(services)
  const stale = await refuseUnlessFresh(services.sessions, { state }, { hasProvenPassword: false })
  if (stale !== undefined) return stale
  const provider = upstream.providers.get(wish.provider)
  if (provider === undefined) return refuse('not_found')
  const begun = await beginAtProvider(upstream, {
    provider,
    purpose: { kind: 'link', accountId: state.account.id, sessionId: state.session.id },
    returnTo: destinationOf(services, wish.returnTo).given,
    tenant: undefined,
    language: wish.language,
    replaces: undefined,
  })
  return begun.ok ? { ...begun, title: provider.title } : refuse(begun.code)
}

/** The fields with which a page begins to link an identity. */
export interface LinkBody {
  readonly provider: string
  readonly return_to?: string | undefined
}

/** `POST /auth/identities/link`: the URL to which the page sends its browser. The cookie binds the log-in to it. */
export async function answerBeginLink(
  services: HttpServices,
  { who, request, body }: Input<LoggedIn, unknown, unknown, LinkBody>,
): Promise<Response> {
  const wish = { provider: body.provider, returnTo: body.return_to }
  // Without cookies, the browser that comes back could be that of anybody.
  const begun = who.isCookie ? await beginLink(services, who, wish) : refuse('cookie_missing')
  return begun.ok
    ? answerJson(200, { url: begun.url }, begunCookies(services.cookies, request, begun))
    : problemFor(begun)
}

/** `GET /auth/identities`. */
export async function answerIdentities(
  services: HttpServices,
  { who }: Pick<Input<LoggedIn, unknown, unknown, unknown>, 'who'>,
): Promise<Response> {
  const upstream = requireUpstream(services)
  const identities = await listIdentities(upstream, who.state.account.id)
  return answerJson(200, {
    identities: identities.map(({ id, provider, label, linkedAt, lastUsedAt }) => ({
      id,
      provider,
      title: upstream.providers.get(provider)?.title ?? provider,
      label,
      linked_at: toSec(linkedAt),
      last_used_at: lastUsedAt === undefined ? null : toSec(lastUsedAt),
    })),
  })
}

/** `DELETE /auth/identities/{id}`. */
export async function answerUnlink(
  services: HttpServices,
  {
    who,
    params,
    caller,
  }: {
    readonly who: LoggedIn
    readonly params: { readonly id: string }
    readonly caller: Caller
  },
): Promise<Response> {
  const done = await unlinkOwnIdentity(requireUpstream(services), who, params.id, caller)
  if (!done.ok) return problemFor(done)
  const { renewed } = done
  if (renewed === undefined) return answerJson(200, {})
  return who.isCookie
    ? answerJson(200, {}, sessionCookies(services.sessions, who.cookies, renewed))
    : answerJson(200, { access: renewed.access })
}

function toSec(ms: number): number {
  return Math.floor(ms / 1000)
}
