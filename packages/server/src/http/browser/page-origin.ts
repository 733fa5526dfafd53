import { checkOrigin } from '@countersign/guard'

/** Whether the request came from a page that may use the cookies, by the browser's own headers. */
export function isFromOurOrigin(
  { headers, method }: Request,
  origins: ReadonlySet<string>,
): boolean {
  const secFetchSite = headers.get('sec-fetch-site') ?? undefined
  const origin = headers.get('origin') ?? undefined
  return checkOrigin({ method, secFetchSite, origin }, origins) === 'ok'
}

/**
 * Whether the browser's headers say that a page of another site sent the request. For routes that use
 * no cookie: other programs may call them, and send no such headers.
 */
export function isFromForeignPage(request: Request, origins: ReadonlySet<string>): boolean {
  const { headers } = request
  if (!headers.has('sec-fetch-site') && !headers.has('origin')) return false
  return !isFromOurOrigin(request, origins)
}
