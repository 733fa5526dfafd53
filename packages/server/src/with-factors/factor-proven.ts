import type { FactorMethod } from '../factors/decide.ts'
import type { Proof } from '../factors/proof.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { FactorUse } from '../store/factors.ts'
import type { FactorServices } from './services.ts'

/** A factor that was checked. It is not used up yet: the store does that together with what the proof allows. */
export interface FactorProven {
  readonly ok: true
  readonly proof: Proof
  readonly use: FactorUse
  /** New recovery codes, if it is the first factor of the account. They are shown once. */
  readonly recoveryCodes?: readonly string[]
}

/** Writes the audit line of a wrong factor, and returns the refusal. */
export async function refuseFactor(
  { sessions }: FactorServices,
  accountId: string,
  method: FactorMethod,
  caller: Caller,
): Promise<Refusal> {
  await sessions.store.audit.append({
    at: sessions.clock.nowMs(),
    actor: 'anonymous',
    address: caller.address,
    event: 'factor_refused',
    outcome: 'refused',
    accountId,
    sessionId: undefined,
    detail: method,
  })
  return refuse(method === 'passkey' ? 'passkey_refused' : 'factor_wrong')
}

/** Makes the result of a factor that is right. */
export function proven(
  { sessions: { clock } }: FactorServices,
  kind: Proof['kind'],
  amr: Proof['amr'],
  use: FactorUse,
): FactorProven {
  return { ok: true, proof: { kind, amr, at: clock.nowMs() }, use }
}
