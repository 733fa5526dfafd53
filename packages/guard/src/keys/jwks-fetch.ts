import { withReason } from '../errors.ts'
import { type JwksReading, parseJsonStrict, readJwks } from '@countersign/jwt'

import { describeSkipped } from './skipped-keys.ts'

/** The largest key set that is read, in bytes after decompression. A dozen RSA keys take under 10 KiB. */
export const JWKS_BYTES_MAX = 64 * 1024

const JSON_DEPTH_MAX = 8

/** Why fetching the key set failed. */
export type JwksFaultCode =
  | 'jwks_unreachable'
  | 'jwks_timeout'
  | 'jwks_redirected'
  | 'jwks_status'
  | 'jwks_too_large'
  | 'jwks_malformed'
  | 'jwks_without_keys'
  | 'jwks_too_old'

const FAULT_TEXTS: Readonly<Record<JwksFaultCode, string>> = {
  jwks_unreachable: 'The issuer cannot be reached.',
  jwks_timeout: 'The issuer did not send its key set within fetchTimeoutMs.',
  jwks_redirected:
    'The URL of the key set redirects, which is not allowed. Set jwksUrl to the final URL.',
  jwks_status: 'The issuer did not answer the request for its key set with 200.',
  jwks_too_large: 'The key set is larger than 64 KiB.',
  jwks_malformed: 'The answer of the issuer is not a JSON Web Key Set. Check issuer and jwksUrl.',
  jwks_without_keys: 'The key set of the issuer has no key that can verify a token.',
  jwks_too_old: 'The keys were dropped because they could not be refreshed within keysMaxAgeMs.',
}

/** Fetching the issuer's keys failed. This is a fault, not a refusal. `cause` has the details. */
export class JwksFault extends Error {
  override readonly name = 'JwksFault'
  readonly code: JwksFaultCode

  constructor(code: JwksFaultCode, options?: ErrorOptions) {
    super(withReason(FAULT_TEXTS[code], options?.cause), options)
    this.code = code
  }
}

/** The parameters of one fetch of a key set. */
export interface JwksRequest {
  readonly url: string
  readonly fetch: typeof globalThis.fetch
  /** Time limit from the connection to the last byte, in milliseconds. */
  readonly timeoutMs: number
  /** Ends the fetch early, when the guard is closed. */
  readonly signal: AbortSignal
}

/** A key set and its text. Equal texts describe the same set. */
export interface FetchedJwks extends JwksReading {
  readonly text: string
  /** The clock of the server, in milliseconds since 1970, to the second; undefined if it sent none. */
  readonly serverAtMs: number | undefined
}

/**
 * Fetches a key set once. Throws a `JwksFault` for anything that is not a set with at least one usable key
 * (RFC 7517 §5: unknown kinds are skipped). The set is trusted because of the TLS connection. So a redirect,
 * which could leave that connection, is refused.
 */
export async function fetchJwks(request: JwksRequest): Promise<FetchedJwks> {
  const controller = new AbortController()
  const onTimeout = () => controller.abort(new JwksFault('jwks_timeout'))
  const onClose = () => controller.abort(new JwksFault('jwks_unreachable'))
  const timer = setTimeout(onTimeout, request.timeoutMs)
  request.signal.addEventListener('abort', onClose, { once: true })
  try {
    // The race ends on time even if the caller's own fetch ignores the signal.
    return await Promise.race([download(request, controller.signal), abortion(controller.signal)])
  } catch (error) {
    throw error instanceof JwksFault ? error : new JwksFault('jwks_unreachable', { cause: error })
  } finally {
    clearTimeout(timer)
    request.signal.removeEventListener('abort', onClose)
    // Frees the socket if the body was not read to its end.
    controller.abort()
  }
}

async function download({ url, fetch }: JwksRequest, signal: AbortSignal): Promise<FetchedJwks> {
  const response = await fetch(url, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    redirect: 'manual',
    signal,
  })
  if (response.redirected || response.type === 'opaqueredirect' || isRedirect(response.status)) {
    throw new JwksFault('jwks_redirected')
  }
  if (response.status !== 200) {
    throw new JwksFault('jwks_status', { cause: `status ${response.status}` })
  }
  const text = await readText(response)
  return { text, serverAtMs: serverClock(response.headers), ...parseJwks(text) }
}

/** Reads the headers Date and Age (RFC 9110 §6.6.1, RFC 9111 §5.1). A cache may have kept the answer. */
function serverClock(headers: Headers): number | undefined {
  const date = Date.parse(headers.get('date') ?? '')
  const ageSec = Number(headers.get('age') ?? 0)
  return Number.isFinite(date) && ageSec >= 0 ? date + ageSec * 1000 : undefined
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400
}

function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

// Counts bytes while reading. Content-Length may be absent or wrong, or may be the compressed size of a
// decompression bomb.
async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > JWKS_BYTES_MAX) throw new JwksFault('jwks_too_large')
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks))
  } catch (cause) {
    throw new JwksFault('jwks_malformed', { cause })
  }
}

function parseJwks(text: string): JwksReading {
  const json = parseJsonStrict(text, { depthMax: JSON_DEPTH_MAX })
  if (!json.ok) throw new JwksFault('jwks_malformed')
  const read = readJwks(json.value)
  // A misconfigured issuer may send an empty set. Using it would refuse every token.
  if (read === undefined || read.keys.keys.length === 0) {
    const cause = read && describeSkipped(read.skipped)
    throw new JwksFault('jwks_without_keys', { cause })
  }
  return read
}
