import type { Session } from '../session.ts'

/** Whether somebody is logged in. `loading`: the authority has not said it yet. */
export type SessionStatus = 'loading' | 'signed-in' | 'signed-out'

/** Returns the status of a session that a binding knows. Pure. */
export function statusOf(session: Session | null | undefined): SessionStatus {
  if (session === undefined) return 'loading'
  return session === null ? 'signed-out' : 'signed-in'
}
