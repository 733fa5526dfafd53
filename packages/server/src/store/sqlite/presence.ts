import { statSync } from 'node:fs'

/**
 * Notices that a file was moved, deleted or replaced while it is open. The connection would still read and write the
 * old file, which nobody finds after a restart.
 */
export class Presence {
  readonly #path: string
  #file: string | undefined

  /** Remembers the file at a path. If the path has no file yet, it remembers the first file that appears there. */
  constructor(path: string) {
    this.#path = path
    this.#file = fileAt(path)
  }

  /** Whether the path still names the same file. */
  get holds(): boolean {
    const found = fileAt(this.#path)
    this.#file ??= found
    return found === this.#file
  }
}

function fileAt(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? undefined : `${found.dev}/${found.ino}`
}
