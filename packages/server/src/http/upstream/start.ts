import { refuse } from '../../sessions/services.ts'
import { beginAtProvider } from '../../upstream/begin.ts'
import type { Purpose } from '../../upstream/transaction.ts'
import { readBrowser } from '../browser/browser-request.ts'
import { answerFailure } from '../pages/failure-page.ts'
import { redirectTo } from '../pages/layout.ts'
import { destinationOf } from '../pages/return-to.ts'
import type { Input } from '../router/define.ts'
import type { HttpServices } from '../services.ts'
import { answerUpstreamFailure } from './failure-page.ts'
import { begunCookies } from './begun-cookies.ts'
import { requireUpstream } from './features.ts'

/** The parameters of a log-in at a provider. */
export interface StartQuery {
  readonly return_to?: string | undefined
  readonly tenant?: string | undefined
  readonly lang?: string | undefined
  readonly redirect_uri?: string | undefined
  readonly code_challenge?: string | undefined
  readonly code_challenge_method?: string | undefined
  readonly state?: string | undefined
  readonly link?: string | undefined
}

/** `GET /auth/upstream/{name}`: sends the browser to the provider. */
export async function startUpstream(
  services: HttpServices,
  { request, params, query }: Input<unknown, { readonly name: string }, StartQuery, unknown>,
): Promise<Response> {
  const upstream = requireUpstream(services)
  const provider = upstream.providers.get(params.name)
  if (provider === undefined) return answerFailure('not_found', request, { site: services.site })
  const { title } = provider
  const { return_to: returnTo, lang: language, tenant } = query
  const visit = { request, title, returnTo, language }
  const purpose = purposeOf(services, query)
  if (purpose === undefined) {
    return answerUpstreamFailure(services, refuse('upstream_redirect_invalid'), visit)
  }
  const browser = readBrowser(services, request)
  const begun = await beginAtProvider(upstream, {
    provider,
    purpose,
    returnTo: destinationOf(services, returnTo).given,
    tenant,
    language,
    replaces: browser.ok ? browser.browser.sessionId : undefined,
  })
  return begun.ok
    ? redirectTo(begun.url, begunCookies(services.cookies, request, begun))
    : answerUpstreamFailure(services, refuse(begun.code), visit)
}

const STATE_CHARS_MAX = 512

/** An application that wants a code names where it gets it, and proves later that it was the one that asked. */
function purposeOf(services: HttpServices, query: StartQuery): Purpose | undefined {
  const { redirect_uri: redirectUri, code_challenge: challenge, state, link } = query
  if (redirectUri === undefined && challenge === undefined && link === undefined) {
    return { kind: 'sign_in' }
  }
  const isProper =
    redirectUri !== undefined &&
    isRegistered(services, redirectUri) &&
    challenge !== undefined &&
    /^[\w-]{43}$/.test(challenge) &&
    query.code_challenge_method === 'S256' &&
    (state === undefined || state.length <= STATE_CHARS_MAX)
  return isProper
    ? { kind: 'code', links: link !== undefined, redirectUri, challenge, state }
    : undefined
}

/** A URL of the settings, byte for byte, or a page at one of the origins that may use this server. */
function isRegistered(services: HttpServices, redirectUri: string): boolean {
  if (requireUpstream(services).redirects.includes(redirectUri)) return true
  const url = /^https?:\/\/[^\s\\\p{C}]+$/u.test(redirectUri) ? URL.parse(redirectUri) : null
  return (
    url !== null &&
    url.username === '' &&
    url.password === '' &&
    url.hash === '' &&
    redirectUri.startsWith(`${url.origin}/`) &&
    services.http.origins.includes(url.origin)
  )
}
