import { hash } from 'node:crypto'

import { limits } from '../base/limits.ts'
import { isInFile } from './breached-file.ts'
import { BreachedFault, type BreachedFaultReason } from './breached-fault.ts'
import { isInRange } from './breached-range.ts'

/** Where passwords from data breaches are looked up. */
export type BreachedSource =
  /** The first five hexadecimal digits of the SHA-1 are appended to this URL. */
  | { readonly kind: 'service'; readonly url: string }
  /** The path of a file with one line `SHA-1:COUNT` for each password, sorted. */
  | { readonly kind: 'file'; readonly path: string }

/** Why a look-up failed. It contains nothing about the password: no hash and no prefix. */
export interface BreachedFailure {
  readonly reason: BreachedFaultReason
  /** With `status`: the HTTP status of the service. */
  readonly status?: number
  /** With `unreachable`: the code of the system, such as `ECONNREFUSED`. */
  readonly code?: string
}

/** Knows passwords from data breaches. */
export interface BreachedPasswords {
  /**
   * Whether a password is known from a data breach. False if the look-up fails: an outage of the service must
   * not stop people from setting a password. Undefined if too many look-ups are running. Never throws.
   */
  includes(password: string): Promise<boolean | undefined>
}

/** The dependencies of the look-ups. */
export interface BreachedOptions {
  /** Milliseconds on a monotonic clock. */
  readonly elapsed: () => number
  /** Called for a failed look-up. It is not called again before the pause after the failure ends. */
  readonly onFailure: (failure: BreachedFailure) => void
}

/**
 * Creates the look-ups. Each one takes at most a second. After a failure, passwords are accepted without a look-up
 * for some seconds. Otherwise each person would wait a second while the service is down.
 */
export function createBreachedPasswords(
  source: BreachedSource,
  { elapsed, onFailure }: BreachedOptions,
): BreachedPasswords {
  let running = 0
  let pausedUntilMs = -Infinity

  /** Look-ups that ran at the same time fail together. Only the first one is reported. */
  function note(error: unknown): void {
    if (elapsed() < pausedUntilMs) return
    pausedUntilMs = elapsed() + limits.breachedPauseMs
    onFailure(describe(error))
  }

  return {
    async includes(password) {
      if (elapsed() < pausedUntilMs) return false
      // The memory of the answers is bounded by their number and their size.
      if (running >= limits.breachedLookUpsMax) return undefined
      running += 1
      try {
        return await inTime((signal) => lookUp(source, sha1(password), signal))
      } catch (error) {
        note(error)
        return false
      } finally {
        running -= 1
      }
    },
  }
}

function lookUp(source: BreachedSource, sha1Hex: string, signal: AbortSignal): Promise<boolean> {
  return source.kind === 'service'
    ? isInRange(source.url, sha1Hex, signal)
    : isInFile(source.path, sha1Hex)
}

/** The collections of breached passwords are lists of SHA-1 hashes, in capital letters. Nothing else uses this hash. */
function sha1(password: string): string {
  return hash('sha1', password.normalize('NFC'), 'hex').toUpperCase()
}

/** The race also ends work that ignores the signal, such as reading from a disk that does not answer. */
async function inTime<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new BreachedFault('timeout')), limits.breachedAnswerMs)
  })
  try {
    return await Promise.race([work(controller.signal), late])
  } finally {
    clearTimeout(timer)
    // Closes the connection if the answer was not read to its end.
    controller.abort()
  }
}

/** The message of an error is not used: it can contain the URL, which ends in the prefix of the hash. */
function describe(error: unknown): BreachedFailure {
  if (error instanceof BreachedFault) {
    return error.status === undefined
      ? { reason: error.reason }
      : { reason: error.reason, status: error.status }
  }
  const code = codeOf(error) ?? codeOf(error instanceof Error ? error.cause : undefined)
  return code === undefined ? { reason: 'unreachable' } : { reason: 'unreachable', code }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}
