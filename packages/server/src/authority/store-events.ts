import type { Logger } from 'pino'

import type { StoreEvent } from '../store/events.ts'

/** Logs what the store reports by itself. */
export function logStoreEvent(logger: Logger, event: StoreEvent): void {
  const isGood = event.event === 'store_recovered' || event.event === 'redis_recovered'
  if (isGood) logger.info(event)
  else logger.error(event)
}
