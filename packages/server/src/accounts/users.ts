import type { Clock } from '../base/clock.ts'
import type { AuditContext, Store } from '../store/store.ts'
import { isSourceId } from './source.ts'

/**
 * Reports changes in accounts that the application keeps. Call it after the change is committed. Before
 * that, a refresh could read the old state and get a token that counts as new.
 *
 * `by` is the actor in the audit. Both methods reject with a `StoreFault` if nothing could be written, and
 * with a `TypeError` for an id that no account can have.
 */
export interface UserManager {
  /** The roles changed. Existing tokens become stale; a refresh gives one with the new roles. */
  changed(id: string, by: string): Promise<void>
  /** The password changed, or the account was disabled or deleted. Ends all its sessions and tokens. */
  endSessions(id: string, by: string): Promise<void>
}

/** Creates the reporter of changes in the application's accounts. */
export function createUserManager({
  store,
  clock,
}: {
  readonly store: Store
  readonly clock: Clock
}): UserManager {
  const auditBy = (by: string): AuditContext => ({ at: clock.nowMs(), actor: by })
  return {
    changed: async (id, by) => store.shadows.noteChange(assertId(id), auditBy(by)),
    endSessions: async (id, by) => store.shadows.endSessions(assertId(id), auditBy(by)),
  }
}

function assertId(id: unknown): string {
  if (isSourceId(id)) return id
  throw new TypeError('id must be one that an account of the application can have.')
}
