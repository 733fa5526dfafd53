/** Why a call of the client failed. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  /** The code of the authority, such as `credentials_invalid`. `unavailable`: no usable answer arrived. */
  declare readonly code: string
  /** The HTTP status. Undefined without an answer. */
  declare readonly status: number | undefined
  /** The milliseconds after which a new attempt makes sense. Undefined if the authority named none. */
  declare readonly retryAfterMs: number | undefined
  /** All members of the JSON answer, such as `max_age`. Undefined without an answer. */
  declare readonly members: Readonly<Record<string, unknown>> | undefined

  constructor(code = 'unavailable', { message, cause, ...rest }: ClientErrorDetails = {}) {
    super(message ?? code, { cause })
    Object.assign(this, { code }, rest)
  }

  /** Whether the same call may succeed later: no network, 429, or an error of the server. */
  get isTemporary(): boolean {
    const { status = 500 } = this
    return status === 429 || status >= 500
  }
}

// `refresh_elsewhere`: the authority keeps the cookies. `insufficient_user_authentication`: a tenant demands a step-up.
const LIVES = /^(?:unavailable|refresh_else|insufficient_)/

/** Whether a failed refresh, or a failed question about the session, means that nobody is logged in any more. */
export function isOver({ status, code }: ClientError): boolean {
  return status === 401 && !LIVES.test(code)
}

/** The details of a {@link ClientError}. */
export interface ClientErrorDetails {
  readonly status?: number | undefined
  readonly retryAfterMs?: number | undefined
  readonly message?: string | undefined
  readonly members?: Readonly<Record<string, unknown>> | undefined
  readonly cause?: unknown
}
