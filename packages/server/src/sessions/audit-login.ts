import type { Account } from '../store/rows.ts'
import type { SessionServices } from './services.ts'

/** Why a sign-in was refused, for the audit. The answer to the client is less precise. */
export type LoginRefusal = 'unknown_account' | 'wrong_password' | 'account_disabled' | 'revoked'

/** Writes the audit line of a refused sign-in. */
export async function auditRefusedLogin(
  { store, clock }: Pick<SessionServices, 'store' | 'clock'>,
  refused: {
    readonly account: Pick<Account, 'id'> | undefined
    readonly address: string
    readonly reason: LoginRefusal
    /** The actor of the audit line. The default is `anonymous`, because nothing was proved. */
    readonly actor?: string
  },
): Promise<void> {
  await store.audit.append({
    at: clock.nowMs(),
    actor: refused.actor ?? 'anonymous',
    event: 'login',
    outcome: 'refused',
    accountId: refused.account?.id,
    sessionId: undefined,
    address: refused.address,
    detail: refused.reason,
  })
}
