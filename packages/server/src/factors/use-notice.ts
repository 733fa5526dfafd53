import type { FactorChange } from '../mail/kinds.ts'
import type { FactorUse } from '../store/factors.ts'

/** The change that a mail reports after the use of a factor. Undefined if an ordinary use changes nothing. Pure. */
export function changeOf(use: FactorUse | undefined): FactorChange | undefined {
  if (use?.kind === 'recovery_code') return 'recovery_code_used'
  return use?.kind === 'enrol' ? `${use.factor.kind}_added` : undefined
}
