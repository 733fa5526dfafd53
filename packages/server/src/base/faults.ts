/**
 * The store failed: the disk is full, the file is locked or gone. Not the client's doing and not an
 * answer: HTTP says 503 with `Retry-After`, the command line says what failed. `cause` has the rest.
 */
export class StoreFault extends Error {
  override readonly name = 'StoreFault'
}

/** A start-up mistake that its owner can mend: printed as its message alone, exit code 1. */
export class SetupError extends Error {
  override readonly name = 'SetupError'
}

/** The one-line text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
