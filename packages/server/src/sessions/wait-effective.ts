import type { EffectiveReport } from '../revocations/confirmations.ts'
import type { Store } from '../store/store.ts'

/** The report about a revocation that is in force at every guard, and its log position. */
export interface Effective extends EffectiveReport {
  readonly position: number
}

/**
 * Waits until all current entries of the log are in force at every guard of all nodes: each guard has confirmed them, or
 * its lease has expired. `effective` waits for one position. Resolves earlier, with `isInForce: false`, if the authority
 * stops.
 */
export async function waitUntilEffective(
  { revocations }: Pick<Store, 'revocations'>,
  effective: (position: number) => Promise<EffectiveReport>,
): Promise<Effective> {
  const { position } = await revocations.head()
  return { ...(await effective(position)), position }
}
