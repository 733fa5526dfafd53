import { withReason } from '../errors.ts'
import { type KeySet, keySetFromJwks, parseJsonStrict } from '@countersign/jwt'

/** The largest key set that is read, in bytes after decompression. A dozen RSA keys take under 10 KiB. */
export const JWKS_BYTES_MAX = 64 * 1024

const JSON_DEPTH_MAX = 8

/** Why a key set could not be had. */
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
  jwks_timeout: 'The issuer did not send its key set in time.',
  jwks_redirected: 'The key set must not be behind a redirect.',
  jwks_status: 'The issuer did not answer 200.',
  jwks_too_large: 'The key set is larger than 64 KiB.',
  jwks_malformed: 'The answer is not a JSON Web Key Set.',
  jwks_without_keys: 'The key set holds no key that can verify a token.',
  jwks_too_old: 'The keys were dropped: they could not be refreshed for too long.',
}

/** The issuer's keys could not be had. A fault, not a refusal: `cause` has the rest. */
export class JwksFault extends Error {
  override readonly name = 'JwksFault'
  readonly code: JwksFaultCode

  constructor(code: JwksFaultCode, options?: ErrorOptions) {
    super(withReason(FAULT_TEXTS[code], options?.cause), options)
    this.code = code
  }
}

/** One request for a key set. */
export interface JwksRequest {
  readonly url: string
  readonly fetch: typeof globalThis.fetch
  /** For everything from the connection to the last byte, in milliseconds. */
  readonly timeoutMs: number
  /** Ends the request early, when the guard is closed. */
  readonly signal: AbortSignal
}

/** A key set as it was read, and its text: the same text is the same set. */
export interface FetchedJwks {
  readonly text: string
  readonly keys: KeySet
}

/**
 * Fetches a key set once. Throws a `JwksFault` for whatever is not a set with at least one usable key
 * (RFC 7517 §5: unknown kinds are skipped). The set is believed because of the TLS connection, so a
 * redirect is refused: it could lead off that connection.
 */
export async function fetchJwks(request: JwksRequest): Promise<FetchedJwks> {
  const controller = new AbortController()
  const onTimeout = () => controller.abort(new JwksFault('jwks_timeout'))
  const onClose = () => controller.abort(new JwksFault('jwks_unreachable'))
  const timer = setTimeout(onTimeout, request.timeoutMs)
  request.signal.addEventListener('abort', onClose, { once: true })
  try {
    // The race holds even where a fetch of the caller's own does not heed the signal.
    return await Promise.race([download(request, controller.signal), abortion(controller.signal)])
  } catch (error) {
    throw error instanceof JwksFault ? error : new JwksFault('jwks_unreachable', { cause: error })
  } finally {
    clearTimeout(timer)
    request.signal.removeEventListener('abort', onClose)
    // Frees the socket when the body was not read to its end.
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
  return { text, keys: parseJwks(text) }
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400
}

function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

// Counts while reading: Content-Length may be absent, wrong, or that of a compressed bomb.
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

function parseJwks(text: string): KeySet {
  const json = parseJsonStrict(text, { depthMax: JSON_DEPTH_MAX })
  if (!json.ok) throw new JwksFault('jwks_malformed')
  const keys = keySetFromJwks(json.value)
  // An empty set is what a misconfigured issuer sends; taking it would refuse every token.
  if (keys === undefined || keys.keys.length === 0) throw new JwksFault('jwks_without_keys')
  return keys
}
