import type { Logger } from 'pino'

import type { Clock } from '../base/clock.ts'
import type { ForeignSigner } from '../keys/foreign-signer.ts'
import type { Settings } from '../settings.ts'
import type { Store } from '../store/store.ts'

/**
 * Whether this is the first start on this database, so that no guard can hold a lease of this issuer yet. It
 * is true if the ring has no keys, and there is no shared secret, no signer of the application and no Redis. Nodes that
 * start together on one PostgreSQL know each other's leases. Call it before the key ring is opened.
 */
export async function isFirstStart(
  { keys }: Store,
  { sharedSecrets, redisUrl }: Settings,
  signer: ForeignSigner | undefined,
): Promise<boolean> {
  const isAlone = sharedSecrets === undefined && signer === undefined && redisUrl === undefined
  return isAlone && (await keys.list()).length === 0
}

/**
 * Repeats the issuer entry of a restored database if the entry names another issuer. `countersign restore`
 * writes the issuer from the settings of its shell. Tokens carry the issuer of this server, so an entry for
 * another issuer revokes none of them.
 */
export async function repeatStartOver(
  { revocations }: Store,
  issuer: string,
  clock: Clock,
  logger: Logger,
): Promise<void> {
  const named = await revocations.startedOverFor()
  if (named === undefined || named === issuer) return
  const by = { issuer, at: clock.nowMs(), actor: 'system' }
  logger.warn({ event: 'log_repaired', ...(await revocations.startOverAs(by)) })
}
