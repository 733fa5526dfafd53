/**
 * Why a look-up of a breached password failed. `unreachable`: no connection, or the file cannot be read. `timeout`:
 * no complete answer within a second. `redirected` and `status`: the service did not answer 200. `too_large` and
 * `malformed`: the answer or the file does not have the expected form.
 */
export type BreachedFaultReason =
  | 'unreachable'
  | 'timeout'
  | 'redirected'
  | 'status'
  | 'too_large'
  | 'malformed'

/** A look-up of a breached password failed. It contains nothing about the password. */
export class BreachedFault extends Error {
  override readonly name = 'BreachedFault'
  readonly reason: BreachedFaultReason
  readonly status: number | undefined

  constructor(reason: BreachedFaultReason, status?: number) {
    super(`The look-up of a breached password failed: ${reason}`)
    this.reason = reason
    this.status = status
  }
}
