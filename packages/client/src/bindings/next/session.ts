import { headers as requestHeaders } from 'next/headers.js'
import { cache } from 'react'

import { exchange } from '../../exchange.ts'
import type { Session } from '../../session.ts'
import { readClaims, type Claims } from './claims.ts'
import { cookiesNamed, readCookie } from './cookie-header.ts'
import type { Settings } from './settings.ts'

/** The claims of an access token about a session. The token has no username and no permissions; `loadSession` gets them. */
export interface ServerSession extends Pick<
  Session,
  'sub' | 'user_id' | 'roles' | 'tenant' | 'tenant_roles' | 'sid' | 'auth_time'
> {
  /** All claims of the access token. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** A guard of `@countersign/guard`. */
export interface TokenGuard {
  verify(token: string): { readonly ok: boolean } | PromiseLike<{ readonly ok: boolean }>
}

/**
 * The session as server components, route handlers and server functions read it. Nothing here refreshes, because a server component
 * cannot send cookies to the browser. All results are `null` if nobody is logged in. They are `undefined` if that is
 * not known: the authority cannot be reached, or the browser withholds the refresh token after a link from another site.
 */
export interface SessionReaders {
  /**
   * Reads the session from the access cookie, without a network call. **Without a guard it is for display only**:
   * whoever sends the cookie can write anything into it. With a guard, the token is verified.
   */
  readonly getSession: (options?: {
    readonly guard?: TokenGuard
  }) => Promise<ServerSession | null | undefined>
  /**
   * Asks the authority about the session, once for each rendering. The authority verifies the token. Its result fits
   * `initialSession` of `CountersignProvider`.
   */
  readonly loadSession: () => Promise<Session | null | undefined>
  /** Returns the access token, to call an API with. Never give it to a client component. */
  readonly getAccessToken: () => Promise<string | null | undefined>
}

/** Creates the functions that read the session of the request that is being answered. */
export function createSessionReaders({ names, url }: Settings): SessionReaders {
  async function findToken(): Promise<{ token?: string; none: null | undefined }> {
    const headers = await requestHeaders()
    const cookies = headers.get('cookie')
    const token = readCookie(cookies, names.access)
    const claims = token === undefined ? undefined : readClaims(token)
    const isUsable = claims !== undefined && claims.exp * 1000 > Date.now()
    // The refresh cookie is SameSite=Strict.
    const isWithheld = headers.get('sec-fetch-site') === 'cross-site'
    const mayBeLoggedIn = isWithheld || cookiesNamed(cookies, names.refresh).length > 0
    const none = mayBeLoggedIn ? undefined : null
    return isUsable && token !== undefined ? { token, none } : { none }
  }

  const load = cache(async (token: string): Promise<Session | undefined> => {
    try {
      const init = { headers: { authorization: `Bearer ${token}` } }
      // The authority's schema for this answer has the members of a session.
      return (await exchange(`${url}/auth/me`, init)) as unknown as Session
    } catch {
      return undefined
    }
  })

  return {
    async getSession({ guard } = {}) {
      const { token, none } = await findToken()
      if (token === undefined) return none
      if (guard !== undefined && !(await guard.verify(token)).ok) return none
      const claims = readClaims(token)
      return claims === undefined ? none : describe(claims)
    },
    async loadSession() {
      const { token, none } = await findToken()
      return token === undefined ? none : ((await load(token)) ?? none)
    },
    async getAccessToken() {
      const { token, none } = await findToken()
      return token ?? none
    },
  }
}

function describe(claims: Claims): ServerSession {
  const { sub, sid, roles, user_id: userId = sub, tid: id, tenant_roles: tenantRoles } = claims
  return {
    sub,
    user_id: userId,
    roles,
    ...(tenantRoles === undefined ? {} : { tenant_roles: tenantRoles }),
    tenant: id === undefined ? null : { id, name: claims.tenant_name ?? id },
    sid,
    auth_time: claims.auth_time,
    claims,
  }
}
