import { checkOrigin } from '@countersign/guard'

/** Whether the browser's headers show that the request came from a page that may use the cookies. */
export function isFromOurOrigin(
  { headers, method }: Request,
  origins: ReadonlySet<string>,
): boolean {
  const secFetchSite = headers.get('sec-fetch-site') ?? undefined
  const origin = headers.get('origin') ?? undefined
  return checkOrigin({ method, secFetchSite, origin }, origins) === 'ok'
}

/**
 * Whether the browser's headers show that the request came from a page of another site. It is for routes
 * without cookies: other programs may call them, and these send no such headers.
 */
export function isFromForeignPage(request: Request, origins: ReadonlySet<string>): boolean {
  const { headers } = request
  if (!headers.has('sec-fetch-site') && !headers.has('origin')) return false
  return !isFromOurOrigin(request, origins)
}
