import type { Authentication, CsrfRule, RouteDescription } from '../router/route.ts'

const AUTHENTICATION: Readonly<Record<Authentication, string>> = {
  none: 'Anybody.',
  session:
    'A person with an access token: in the header `Authorization: Bearer TOKEN`, or in the access cookie.',
  refresh_cookie: 'A browser with the refresh cookie.',
  session_or_cookie:
    'A person with an access token in the header `Authorization: Bearer TOKEN`, or a browser with the refresh cookie.',
  page_cookies:
    'A browser with the access cookie, or with the refresh cookie, which is then exchanged. Every other browser is sent to `/sign-in`.',
  client:
    'A service account: its id and secret in a Basic header (RFC 7617), or as `client_id` and `client_secret` in the form.',
  guard:
    'A service account that is not bound to a tenant: its id and secret in a Basic header (RFC 7617).',
}

const CSRF: Readonly<Record<CsrfRule, string>> = {
  none: 'None: the route changes nothing for the owner of a cookie.',
  cookie:
    'With a cookie, requires a page of an allowed origin and the CSRF token in `X-CSRF-Token`. With a token in the `Authorization` header, requires neither.',
  always: 'Requires a page of an allowed origin and the CSRF token in `X-CSRF-Token`.',
  origin:
    'Rejects browsers on pages of other origins. Programs that are not browsers need nothing.',
  own: "Accepts only forms of the server's own pages.",
  form: "Accepts only forms of the server's own pages, with the CSRF token of the session in the field `csrf`.",
}

/** Describes the callers that a route accepts. */
export function accessText({
  authentication,
  permission,
}: Pick<RouteDescription, 'authentication' | 'permission'>): string {
  const text = AUTHENTICATION[authentication]
  return permission === undefined
    ? text
    : `${text} The account needs the permission \`${permission}\`.`
}

/** Describes how a route is protected from requests of other sites' pages. */
export function aboutCsrf({ csrf }: Pick<RouteDescription, 'csrf'>): string {
  return CSRF[csrf]
}
