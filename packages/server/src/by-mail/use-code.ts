import { auditContextOf } from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { CodeBearer, MailCode, MailPurpose } from '../store/mail-codes.ts'
import type { Account } from '../store/rows.ts'
import type { Presented } from './secrets.ts'
import { detailsContext } from './ask.ts'
import type { MailServices } from './services.ts'

/** A code that is right. It is not used up yet. */
export interface RightCode {
  readonly ok: true
  readonly by: CodeBearer
  readonly code: MailCode
  /** Undefined for a sign-up. */
  readonly account: Account | undefined
}

/** Checks what a person presents, for one of these purposes. A wrong code counts as an attempt. */
export async function checkCode(
  { sessions, hasher }: MailServices,
  presented: Presented,
  purposes: readonly MailPurpose[],
  caller: Caller,
): Promise<RightCode | Refusal> {
  const prepared = hasher.present(presented)
  if (prepared === undefined) return refuse('code_void')
  const context = auditContextOf(sessions, 'anonymous', caller)
  const checked = await sessions.store.mailCodes.check(prepared, context)
  if (!checked.ok) return refuse(checked.code)
  return purposes.includes(checked.code.purpose) ? checked : refuse('code_void')
}

/** Opens the details of a code. Throws if they were sealed under a secret that the server no longer has. */
export function openDetails({ sealer }: MailServices, { id, details }: MailCode): unknown {
  const plain = details && sealer.open(details, detailsContext(id))
  if (plain === undefined) throw new Error('The details of a mailed code cannot be opened.')
  return JSON.parse(plain.toString())
}
