import { formatJson } from './print.ts'

/** The result of one check of a token. */
export interface Finding {
  readonly passed: boolean
  readonly check: string
  readonly text: string
  /**
   * Who can make the check. `server`: only this server, because it reads the database. `feed`: also every
   * guard that follows the revocation feed. Undefined: every service.
   */
  readonly isKnownTo?: 'server' | 'feed'
}

/** Returns the finding of a check that passed. */
export function passed(check: string, text: string): Finding {
  return { passed: true, check, text }
}

/** Returns the finding of a check that failed. */
export function failed(check: string, text: string): Finding {
  return { passed: false, check, text }
}

/** Returns the value of a claim or header member as JSON, or `missing`. It cannot control the terminal. */
export function show(value: unknown): string {
  return value === undefined ? 'missing' : formatJson(value)
}
