/** Why a call of the client failed. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  /** The code of the authority, such as `credentials_invalid`. `unavailable`: no usable answer arrived. */
  readonly code: string
  /** The HTTP status. Undefined without an answer. */
  readonly status: number | undefined
  /** The milliseconds after which a new attempt makes sense. Undefined if the authority named none. */
  readonly retryAfterMs: number | undefined

  constructor(code: string, { status, retryAfterMs, ...rest }: ClientErrorDetails = {}) {
    super(rest.message ?? code, { cause: rest.cause })
    this.code = code
    this.status = status
    this.retryAfterMs = retryAfterMs
  }

  /** Whether the same call may succeed later: no network, 429, or an error of the server. */
  get isTemporary(): boolean {
    return this.status === undefined || this.status === 429 || this.status >= 500
  }
}

/** The details of a {@link ClientError}. */
export interface ClientErrorDetails {
  readonly status?: number | undefined
  readonly retryAfterMs?: number | undefined
  readonly message?: string | undefined
  readonly cause?: unknown
}
