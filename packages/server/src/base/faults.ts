/**
 * The store failed: the disk is full, the file is locked or gone. Not the client's doing and not an
 * answer: HTTP says 503 with `Retry-After`, the command line says what failed. `cause` has the rest.
 */
export class StoreFault extends Error {
  override readonly name = 'StoreFault'
}

/**
 * The application that keeps the accounts could not say what it was asked: it threw, took too long, or
 * gave something that is no answer. 503 as well. `details` are for the log and hold nothing that anybody
 * typed; `cause` is what was thrown, and is not logged, since its text may.
 */
export class SourceFault extends Error {
  override readonly name = 'SourceFault'
  readonly details: Readonly<Record<string, unknown>>
  constructor(details: Readonly<Record<string, unknown>>, options?: ErrorOptions) {
    super('The application that keeps the accounts gave no answer.', options)
    this.details = details
  }
}

/** A start-up mistake that its owner can mend: printed as its message alone, exit code 1. */
export class SetupError extends Error {
  override readonly name = 'SetupError'
}

/** The one-line text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The key service that signs access tokens failed: 503, and worth a retry. Never holds what it was to sign. */
export class SignerFault extends Error {
  override readonly name = 'SignerFault'
}
