/**
 * The store failed: the disk is full, or the file is locked, damaged or gone. It is not the client's mistake.
 * HTTP answers 503 with `Retry-After`; a command prints what failed. `cause` holds the details.
 */
export class StoreFault extends Error {
  override readonly name = 'StoreFault'
}

/**
 * The application that keeps the accounts did not answer: it threw, took too long, or returned something
 * invalid. HTTP answers 503. `details` go to the log and contain nothing that a person typed. `cause` is the
 * value that was thrown. It is not logged, because its text may contain what a person typed.
 */
export class SourceFault extends Error {
  override readonly name = 'SourceFault'
  readonly details: Readonly<Record<string, unknown>>
  constructor(details: Readonly<Record<string, unknown>>, options?: ErrorOptions) {
    super('The application that keeps the accounts did not answer.', options)
    this.details = details
  }
}

/**
 * A mistake at start-up that the operator can correct. The command prints the message alone and exits with
 * code 1.
 */
export class SetupError extends Error {
  override readonly name = 'SetupError'
}

/** Returns the text of any thrown value, on one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/**
 * The key service that signs access tokens failed. HTTP answers 503, because a retry may help. It never
 * contains the bytes to sign.
 */
export class SignerFault extends Error {
  override readonly name = 'SignerFault'
}
