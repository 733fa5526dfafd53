import type { EffectiveReport } from '../revocations/confirmations.ts'
import type { FeedHub } from '../revocations/hub.ts'
import type { Store } from '../store/store.ts'

/** How long it took until a revocation was in force everywhere, and at which log position. */
export interface Effective extends EffectiveReport {
  readonly position: number
}

/**
 * Waits until everything that is in the log now is in force at every guard: each has confirmed it, or its
 * lease has expired. Resolves earlier, with `isInForce: false`, if the authority stops.
 */
export async function waitUntilEffective(
  { revocations }: Pick<Store, 'revocations'>,
  hub: FeedHub,
): Promise<Effective> {
  const { position } = await revocations.head()
  return { ...(await hub.effective(position)), position }
}
