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

/**
 * Turns a refusal into an answer. The answer depends only on the code and, with 503, on the wait. So every
 * cause of `token_invalid` gets the same bytes. `realm` is the guard's issuer. Neither it nor the URL of the
 * metadata contains a character that could end the quoted string: this was checked when the guard was
 * created.
 */
export function challengeFor(
  refused: Refused,
  realm: string,
  /** The URL of the resource's metadata (RFC 9728 §5.1). */
  resourceMetadata?: string,
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
  else headers['www-authenticate'] = wwwAuthenticate(refused, realm, resourceMetadata)
  return { status, headers, body }
}

// RFC 6750 §3: no error attribute if the request carried no token. An error_description must not contain
// quotes, so the quotes in our texts are removed.
function wwwAuthenticate(refused: Refused, realm: string, metadata: string | undefined): string {
  const { error, text } = refusals[refused.code]
  const parameters = {
    realm,
    ...(error === undefined ? {} : { error, error_description: text.replaceAll('"', '') }),
    ...refused.stepUp,
    ...(metadata === undefined ? {} : { resource_metadata: metadata }),
  }
  const written = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`)
  return `Bearer ${written.join(', ')}`
}
