import { checkOrigin } from '@countersign/guard'

/** Whether a page that may use the cookies sent the request, by what the browser says of it. */
export function isFromOurOrigin(
  { headers, method }: Request,
  origins: ReadonlySet<string>,
): boolean {
  const secFetchSite = headers.get('sec-fetch-site') ?? undefined
  const origin = headers.get('origin') ?? undefined
  return checkOrigin({ method, secFetchSite, origin }, origins) === 'ok'
}

/**
 * Whether a browser says that a page of somebody else's sent the request. For what uses no cookie and
 * which programs may call too: those say nothing of a page.
 */
export function isFromForeignPage(request: Request, origins: ReadonlySet<string>): boolean {
  const { headers } = request
  if (!headers.has('sec-fetch-site') && !headers.has('origin')) return false
  return !isFromOurOrigin(request, origins)
}
