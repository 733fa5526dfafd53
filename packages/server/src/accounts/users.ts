import type { Clock } from '../base/clock.ts'
import type { AuditContext, Store } from '../store/store.ts'
import { isSourceId } from './source.ts'

/**
 * How an application that keeps its own accounts says what has changed in them. Each is called after the
 * change is committed: before that, somebody may be given what they had before, as if it were new.
 *
 * `by` names who, for the audit. Both reject with a `StoreFault` where nothing could be written, and throw
 * a `TypeError` for an id that no account can have.
 */
export interface UserManager {
  /** Roles changed. Tokens that are out are stale from now on; a refresh gives one that is right. */
  changed(id: string, by: string): Promise<void>
  /** The password was changed, the account disabled or deleted: all its sessions and tokens are over. */
  endSessions(id: string, by: string): Promise<void>
}

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
  throw new TypeError('This is no id that an account of the application can have.')
}
