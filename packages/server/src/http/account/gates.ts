import { challengeFor, refusals as guardRefusals, type GuardRefusalCode } from '@countersign/guard'

import type { RefusalCode } from '../../base/refusals.ts'
import type { CurrentSession } from '../../sessions/own-sessions.ts'
import { readProfile } from '../../sessions/profile.ts'
import { authenticate } from '../authenticate.ts'
import type { Cookies } from '../browser/cookies.ts'
import { isFromForeignPage } from '../browser/page-origin.ts'
import { problem } from '../problem.ts'
import type { Gate } from '../router/gate.ts'
import type { RefusalEntry } from '../router/route.ts'

/** The session that a request belongs to, and the cookies that its answer may set. */
export interface LoggedIn extends CurrentSession {
  readonly cookies: Cookies
}

/** A refusal with the guard's text, because the guard's own code verifies the access token here. */
function ofGuard(code: GuardRefusalCode): RefusalEntry {
  const { status, text } = guardRefusals[code]
  return { code, status, text }
}

/** Why a request with an access token, in the header or in the cookie, is refused. */
export const SESSION_REFUSALS: readonly (RefusalCode | RefusalEntry)[] = [
  ofGuard('token_missing'),
  ofGuard('request_malformed'),
  ofGuard('token_invalid'),
  ofGuard('token_expired'),
  ofGuard('csrf_failed'),
  'token_stale',
  'session_ended',
  'session_expired',
  'session_unknown',
  'account_disabled',
  'person_required',
]

/** Why a person without the permission of a route is refused. */
export const PERMISSION_MISSING: RefusalEntry = ofGuard('permission_missing')

/** Lets in a person with a valid access token and a live session. */
export const loggedIn: Gate<LoggedIn> = {
  authentication: 'session',
  csrf: 'cookie',
  refusals: SESSION_REFUSALS,
  isAfterBody: false,
  async enter({ sessions, cookies, origins }, { request }) {
    const rule = { name: cookies.name('access'), origins }
    const authenticated = await authenticate(sessions, rule, request)
    return authenticated.ok ? { ok: true, who: { ...authenticated, cookies } } : authenticated
  },
}

/** Like `loggedIn`, for a route that changes nothing: a browser needs an allowed page, but no CSRF token. */
export const loggedInReader: Gate<LoggedIn> = { ...loggedIn, csrf: 'none' }

/** Like `loggedIn`, for an account that has a permission through a global role. Roles in a tenant do not count. */
export function loggedInWith(permission: string): Gate<LoggedIn> {
  return {
    ...loggedIn,
    permission,
    refusals: [...SESSION_REFUSALS, PERMISSION_MISSING],
    async enter(services, visit) {
      const entered = await loggedIn.enter(services, visit)
      if (!entered.ok) return entered
      const { permissions } = await readProfile(services.sessions, entered.who.state)
      if (permissions.includes(permission)) return entered
      const refused = { ok: false, code: 'permission_missing', reason: 'permission' } as const
      const { status, headers, body } = challengeFor(refused, services.sessions.access.issuer)
      return { ok: false, response: new Response(body, { status, headers }) }
    },
  }
}

/**
 * Lets in everybody from an allowed page, and recognises a person with a valid session. A session that is over
 * counts as none. It is for a route that a mailed code protects.
 */
export const maybeLoggedIn: Gate<LoggedIn | undefined> = {
  authentication: 'none',
  csrf: 'origin',
  refusals: ['csrf_failed'],
  isAfterBody: false,
  async enter(services, visit) {
    const allowed = await noForeignPage.enter(services, visit)
    if (!allowed.ok) return allowed
    const entered = await loggedIn.enter(services, visit)
    return { ok: true, who: entered.ok ? entered.who : undefined }
  },
}

/**
 * Lets in programs, and browsers on pages of the server or of configured origins. It is for a route without
 * cookies that another site must not make its visitors call.
 */
export const noForeignPage: Gate<undefined> = {
  authentication: 'none',
  csrf: 'origin',
  refusals: ['csrf_failed'],
  isAfterBody: false,
  enter: ({ origins }, { request }) =>
    isFromForeignPage(request, origins)
      ? { ok: false, response: problem('csrf_failed') }
      : { ok: true, who: undefined },
}
