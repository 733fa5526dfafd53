/** Why a call of the client failed. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  /** The code of the authority, such as `credentials_invalid`. `unavailable`: no usable answer arrived. */
  readonly code: string
  /** The HTTP status. Undefined without an answer. */
  readonly status: number | undefined
  /** The milliseconds after which a new attempt makes sense. Undefined if the authority named none. */
  readonly retryAfterMs: number | undefined
  /** All members of the JSON answer, such as `max_age`. Undefined without an answer. */
  readonly members: Readonly<Record<string, unknown>> | undefined

  constructor(code: string, { status, retryAfterMs, members, ...rest }: ClientErrorDetails = {}) {
    super(rest.message ?? code, { cause: rest.cause })
    this.code = code
    this.status = status
    this.retryAfterMs = retryAfterMs
    this.members = members
  }

  /** Whether the same call may succeed later: no network, 429, or an error of the server. */
  get isTemporary(): boolean {
    return this.status === undefined || this.status === 429 || this.status >= 500
  }
}

/** Whether a failed refresh, or a failed question about the session, means that nobody is logged in any more. */
export function isOver({ status, code }: ClientError): boolean {
  // After `refresh_elsewhere` the session continues, and the authority keeps the cookies.
  return status === 401 && code !== 'unavailable' && code !== 'refresh_elsewhere'
}

/** The details of a {@link ClientError}. */
export interface ClientErrorDetails {
  readonly status?: number | undefined
  readonly retryAfterMs?: number | undefined
  readonly message?: string | undefined
  readonly members?: Readonly<Record<string, unknown>> | undefined
  readonly cause?: unknown
}
