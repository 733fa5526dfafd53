import type { LogTail } from '../revocations/tail.ts'

/**
 * Makes what this process revokes visible in its own copy of the log before a caller gets its answer. So
 * `authority.verify` refuses a token as soon as the logout has answered.
 */
export interface Settling {
  /** Call it when this process has appended entries to the log. */
  readonly changed: () => void
  /** Resolves when the copy has the entries. Undefined if it has them already. Never rejects. */
  readonly settle: () => Promise<void> | undefined
}

/**
 * Creates the settling of one authority. Callers at the same time share one read of the log. A read that fails
 * is repeated by the tail.
 */
export function createSettling(tail: Pick<LogTail, 'absorb'>): Settling {
  let reading: Promise<void> | undefined
  let isStale = false
  return {
    changed: () => {
      isStale = true
    },
    settle: () => {
      if (!isStale) return reading
      isStale = false
      const current = tail
        .absorb()
        .catch(() => {})
        .finally(() => {
          if (reading === current) reading = undefined
        })
      reading = current
      return reading
    },
  }
}

/** Returns the manager, whose methods, which are all asynchronous, settle before they resolve. */
export function settled<Manager extends object>(manager: Manager, { settle }: Settling): Manager {
  const methods = Object.entries(manager).map(([name, method]: [string, unknown]) => [
    name,
    typeof method === 'function'
      ? async (...parameters: unknown[]): Promise<unknown> => {
          const result: unknown = await method.apply(manager, parameters)
          await settle()
          return result
        }
      : method,
  ])
  // The same names with functions of the same types.
  return Object.fromEntries(methods) as Manager
}
