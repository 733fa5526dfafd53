import { createHash } from 'node:crypto'

import type { Caller } from '../../sessions/services.ts'
import { refusals } from '../../base/refusals.ts'
import { problem } from '../problem.ts'
import { isFresh } from './etag.ts'
import type { ApiRoute } from './define.ts'
import { lazy } from './lazy.ts'
import type { Feature, RouteDescription } from './route.ts'
import type { HttpServices } from '../services.ts'

interface PublicSpec extends Pick<
  RouteDescription,
  'id' | 'path' | 'tag' | 'summary' | 'description'
> {
  readonly feature?: Feature
}

/** A page for people, without session and cookies. */
export interface PageSpec extends PublicSpec {
  /** The Content-Security-Policy of the page. */
  readonly policy: (html: string) => string
  /** Renders the HTML at the first request. */
  readonly render: (services: HttpServices) => string
}

/** Makes the row of an HTML page. The HTML is rendered once, at the first request. */
export function definePage({ policy, render, ...about }: PageSpec): ApiRoute {
  return {
    ...publicRow(about),
    kind: 'page',
    answers: () => [{ status: 200, description: 'The page.', media: 'text/html' }],
    bind: (services) => {
      const page = lazy(() => {
        const html = render(services)
        const headers = {
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-cache',
          'content-security-policy': policy(html),
          'cross-origin-opener-policy': 'same-origin',
        }
        return { html, headers }
      })
      return () => new Response(page().html, { headers: page().headers })
    },
  }
}

/** A page whose HTML differs from request to request. */
export interface LivePageSpec extends PublicSpec {
  readonly policy: string
  /** Renders the HTML. Undefined: the caller gets 404, as if there were no page. */
  readonly render: (
    services: HttpServices,
    request: Request,
    caller: Caller,
  ) => Promise<string | undefined>
}

/** Makes the row of an HTML page that is rendered at each request and never cached. */
export function defineLivePage({ policy, render, ...about }: LivePageSpec): ApiRoute {
  return {
    ...publicRow(about),
    kind: 'page',
    answers: () => [{ status: 200, description: 'The page.', media: 'text/html' }],
    refusals: [{ code: 'not_found', ...refusals.not_found }],
    bind: (services) => async (request, caller) => {
      const html = await render(services, request, caller)
      if (html === undefined) return problem('not_found')
      return new Response(html, {
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-store',
          'content-security-policy': policy,
          'cross-origin-opener-policy': 'same-origin',
        },
      })
    },
  }
}

/** A file that never changes while the server runs. */
export interface AssetSpec extends PublicSpec {
  readonly media: string
  /** Reads the file, at the first request. */
  readonly read: () => Uint8Array<ArrayBuffer> | string
}

/**
 * Makes the row of a file. It is read at the first request and kept. Browsers ask again at each use, and get
 * 304 while the file is the same.
 */
export function defineAsset({ media, read, ...about }: AssetSpec): ApiRoute {
  return {
    ...publicRow(about),
    kind: 'asset',
    answers: () => [
      { status: 200, description: 'The file.', media },
      { status: 304, description: 'The copy that `If-None-Match` names is current.' },
    ],
    bind: () => {
      const file = lazy(() => {
        const bytes = read()
        const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
        return { bytes, headers: { etag, 'cache-control': 'no-cache' } }
      })
      return (request) => {
        const { bytes, headers } = file()
        return isFresh(request, headers.etag)
          ? new Response(null, { status: 304, headers })
          : new Response(bytes, { headers: { ...headers, 'content-type': media } })
      }
    },
  }
}

/** The common parts of the rows of public pages and files. */
export function publicRow(about: PublicSpec): Omit<ApiRoute, 'kind' | 'answers' | 'bind'> {
  return {
    feature: undefined,
    ...about,
    method: 'GET',
    isExact: true,
    style: 'problem',
    authentication: 'none',
    csrf: 'none',
    permission: undefined,
    revokes: false,
    hashes: false,
    params: undefined,
    query: undefined,
    body: undefined,
    refusals: [],
  }
}
