import { readFileSync } from 'node:fs'

/**
 * Reads a UTF-8 text file without a byte order mark, which editors on Windows write. Throws Node's error if the
 * file cannot be read, and a `TypeError` if it is not UTF-8. PowerShell's `>` writes UTF-16.
 */
export function readTextFile(path: string): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
}

/** Removes a byte order mark from the beginning of a text. */
export function stripByteOrderMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}
