import { type Refused, refusals } from '../refusals.ts'

/** A complete HTTP answer to a refused request, for any framework. */
export interface Challenge {
  readonly status: (typeof refusals)[Refused['code']]['status']
  readonly headers: Readonly<Record<string, string>>
  /** JSON text of an RFC 9457 problem document with `type`, `title`, `status`, `detail`, `code`. */
  readonly body: string
}

const TITLES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  503: 'Service Unavailable',
} as const

/** The details of a challenge besides the refusal. */
export interface ChallengeDetails {
  /** The URL of the resource's metadata (RFC 9728 §5.1). */
  readonly resourceMetadata?: string | undefined
  /** The scopes that the route requires, separated by spaces (RFC 6750 §3). */
  readonly scope?: string | undefined
  /** The algorithms of proofs that the service accepts (RFC 9449 §7.1). Absent: it does not take the scheme `DPoP`. */
  readonly dpopAlgorithms?: readonly string[] | undefined
  /** Whether the service refuses tokens that are bound to no key. Then it does not offer the scheme `Bearer`. */
  readonly isDpopRequired?: boolean | undefined
}

/**
 * Turns a refusal into an answer. The answer depends only on the refusal's code, scheme and nonce, on what the route
 * requires and, with 503, on the wait. So every cause of `token_invalid` gets the same bytes. `realm` is the guard's
 * issuer. Neither it nor the details contain a character that could end the quoted string: this was checked when the
 * guard and the route were created.
 */
export function challengeFor(
  refused: Refused,
  realm: string,
  details: ChallengeDetails = {},
): Challenge {
  const { status, text } = refusals[refused.code]
  // RFC 9457 §4.2.1: with `about:blank`, the title is the phrase of the status.
  const body = JSON.stringify({
    type: 'about:blank',
    title: TITLES[status],
    status,
    detail: text,
    code: refused.code,
  })
  const headers: Record<string, string> = {
    'cache-control': 'no-store',
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
  }
  if (status === 503) headers['retry-after'] = String(refused.retryAfterSec ?? 1)
  else headers['www-authenticate'] = wwwAuthenticate(refused, realm, details)
  if (refused.dpopNonce !== undefined) headers['dpop-nonce'] = refused.dpopNonce
  return { status, headers, body }
}

/**
 * The scheme that the request used carries the error. A request that used Bearer, or none, also learns that the
 * service takes DPoP (RFC 9449 §7.2).
 */
function wwwAuthenticate(refused: Refused, realm: string, details: ChallengeDetails): string {
  const { dpopAlgorithms: algs } = details
  const parameters = { realm, ...errorOf(refused), ...refused.stepUp, ...extrasOf(details) }
  const dpop = algs && { algs: algs.join(' ') }
  if (dpop !== undefined && (refused.isDpop === true || details.isDpopRequired === true)) {
    return write('DPoP', { ...parameters, ...dpop })
  }
  const bearer = write('Bearer', parameters)
  return dpop === undefined ? bearer : `${bearer}, ${write('DPoP', { realm, ...dpop })}`
}

// RFC 6750 §3: no error attribute if the request carried no token. An error_description must not contain
// quotes, so the quotes in our texts are removed.
function errorOf({ code }: Refused): Record<string, string> {
  const { error, text } = refusals[code]
  return error === undefined ? {} : { error, error_description: text.replaceAll('"', '') }
}

function extrasOf({ scope, resourceMetadata }: ChallengeDetails): Record<string, string> {
  return {
    ...(scope === undefined || scope === '' ? {} : { scope }),
    ...(resourceMetadata === undefined ? {} : { resource_metadata: resourceMetadata }),
  }
}

function write(scheme: string, parameters: Readonly<Record<string, string>>): string {
  const written = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`)
  return `${scheme} ${written.join(', ')}`
}
