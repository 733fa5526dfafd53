import { NextResponse, type NextRequest } from 'next/server.js'

import { applySetCookies } from './cookie-header.ts'
import { findDueToken } from './due.ts'
import { refreshSession } from './refresh.ts'
import type { Respond, Settings } from './settings.ts'
import { shareRefreshes } from './shared-refreshes.ts'

/**
 * Creates the function that Next.js calls before it renders. It gives the new cookies to the page that is rendered
 * and to the browser. If only one of them got them, the other would refresh again.
 */
export function createProxy(settings: Settings): (request: NextRequest) => Promise<Response> {
  const { names, respond = goOn } = settings
  const refresh = shareRefreshes((request) => refreshSession(settings, request))
  return async (request) => {
    if (request.nextUrl.pathname.startsWith('/auth/')) return passOn(settings, request)
    const headers = new Headers(request.headers)
    const refreshToken = findDueToken(headers, names, Date.now())
    const changes =
      refreshToken === undefined ? [] : await refresh({ refreshToken, browser: request.headers })
    if (changes.length === 0) return respond(request, headers)

    headers.set('cookie', applySetCookies(headers.get('cookie'), changes))
    const answer = await respond(request, headers)
    // The headers of an answer that somebody else made may be immutable.
    const changed = new NextResponse(answer.body, answer)
    for (const { line } of changes) changed.headers.append('set-cookie', line)
    // A cache that stored this answer would log others in.
    changed.headers.set('cache-control', 'private, no-store')
    return changed
  }
}

const goOn: Respond = (_, headers) => NextResponse.next({ request: { headers } })

/**
 * Passes a call of the page on to the authority, as it is. So the cookies and the page have one origin, and the
 * authority checks the CSRF token and the origin itself. Unlike a rewrite in `next.config`, the URL is not built in.
 */
function passOn({ url }: Settings, { nextUrl, headers }: NextRequest): Response {
  const target = `${url}${nextUrl.pathname}${nextUrl.search}`
  return NextResponse.rewrite(target, { request: { headers: new Headers(headers) } })
}
