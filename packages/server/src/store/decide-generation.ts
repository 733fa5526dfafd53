import type { EpochMs } from '../base/clock.ts'
import { isYoung, type GraceConditions, type Rotated } from './decide-rotation.ts'
import type { SsoGeneration, SsoRefreshChain } from './sso.ts'

/**
 * Decides what a presented generation of an application's refresh token is. Pure. It has the windows of the refresh
 * tokens of sessions: several processes of one application refresh together, and their requests form chains.
 */
export function decideGeneration(
  chain: Rotated,
  presented: number,
  conditions: GraceConditions,
): SsoGeneration {
  const ahead = presented - chain.generation
  if (ahead === 0) return 'current'
  if (ahead > 0) return 'ahead'
  return isYoung(chain, presented, conditions) ? 'young' : 'old'
}

/** Whether the current token of a chain, or the whole chain, has expired. Pure. */
export function isChainOver(
  { expiresAt, endsAt }: Pick<SsoRefreshChain, 'expiresAt' | 'endsAt'>,
  now: EpochMs,
): boolean {
  return now >= Math.min(expiresAt, endsAt)
}
