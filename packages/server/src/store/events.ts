import type { RedisLinkEvent } from '../redis/link.ts'

/** An event that the store reports to the operator. */
export type StoreEvent =
  /** The thread of the store has not answered for a while. Calls fail at once until it answers. */
  | { readonly event: 'store_stalled' }
  /** The thread of the store has ended by an error. Calls fail until it runs again. */
  | { readonly event: 'store_stopped'; readonly error: string }
  /** The files of the database were moved, deleted or replaced. All calls fail, until they are back or a restart. */
  | { readonly event: 'store_lost'; readonly error: string }
  /** The store answers again. */
  | { readonly event: 'store_recovered' }
  | RedisLinkEvent
