import type { Clock } from '../base/clock.ts'
import type { AuditContext } from '../store/audit-context.ts'
import type { Store } from '../store/store.ts'
import { isSourceId } from './source.ts'

/**
 * Reports changes in accounts that the application keeps. Call it after the change is committed. If you call
 * it earlier, a refresh can read the old state and still get a token that counts as new.
 *
 * `by` is the actor in the audit. Both methods reject with a `StoreFault` if the change could not be written,
 * and with a `TypeError` if no account can have the id.
 */
export interface UserManager {
  /**
   * Reports that the roles changed. Existing tokens become stale. A refresh returns a token with the new
   * roles.
   */
  changed(id: string, by: string): Promise<void>
  /**
   * Reports that the password changed, or that the account was disabled or deleted. Revokes all its sessions
   * and tokens.
   */
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
    changed: async (id, by) => store.shadows.noteChange(assertSourceId(id), auditBy(by)),
    endSessions: async (id, by) => store.shadows.endSessions(assertSourceId(id), auditBy(by)),
  }
}

/** Returns the id. Throws a `TypeError` if no account of an application can have it. */
export function assertSourceId(id: unknown): string {
  if (isSourceId(id)) return id
  throw new TypeError(
    'id must be an id that an account of the application can have: 1 to 128 visible ASCII characters, not beginning with acct_ or svc_.',
  )
}
