import { isAuthorized, type Requirement } from '../authorized.ts'
import type { Session } from '../session.ts'

/** The people who may enter a route, and the page for all others. */
export interface EntryOptions extends Requirement {
  /** The path of the login page. Default: `/login`. */
  readonly login?: string
  /** The path for people who are logged in and do not meet the requirement. Default: the navigation is cancelled. */
  readonly denied?: string
}

/** The path and the query of a redirection. */
export interface Elsewhere {
  readonly path: string
  readonly query: Record<string, string>
}

/**
 * Decides whether a person may enter a route: true, false, or the place to go to instead. `destination` is the path of
 * the route, for the login page. Pure.
 */
export function decideEntry(
  session: Session | null,
  destination: string,
  { login = '/login', denied, ...requirement }: EntryOptions,
): boolean | Elsewhere {
  if (!session) return { path: login, query: { next: destination } }
  if (isAuthorized(session, requirement)) return true
  return denied === undefined ? false : { path: denied, query: {} }
}
