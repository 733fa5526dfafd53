import type { Authentication, CsrfRule, RouteDescription } from '../router/route.ts'

const AUTHENTICATION: Readonly<Record<Authentication, string>> = {
  none: 'Requires no authentication.',
  session:
    'Requires the access token of a person: in the header `Authorization: Bearer TOKEN`, or in the access cookie.',
  refresh_cookie: 'Requires the refresh cookie.',
  session_or_cookie:
    'Takes an access token in the header `Authorization: Bearer TOKEN`; without one, the refresh cookie.',
  client:
    'Requires a service account: its id and secret in a Basic header (RFC 7617), or as `client_id` and `client_secret` in the form.',
  guard:
    'Requires a service account that is not bound to a tenant: its id and secret in a Basic header (RFC 7617).',
}

const CSRF: Readonly<Record<CsrfRule, string>> = {
  none: 'None: the route changes nothing for the owner of a cookie.',
  cookie:
    'With a cookie, requires a page of an allowed origin and the CSRF token in `X-CSRF-Token`. With a token in the `Authorization` header, requires neither.',
  always: 'Requires a page of an allowed origin and the CSRF token in `X-CSRF-Token`.',
  origin:
    'Rejects browsers on pages of other origins. Programs that are not browsers need nothing.',
}

/** Who may call a route: a sentence or two. */
export function accessText({
  authentication,
  permission,
}: Pick<RouteDescription, 'authentication' | 'permission'>): string {
  const text = AUTHENTICATION[authentication]
  return permission === undefined ? text : `${text} Requires the permission \`${permission}\`.`
}

/** How a route resists requests from pages of other sites. */
export function aboutCsrf({ csrf }: Pick<RouteDescription, 'csrf'>): string {
  return CSRF[csrf]
}
