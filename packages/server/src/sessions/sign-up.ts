import type { AccountSummary } from '../accounts/export.ts'
import type { AccountManager } from '../accounts/manage.ts'
import type { ManagedCode } from '../accounts/managed.ts'
import { refusals, type RefusalCode } from '../base/refusals.ts'
import { countTry } from './count-try.ts'
import type { Caller, Refusal, SessionServices } from './services.ts'

/** The account that a person has created. */
export interface SignedUp {
  readonly ok: true
  readonly account: AccountSummary
}

/**
 * Creates an account without roles for a person who signs up. Opens no session, so another site cannot log
 * its visitors in to an account of the attacker.
 *
 * Each attempt counts against the caller's address. The refusal reveals that a username is taken. Without
 * a mail there is no other way to inform the person. So it takes no address.
 */
export async function signUp(
  services: SessionServices,
  accounts: AccountManager,
  credentials: { readonly username: string; readonly password: string },
  caller: Caller,
): Promise<SignedUp | Refusal> {
  const tries = services.throttle.bucketsOf({
    usernameKey: '',
    address: caller.address,
    // Callers without a known address share one bucket.
    isKnownAddress: caller.address !== '',
  })
  const throttled = await countTry(services, tries)
  if (throttled !== undefined) return throttled
  const created = await accounts.create(credentials, 'anonymous')
  return created.ok
    ? { ok: true, account: created.value }
    : { ok: false, code: refusalCodeOf(created.code), text: created.text }
}

/** Returns the manager's code as a refusal code, if a client that signs up can have caused it. */
function refusalCodeOf(code: ManagedCode): RefusalCode {
  return isRefusalCode(code) ? code : 'internal_error'
}

function isRefusalCode(code: string): code is RefusalCode {
  return Object.hasOwn(refusals, code)
}
