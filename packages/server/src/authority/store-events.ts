import type { Logger } from 'pino'

import type { StoreEvent } from '../store/events.ts'

/** Logs what the store reports by itself. */
export function logStoreEvent(logger: Logger, event: StoreEvent): void {
  if (event.event === 'store_recovered') logger.info(event)
  else logger.error(event)
}
