/** The command line cannot be parsed. The process exits with code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  /** The command or group whose help explains more. Empty: the list of all commands. */
  readonly words: readonly string[]
  constructor(message: string, words: readonly string[] = []) {
    super(message)
    this.words = words
  }
}
